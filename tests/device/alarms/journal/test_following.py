"""Another process follows a journal that a daemon writes: what is new, and whether it is still the same file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from device.alarms.journal.entries import Mark
from device.alarms.journal.following import AT_ONCE, file_state, read_following, read_present
from device.alarms.journal.store import Journal
from device.errors import JournalError
from tests.device.push.alarm_entries import entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alarms.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.open(path, max_bytes=8_000_000) as journal:
        yield journal


def test_what_comes_after_a_mark_is_read_while_the_journal_is_written(journal: Journal, path: Path) -> None:
    journal.append([entry("a"), entry("b")])
    first = read_following(path, None)
    assert [row.entry.key for row in first.rows] == [("a", 0), ("b", 0)]
    assert (first.mark, first.is_other_file) == (Mark(2, "b", 0), False)
    assert read_following(path, first.mark).rows == []
    journal.append([entry("a", 1, "ended")])
    second = read_following(path, first.mark)
    assert [row.entry.key for row in second.rows] == [("a", 1)]
    assert second.mark == Mark(3, "a", 1)


def test_a_long_journal_comes_in_parts(journal: Journal, path: Path) -> None:
    journal.append([entry("a", seq, "reminded") for seq in range(AT_ONCE + 1)])
    first = read_following(path, None)
    assert len(first.rows) == AT_ONCE
    assert [row.entry.seq for row in read_following(path, first.mark).rows] == [AT_ONCE]


def test_a_mark_of_another_file_begins_anew_and_one_that_was_pruned_does_not(journal: Journal, path: Path) -> None:
    journal.append([entry("a"), entry("b"), entry("c")])
    for other in (Mark(2, "x", 0), Mark(2, "b", 9), Mark(4, "d", 0)):
        following = read_following(path, other)
        assert (following.is_other_file, len(following.rows)) == (True, 3)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM entries WHERE ordinal = 2")
    following = read_following(path, Mark(2, "b", 0))
    assert (following.is_other_file, [row.ordinal for row in following.rows]) == (False, [3])


def test_a_damaged_row_is_passed_over(journal: Journal, path: Path) -> None:
    journal.append([entry("a"), entry("b"), entry("c")])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE entries SET body = '{}' WHERE ordinal > 1 AND ordinal < 3")
    following = read_following(path, None)
    assert [row.entry.alarm_id for row in following.rows] == ["a", "c"]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE entries SET body = '{}' WHERE ordinal = 3")
    assert read_following(path, Mark(1, "a", 0)).mark == Mark(3, "c", 0)


def test_the_present_is_what_is_open_and_how_far_each_alarm_has_come(journal: Journal, path: Path) -> None:
    assert read_present(path).mark is None
    journal.append([entry("a"), entry("a", 1, "ended"), entry("b"), entry("b", 1, "reminded")])
    present = read_present(path)
    assert [row.entry.key for row in present.open_rows] == [("b", 1)]
    assert present.last_seqs == {"a": 1, "b": 1}
    assert present.mark == Mark(4, "b", 1)


def test_each_commit_changes_the_state_of_the_files(journal: Journal, path: Path) -> None:
    states = [file_state(path)]
    for seq in range(3):
        journal.append([entry("a", seq)])
        states.append(file_state(path))
    assert len(set(states)) == len(states)


def test_no_journal_is_an_error_with_a_sentence(path: Path) -> None:
    with pytest.raises(JournalError, match=r"there is no journal at .*alarms\.db that can be read"):
        read_following(path, None)
    assert file_state(path) == ((0, 0, 0), (0, 0, 0))
