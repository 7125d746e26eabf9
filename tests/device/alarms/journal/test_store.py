"""The journal on a sound disk: nothing twice, nothing lost, in the order that people need."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.alarms.journal.store import Journal
from tests.device.alarms.journal.journal_files import BIG_BYTES, make_entry, names_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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
    assert names_of(journal.owed(10)) == ["4/0", "2/0", "0/0", "1/0", "3/0", "5/0"]
    assert names_of(journal.owed(3, skip={make_entry(4).key, make_entry(0).key})) == ["2/0", "1/0", "3/0"]
    assert names_of(journal.owed(3, first=["stream-cry-cry-5"])) == ["5/0", "4/0", "2/0"]


def test_an_urgent_entry_waits_for_what_is_owed_of_its_own_alarm(journal: Journal) -> None:
    journal.append(
        [
            make_entry(1, 0),
            make_entry(2, 0),
            make_entry(1, 1, urgent=True),
            make_entry(1, 2),
            make_entry(3, 0, urgent=True),
        ]
    )
    assert names_of(journal.owed(10)) == ["3/0", "1/0", "1/1", "2/0", "1/2"]


@given(
    changes=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40),
    delivered=st.sets(st.integers(0, 39)),
    skipped=st.sets(st.integers(0, 39)),
    limit=st.integers(1, 50),
    first=st.lists(st.integers(0, 6), max_size=3),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_what_is_owed_comes_in_order_within_each_alarm_and_nothing_else_comes(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[int, bool]],
    delivered: set[int],
    skipped: set[int],
    limit: int,
    first: list[int],
) -> None:
    entries: list[Entry] = []
    for alarm, urgent in changes:
        seq = sum(entry.alarm_id.endswith(f"-{alarm}") for entry in entries)
        entries.append(make_entry(alarm, seq, urgent=urgent))
    path = tmp_path_factory.mktemp("owed") / "journal.db"
    with Journal.open(path, max_bytes=BIG_BYTES) as journal:
        journal.append(entries)
        journal.mark_delivered([entries[index].key for index in delivered if index < len(entries)])
        owed = {entry.key for index, entry in enumerate(entries) if index not in delivered}
        skip = {entries[index].key for index in skipped if index < len(entries)}
        given_out = journal.owed(limit, skip, first=[f"stream-cry-cry-{alarm}" for alarm in first])
    keys = [entry.key for entry in given_out]
    assert len(keys) == len(set(keys)) == min(limit, len(owed - skip))
    assert set(keys) <= owed - skip
    for before, after in pairwise(sorted(keys, key=lambda key: (key[0], keys.index(key)))):
        assert before[0] != after[0] or before[1] < after[1]


def test_ten_thousand_owed_entries_do_not_hold_up_a_new_one(journal: Journal) -> None:
    journal.append([make_entry(number, urgent=number % 2 == 0, body_bytes=10) for number in range(10_000)])
    journal.append([make_entry(10_001)])
    journal.append([make_entry(10_002, urgent=True)])
    assert names_of(journal.owed(2, first=["stream-cry-cry-10001"])) == ["10001/0", "10002/0"]
    plan = " ".join(
        str(row)
        for row in journal._database.connection().execute(
            "EXPLAIN QUERY PLAN SELECT place FROM owed CROSS JOIN entries ON ordinal = abs(place) ORDER BY place"
        )
    )
    assert "SCAN owed" in plan
    assert "TEMP B-TREE" not in plan


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
