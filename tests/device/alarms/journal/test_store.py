"""The journal on a sound disk: nothing twice, nothing lost, in the order that people need, within its bound."""

from __future__ import annotations

import json
import sqlite3
import stat
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.alarms.journal.entries import Entry
from device.alarms.journal.reading import read_history
from device.alarms.journal.store import Journal
from device.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_BIG = 64_000_000
_SMALL = 4_000_000


def _entry(alarm: int, seq: int = 0, *, urgent: bool = False, state: str = "active", body_bytes: int = 600) -> Entry:
    told = {"alarm_id": f"stream-cry-cry-{alarm}", "state": state, "seq": seq}
    body = json.dumps({**told, "filler": "x" * body_bytes})
    return Entry(f"stream-cry-cry-{alarm}", seq, 1.7e9 + alarm, urgent, json.dumps(told), body)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.open(path, max_bytes=_BIG) as opened:
        yield opened


def _names(entries: Sequence[Entry]) -> list[str]:
    return [f"{entry.alarm_id.rsplit('-', 1)[1]}/{entry.seq}" for entry in entries]


def _bytes_on_disk(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


def test_what_was_appended_is_there_after_the_journal_was_closed(path: Path) -> None:
    entries = [_entry(number, urgent=number % 2 == 0) for number in range(120)]
    with Journal.open(path, max_bytes=_BIG) as journal:
        journal.append(entries)
    with Journal.open(path, max_bytes=_BIG) as journal:
        assert list(journal.history(0.0)) == entries
        assert journal.owed_count() == 120
        assert journal.salvage is None


def test_the_same_key_is_kept_once_and_as_it_was_first(journal: Journal) -> None:
    first, again = _entry(1), _entry(1, body_bytes=3)
    journal.append([first, again])
    journal.append([again])
    assert list(journal.history(0.0)) == [first]
    journal.mark_delivered([first.key])
    journal.append([first])
    assert journal.owed_count() == 0


def test_urgent_entries_come_first_and_newest_first_then_the_others_oldest_first(journal: Journal) -> None:
    journal.append([_entry(number, urgent=number in {2, 4}) for number in range(6)])
    assert _names(journal.owed(10)) == ["4/0", "2/0", "0/0", "1/0", "3/0", "5/0"]
    assert _names(journal.owed(3, skip={_entry(4).key, _entry(0).key})) == ["2/0", "1/0", "3/0"]
    assert _names(journal.owed(3, first=["stream-cry-cry-5"])) == ["5/0", "4/0", "2/0"]


def test_an_urgent_entry_waits_for_what_is_owed_of_its_own_alarm(journal: Journal) -> None:
    journal.append([_entry(1, 0), _entry(2, 0), _entry(1, 1, urgent=True), _entry(1, 2), _entry(3, 0, urgent=True)])
    assert _names(journal.owed(10)) == ["3/0", "1/0", "1/1", "2/0", "1/2"]


@given(
    changes=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40),
    told=st.sets(st.integers(0, 39)),
    skipped=st.sets(st.integers(0, 39)),
    limit=st.integers(1, 50),
    first=st.lists(st.integers(0, 6), max_size=3),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_what_is_owed_comes_in_order_within_each_alarm_and_nothing_else_comes(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[int, bool]],
    told: set[int],
    skipped: set[int],
    limit: int,
    first: list[int],
) -> None:
    entries: list[Entry] = []
    for alarm, urgent in changes:
        seq = sum(entry.alarm_id.endswith(f"-{alarm}") for entry in entries)
        entries.append(_entry(alarm, seq, urgent=urgent))
    path = tmp_path_factory.mktemp("owed") / "journal.db"
    with Journal.open(path, max_bytes=_BIG) as journal:
        journal.append(entries)
        journal.mark_delivered([entries[index].key for index in told if index < len(entries)])
        owed = {entry.key for index, entry in enumerate(entries) if index not in told}
        skip = {entries[index].key for index in skipped if index < len(entries)}
        given_out = journal.owed(limit, skip, first=[f"stream-cry-cry-{alarm}" for alarm in first])
    keys = [entry.key for entry in given_out]
    assert len(keys) == len(set(keys)) == min(limit, len(owed - skip))
    assert set(keys) <= owed - skip
    for before, after in pairwise(sorted(keys, key=lambda key: (key[0], keys.index(key)))):
        assert before[0] != after[0] or before[1] < after[1]


