"""Damage is found wherever it is: in the header, the schema, SQLite's pages or a single row."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from device.alarms.journal.damage import connection_damage, file_damage, header_damage
from device.alarms.journal.reading import read_history
from device.alarms.journal.store import Journal
from tests.device.alarms.journal.journal_files import BIG_BYTES, make_entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = 20


@pytest.fixture
def closed(path: Path) -> Path:
    """A journal that was closed in order, all of it in one file."""
    with Journal.open(path, max_bytes=BIG_BYTES) as journal:
        journal.append([make_entry(number, body_bytes=60) for number in range(COUNT)])
        journal.mark_delivered([make_entry(number).key for number in range(0, COUNT, 2)])
        journal.set_note("paused_until", "17")
    return path


@contextlib.contextmanager
def editing(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_a_journal_that_was_closed_is_sound(closed: Path) -> None:
    assert file_damage(closed) is None


def test_a_journal_that_is_being_written_is_sound(path: Path, journal: Journal) -> None:
    journal.append([make_entry(1)])
    assert file_damage(path) is None


def test_any_changed_byte_is_found_or_changes_nothing_that_is_read(closed: Path) -> None:
    original, expected = closed.read_bytes(), list(read_history(closed, 0.0))
    found = 0
    for offset in range(0, len(original), 5):
        closed.write_bytes(original[:offset] + bytes([original[offset] ^ 0x41]) + original[offset + 1 :])
        damage = file_damage(closed)
        found += damage is not None
        assert damage is not None or list(read_history(closed, 0.0)) == expected
    assert found > len(original) / 5 / 3  # most pages are in use


@pytest.mark.parametrize("content", [None, b"", b"SQLite format 3\0", b"{}\n" * 3000, bytes(4096)])
def test_a_file_without_a_journals_header_is_none(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    assert header_damage(path) == file_damage(path) == "it is no journal, or its first page is lost"


@pytest.mark.parametrize(
    ("statement", "damage"),
    [
        ("PRAGMA application_id = 7", "it is no journal"),
        ("PRAGMA user_version = 2", "its schema is version 2, 1 is known here"),
        ("CREATE TABLE more (x)", "its schema is not what was made"),
        ("DROP TABLE notes", "its schema is not what was made"),
        ("UPDATE entries SET utc_s = utc_s + 1 WHERE ordinal = 3", "1 row is not what was written"),
        ("UPDATE entries SET proof = 0 WHERE ordinal < 5", "4 rows are not what was written"),
        ("UPDATE notes SET value = '18' WHERE key = 'paused_until'", "1 row is not what was written"),
        ("UPDATE owed SET place = -place WHERE place = 2", "1 row is not what was written"),
        ("UPDATE entries SET body = CAST(x'ff' AS TEXT) WHERE ordinal = 1", "Could not decode to UTF-8 column 'body'"),
    ],
)
def test_a_change_by_another_program_is_named(closed: Path, statement: str, damage: str) -> None:
    with editing(closed) as connection:
        connection.execute(statement)
    assert (file_damage(closed) or "").startswith(damage)


def test_a_connection_is_checked_with_what_it_has_not_committed(closed: Path) -> None:
    with editing(closed) as connection:
        assert connection_damage(connection) is None
        connection.execute("BEGIN")
        connection.execute("UPDATE entries SET seq = 9 WHERE ordinal = 1")
        assert connection_damage(connection) == "1 row is not what was written"
        connection.execute("ROLLBACK")
        assert connection_damage(connection) is None
