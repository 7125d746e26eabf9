"""The journal's SQL on a database in memory: inserts, what is owed, what is open, what is deleted first."""

from __future__ import annotations

import functools
import sqlite3
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.alarms.journal.entries import SCHEMA
from device.alarms.journal.queries import (
    PRUNING_ORDER,
    NotAsWrittenError,
    delete_oldest,
    history,
    insert_entries,
    mark_delivered,
    oldest_owed,
    open_rows,
    owed_rows,
    read_note,
    row_at,
    transact,
    write_note,
)
from tests.device.alarms.journal.journal_files import make_entry, names_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from device.alarms.journal.entries import Entry, Key


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = in_memory()
    yield opened
    opened.close()


def in_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statement in SCHEMA:
        connection.execute(statement)
    return connection


def insert(connection: sqlite3.Connection, *entries: Entry, delivered: Collection[Key] = ()) -> list[int]:
    """Insert entries -> the bytes for which room was made."""
    rooms: list[int] = []

    def make_room(_connection: sqlite3.Connection, size: int) -> None:
        rooms.append(size)

    transact(connection, functools.partial(insert_entries, entries, delivered, make_room))
    return rooms


def kept(connection: sqlite3.Connection) -> list[str]:
    return names_of(list(history(connection, 0.0)))


def owed_ordinals(connection: sqlite3.Connection) -> list[int]:
    return [row.ordinal for row in owed_rows(connection)]


def test_a_transaction_that_fails_changes_nothing_and_another_one_may_follow(connection: sqlite3.Connection) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        write_note("paused_until", "17", connection)
        raise OSError("the disk fails")

    with pytest.raises(OSError, match="the disk fails"):
        transact(connection, fail)
    assert read_note(connection, "paused_until") is None
    transact(connection, functools.partial(write_note, "paused_until", "18"))
    assert read_note(connection, "paused_until") == "18"


def test_a_known_key_is_neither_inserted_again_nor_owed_again_and_needs_no_room(connection: sqlite3.Connection) -> None:
    assert insert(connection, make_entry(1, body_bytes=100), make_entry(1, body_bytes=700)) != []
    mark_delivered([make_entry(1).key], connection)
    assert insert(connection, make_entry(1, body_bytes=900)) == []
    (entry,) = history(connection, 0.0)
    assert entry == make_entry(1, body_bytes=100)
    assert oldest_owed(connection) is None


def test_room_is_made_for_at_least_the_text_of_the_new_entries(connection: sqlite3.Connection) -> None:
    entries = [make_entry(1), make_entry(2, body_bytes=3000)]
    (size,) = insert(connection, *entries)
    assert size > sum(len(entry.alarm) + len(entry.body) for entry in entries)


def test_entries_delivered_before_they_could_be_kept_are_kept_and_not_owed(connection: sqlite3.Connection) -> None:
    insert(connection, make_entry(1), make_entry(2), delivered=[make_entry(2).key, make_entry(99).key])
    assert kept(connection) == ["1/0", "2/0"]
    assert owed_ordinals(connection) == [1]


@given(
    changes=st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=14),
    delivered=st.sets(st.integers(0, 13)),
)
def test_all_that_is_owed_comes_the_urgent_newest_first_then_the_others_oldest_first(
    changes: list[tuple[int, bool]], delivered: set[int]
) -> None:
    connection = in_memory()
    entries = [make_entry(alarm, seq, urgent=urgent) for seq, (alarm, urgent) in enumerate(changes)]
    insert(connection, *entries)
    mark_delivered([entry.key for entry in entries if entry.seq in delivered], connection)
    owed = [entry for entry in entries if entry.seq not in delivered]
    urgent_first = [
        *reversed([entry for entry in owed if entry.urgent]),
        *(entry for entry in owed if not entry.urgent),
    ]
    assert [(row.alarm_id, row.seq) for row in owed_rows(connection)] == [entry.key for entry in urgent_first]
    connection.close()