def test_ten_thousand_owed_entries_do_not_hold_up_a_new_one(journal: Journal) -> None:
    journal.append([_entry(number, urgent=number % 2 == 0, body_bytes=10) for number in range(10_000)])
    journal.append([_entry(10_001)])
    journal.append([_entry(10_002, urgent=True)])
    assert _names(journal.owed(2, first=["stream-cry-cry-10001"])) == ["10001/0", "10002/0"]
    plan = " ".join(
        str(row)
        for row in journal._database.connection().execute(
            "EXPLAIN QUERY PLAN SELECT place FROM owed CROSS JOIN entries ON ordinal = abs(place) ORDER BY place"
        )
    )
    assert "SCAN owed" in plan
    assert "TEMP B-TREE" not in plan


def test_of_each_alarm_that_has_not_ended_the_newest_state_is_known(journal: Journal) -> None:
    journal.append([_entry(1, 0), _entry(1, 1, state="latched"), _entry(2, 0), _entry(2, 1, state="ended")])
    journal.append([_entry(3, 1000), _entry(1, 2, state="active")])
    kept = [(json.loads(alarm), seq) for alarm, seq in journal.open_alarms()]
    assert [(alarm["alarm_id"], alarm["state"], seq) for alarm, seq in kept] == [
        ("stream-cry-cry-3", "active", 1000),
        ("stream-cry-cry-1", "active", 2),
    ]


def test_notes_survive_and_the_newest_counts(path: Path) -> None:
    with Journal.open(path, max_bytes=_BIG) as journal:
        assert journal.note("paused_until") is None
        journal.set_note("paused_until", "1")
        journal.set_note("paused_until", "2 'quoted' \N{SNOWMAN}")
    with Journal.open(path, max_bytes=_BIG) as journal:
        assert journal.note("paused_until") == "2 'quoted' \N{SNOWMAN}"


def test_what_was_told_goes_first_where_there_is_no_room(path: Path) -> None:
    with Journal.open(path, max_bytes=_SMALL) as journal:
        journal.append([_entry(0), _entry(1, urgent=True)])
        for first in range(2, 6002, 100):
            entries = [_entry(number, state="ended") for number in range(first, first + 100)]
            journal.append(entries)
            journal.mark_delivered([entry.key for entry in entries])
            assert _bytes_on_disk(path) <= _SMALL
        kept = _names(list(journal.history(0.0)))
        assert kept[:2] == ["0/0", "1/0"]
        assert kept[2:] == [f"{number}/0" for number in range(6002 - len(kept) + 2, 6002)]
        assert len(kept) > 1500
        assert journal.pruned_undelivered == 0


def test_the_state_of_an_open_alarm_outlives_newer_entries_that_were_told(path: Path) -> None:
    with Journal.open(path, max_bytes=_SMALL) as journal:
        latched = [_entry(0, 0), _entry(0, 1, state="latched")]
        journal.append(latched)
        journal.mark_delivered([entry.key for entry in latched])
        for first in range(1, 4001, 100):
            entries = [_entry(number, state="ended") for number in range(first, first + 100)]
            journal.append(entries, delivered=[entry.key for entry in entries])
        assert [seq for _, seq in journal.open_alarms()] == [1]
        assert _names(list(journal.history(0.0)))[0] == "0/1"


