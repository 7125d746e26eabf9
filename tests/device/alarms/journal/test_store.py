"""The journal on a sound disk: nothing twice, nothing lost, in the order that people need."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from device.alarms.journal.store import Journal
from device.errors import JournalError
from tests.device.alarms.journal.journal_files import BIG_BYTES, make_entry, names_of, owed_entries

if TYPE_CHECKING:
    from pathlib import Path

    from device.alarms.journal.entries import Entry


def test_what_was_appended_is_there_after_the_journal_was_closed(path: Path) -> None:
    entries = [make_entry(number, urgent=number % 2 == 0) for number in range(120)]
    with Journal.open(path, max_bytes=BIG_BYTES) as journal:
        journal.append(entries)
    with Journal.open(path, max_bytes=BIG_BYTES) as journal:
        assert list(journal.history(0.0)) == entries
        assert journal.owed_count() == 120
        assert journal.salvage is None


def test_the_same_key_is_kept_once_and_as_it_was_first(journal: Journal) -> None:
    first, again = make_entry(1), make_entry(1, body_bytes=3)
    journal.append([first, again])
    journal.append([again])
    assert list(journal.history(0.0)) == [first]
    journal.mark_delivered([first.key])
    journal.append([first])
    assert journal.owed_count() == 0


def test_urgent_entries_come_first_and_newest_first_then_the_others_oldest_first(journal: Journal) -> None:
    journal.append([make_entry(number, urgent=number in {2, 4}) for number in range(6)])
    assert names_of(owed_entries(journal)) == ["4/0", "2/0", "0/0", "1/0", "3/0", "5/0"]


def test_each_entry_has_an_ordinal_and_is_settled_by_it(journal: Journal) -> None:
    entries = [make_entry(number, urgent=number % 2 == 0) for number in range(120)]
    ordinals = journal.append(entries)
    assert [ordinals[entry.key] for entry in entries] == list(range(1, 121))
    assert journal.append(entries[3:5]) == {entries[3].key: 4, entries[4].key: 5}
    journal.settle([(2, 10), (12, 120)])
    assert names_of(owed_entries(journal)) == ["10/0", "0/0"]
    journal.append([make_entry(500)], settled=[(1, 1)])
    assert names_of(owed_entries(journal)) == ["10/0", "500/0"]


def test_what_was_written_to_another_file_settles_nothing_here(journal: Journal) -> None:
    journal.append([make_entry(1)])
    with pytest.raises(JournalError):
        journal.settle([(1, 2)])
    assert journal.owed_count() == 1


def test_entries_that_were_pruned_are_missing_and_no_error(journal: Journal) -> None:
    ordinals = journal.append([make_entry(1)])
    assert journal.read([*ordinals.values(), 99]) == {1: make_entry(1)}


def _rows_read(path: Path, entries: list[Entry]) -> int:
    """Steps of SQLite's machine, in hundreds, to commit entries in batches and then read and settle all of them."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with Journal.open(path, max_bytes=BIG_BYTES) as journal:
        journal._database.connection().set_progress_handler(count, 100)
        for first in range(0, len(entries), 20):
            journal.append(entries[first : first + 20])
        ordinals = [row.ordinal for row in journal.owed_rows()]
        for first in range(0, len(ordinals), 20):
            batch = sorted(ordinals[first : first + 20])
            assert len(journal.read(batch)) == 20
            journal.settle([(batch[0], batch[-1])])
        assert journal.owed_count() == 0
    return steps


def test_a_long_history_of_one_alarm_costs_no_more_than_as_many_alarms_and_all_costs_are_linear(tmp_path: Path) -> None:
    """The bug: for each urgent entry the whole history of its alarm was read."""
    of_one = {
        count: _rows_read(tmp_path / f"one-{count}.db", [make_entry(1, seq, urgent=True) for seq in range(count)])
        for count in (1000, 4000)
    }
    of_many = _rows_read(tmp_path / "many.db", [make_entry(number, urgent=True) for number in range(4000)])
    assert of_one[4000] < 1.3 * of_many
    assert of_one[4000] < 4.5 * of_one[1000]


def test_of_each_alarm_that_has_not_ended_the_newest_state_is_known(journal: Journal) -> None:
    journal.append(
        [make_entry(1, 0), make_entry(1, 1, state="latched"), make_entry(2, 0), make_entry(2, 1, state="ended")]
    )
    journal.append([make_entry(3, 1000), make_entry(1, 2, state="active")])
    kept = [(json.loads(alarm), seq) for alarm, seq in journal.open_alarms()]
    assert [(alarm["alarm_id"], alarm["state"], seq) for alarm, seq in kept] == [
        ("stream-cry-cry-3", "active", 1000),
        ("stream-cry-cry-1", "active", 2),
    ]


def test_notes_survive_and_the_newest_counts(path: Path) -> None:
    with Journal.open(path, max_bytes=BIG_BYTES) as journal:
        assert journal.note("paused_until") is None
        journal.set_note("paused_until", "1")
        journal.set_note("paused_until", "2 'quoted' \N{SNOWMAN}")
    with Journal.open(path, max_bytes=BIG_BYTES) as journal:
        assert journal.note("paused_until") == "2 'quoted' \N{SNOWMAN}"


def test_the_newest_acknowledgement_of_each_open_alarm_is_found_and_none_of_one_that_has_ended(path: Path) -> None:
    def changed(alarm: int, seq: int, change: str, state: str = "active") -> Entry:
        entry = make_entry(alarm, seq, state=state)
        return replace(entry, body=json.dumps({"change": change, "cause": f"{seq}"}, separators=(",", ":")))

    rows = [changed(1, 0, "raised"), changed(1, 1, "acknowledged"), changed(2, 0, "raised"), changed(1, 2, "reopened")]
    rows += [changed(1, 3, "acknowledged"), changed(1, 4, "reminded"), changed(3, 0, "acknowledged")]
    rows += [changed(3, 1, "ended", "ended")]
    with Journal.open(path, max_bytes=BIG_BYTES) as journal:
        journal.append(rows)
        assert journal.acknowledgements() == {rows[4].alarm_id: rows[4].body}