@pytest.mark.parametrize(("delivered", "oldest"), [((), 1), ((1,), 2), ((1, 2), 3), ((1, 2, 3), None)])
def test_the_oldest_owed_entry_is_found_among_urgent_ones_and_others(
    connection: sqlite3.Connection, delivered: tuple[int, ...], oldest: int | None
) -> None:
    insert(connection, make_entry(1), make_entry(2, urgent=True), make_entry(3))
    mark_delivered([make_entry(number).key for number in delivered], connection)
    assert oldest_owed(connection) == oldest


def test_each_row_remembers_the_oldest_entry_that_was_owed_when_it_was_inserted(connection: sqlite3.Connection) -> None:
    insert(connection, make_entry(1), make_entry(2))
    insert(connection, make_entry(3))
    mark_delivered([make_entry(number).key for number in (1, 2, 3)], connection)
    insert(connection, make_entry(4))
    rows = [row_at(connection, ordinal) for ordinal in (1, 2, 3, 4)]
    assert [None if row is None else row.owed_from for row in rows] == [1, 1, 1, 4]


def test_open_alarms_are_known_by_their_newest_row_in_arrival_order(connection: sqlite3.Connection) -> None:
    insert(
        connection,
        make_entry(1),
        make_entry(2),
        make_entry(3),
        make_entry(1, 1, state="latched"),
        make_entry(2, 1, state="ended"),
    )
    assert [(row.ordinal, row.entry.key[1]) for row in open_rows(connection)] == [(3, 0), (4, 1)]


def test_history_comes_in_pages_and_begins_at_its_time_inclusive(connection: sqlite3.Connection) -> None:
    insert(connection, *(make_entry(number) for number in range(450)))
    assert kept(connection) == [f"{number}/0" for number in range(450)]
    assert names_of(list(history(connection, 1.7e9 + 448)))[0] == "448/0"


def test_a_row_that_was_changed_is_never_returned(connection: sqlite3.Connection) -> None:
    insert(connection, make_entry(1))
    write_note("paused_until", "17", connection)
    connection.execute("UPDATE entries SET body = 'other'")
    connection.execute("UPDATE notes SET value = '18'")
    with pytest.raises(NotAsWrittenError, match="row 1 is damaged"):
        row_at(connection, 1)
    with pytest.raises(NotAsWrittenError, match="row 1 is damaged"):
        list(history(connection, 0.0))
    with pytest.raises(NotAsWrittenError, match="'paused_until' is damaged"):
        read_note(connection, "paused_until")
    assert row_at(connection, 2) is None, "there never was one"


def test_for_room_go_delivered_entries_then_open_states_then_owed_ones_and_urgent_ones_last(
    connection: sqlite3.Connection,
) -> None:
    insert(
        connection,
        make_entry(1, urgent=True),
        make_entry(2),
        make_entry(3, 0),
        make_entry(3, 1),
        make_entry(4, state="ended"),
    )
    mark_delivered([make_entry(3, 0).key, make_entry(3, 1).key, make_entry(4).key], connection)
    left = []
    for query in PRUNING_ORDER:
        delete_oldest(connection, query)
        left.append(kept(connection))
    assert left == [["1/0", "2/0", "3/1"], ["1/0", "2/0"], ["1/0"], []]
    assert oldest_owed(connection) is None


def test_one_deletion_returns_how_many_went_oldest_first(connection: sqlite3.Connection) -> None:
    insert(connection, *(make_entry(number, state="ended") for number in range(70)))
    mark_delivered([make_entry(number).key for number in range(70)], connection)
    assert delete_oldest(connection, PRUNING_ORDER[0]) == 64
    assert kept(connection) == [f"{number}/0" for number in range(64, 70)]
    assert delete_oldest(connection, PRUNING_ORDER[0]) == 6
    assert delete_oldest(connection, PRUNING_ORDER[0]) == 0