def test_untold_entries_go_last_oldest_first_urgent_ones_after_the_others_and_are_counted(path: Path) -> None:
    with Journal.open(path, max_bytes=_SMALL) as journal:
        for first in range(0, 6000, 100):
            journal.append([_entry(number, urgent=number % 10 == 0) for number in range(first, first + 100)])
            assert _bytes_on_disk(path) <= _SMALL
        kept = list(journal.history(0.0))
        assert journal.pruned_undelivered == 6000 - len(kept) > 0
        assert sum(entry.urgent for entry in kept) == 600
        assert journal.owed_count() == len(kept)
    with Journal.open(path, max_bytes=_SMALL) as journal:
        assert journal.pruned_undelivered == 6000 - len(kept)


def test_a_bound_that_was_lowered_holds_from_the_next_start_on(path: Path) -> None:
    with Journal.open(path, max_bytes=_BIG) as journal:
        entries = [_entry(number, state="ended") for number in range(8000)]
        journal.append(entries, delivered=[entry.key for entry in entries])
    assert _bytes_on_disk(path) > _SMALL
    with Journal.open(path, max_bytes=_SMALL) as journal:
        assert _bytes_on_disk(path) <= _SMALL
        assert list(journal.history(0.0))[-1] == entries[-1]


def test_history_is_read_while_the_journal_is_kept_and_holds_nothing_up(path: Path, journal: Journal) -> None:
    journal.append([_entry(number) for number in range(600)])
    reading = read_history(path, 1.7e9 + 100)
    assert next(reading).alarm_id == "stream-cry-cry-100"
    journal.append([_entry(600)])
    assert len(list(reading)) == 500
    journal.close()
    assert len(list(read_history(path, 0.0))) == 601


def test_a_second_keeper_is_refused_and_the_first_goes_on(path: Path, journal: Journal) -> None:
    with pytest.raises(JournalError, match="kept by another process"):
        Journal.open(path, max_bytes=_BIG)
    journal.append([_entry(1)])
    journal.close()
    with Journal.open(path, max_bytes=_BIG) as second:
        assert second.owed_count() == 1


def test_a_journal_that_was_closed_opens_itself_again(journal: Journal) -> None:
    journal.append([_entry(1)])
    journal.close()
    journal.close()
    journal.append([_entry(2)])
    assert journal.owed_count() == 2


def test_the_group_may_read_and_others_may_not(path: Path, journal: Journal) -> None:
    journal.append([_entry(1)])
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o640, file.name


def test_a_missing_folder_and_what_is_no_file_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"folder of the journal .* is missing"):
        Journal.open(tmp_path / "nowhere" / "journal.db", max_bytes=_BIG)
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(JournalError, match="is not a file"):
        Journal.open(tmp_path / "folder.db", max_bytes=_BIG)
    with pytest.raises(JournalError, match="there is no journal at"):
        next(read_history(tmp_path / "none.db", 0.0))


def test_a_file_that_is_removed_under_the_journal_is_written_anew(path: Path, journal: Journal) -> None:
    journal.append([_entry(1), _entry(2)])
    journal.mark_delivered([_entry(1).key])
    for file in path.parent.iterdir():
        file.unlink()
    journal.append([_entry(3)])
    assert journal.salvage is not None
    assert journal.salvage.rows == 2
    journal.close()
    with Journal.open(path, max_bytes=_BIG) as again:
        assert _names(list(again.history(0.0))) == ["1/0", "2/0", "3/0"]
        assert _names(again.owed(9)) == ["2/0", "3/0"]


def test_a_folder_that_goes_away_is_told_and_the_next_append_succeeds_when_it_is_back(tmp_path: Path) -> None:
    folder, away = tmp_path / "state", tmp_path / "away"
    folder.mkdir()
    with Journal.open(folder / "journal.db", max_bytes=_BIG) as journal:
        journal.append([_entry(1)])
        folder.rename(away)
        with pytest.raises(JournalError):
            journal.append([_entry(2)])
        away.rename(folder)
        journal.append([_entry(2)])
        assert _names(list(journal.history(0.0))) == ["1/0", "2/0"]


def test_sqlite_agrees_that_the_file_is_sound_and_syncs_each_commit(path: Path, journal: Journal) -> None:
    journal.append([_entry(number) for number in range(50)])
    connection = journal._database.connection()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    other = sqlite3.connect(path)
    assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    other.close()
