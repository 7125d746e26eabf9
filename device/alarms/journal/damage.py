"""Finds out whether a journal is sound: its header, its schema, SQLite's own check, and the checksum of each row."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from device.alarms.journal.disk_errors import is_damage
from device.alarms.journal.entries import (
    APPLICATION_ID,
    PAGE_BYTES,
    SCHEMA,
    SCHEMA_VERSION,
    parse_note,
    parse_place,
    parse_row,
)
from device.alarms.journal.reading import connect_read_only
from device.alarms.journal.sqlite_pages import raw_file
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def file_damage(path: Path) -> str | None:
    """What is wrong with the file at `path`, in one clause; None if it is sound.

    Raises:
        sqlite3.Error: the disk fails, so that damage can be neither found nor excluded.
    """
    reason = header_damage(path)
    if reason is not None:
        return reason
    try:
        with contextlib.closing(connect_read_only(path)) as connection:
            return connection_damage(connection)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and not is_damage(error):
            raise
        return str(error)


def header_damage(path: Path) -> str | None:
    """What is wrong with the file's first bytes; None if they are sound.

    Checked before SQLite opens the file, because SQLite deletes the log of an empty file.
    """
    with raw_file(path) as (read, _size):
        head = read(0, 20)
    sound = b"SQLite format 3\0" + PAGE_BYTES.to_bytes(2, "big") + b"\x02\x02"
    return None if head == sound else "it is no journal, or its first page is lost"


def connection_damage(connection: sqlite3.Connection) -> str | None:
    """What is wrong with an open journal, in one clause; None if each of its rows is as it was written.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    try:
        return _schema_damage(connection) or _content_damage(connection)
    except UnicodeDecodeError:
        return "what it holds is no text"


def _schema_damage(connection: sqlite3.Connection) -> str | None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        return "it is no journal"
    if version != SCHEMA_VERSION:
        return f"its schema is version {version}, {SCHEMA_VERSION} is known here"
    if tuple(_schema(connection)) != SCHEMA:
        return "its schema is not what was made"
    return None


def _content_damage(connection: sqlite3.Connection) -> str | None:
    checked = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if checked != "ok":
        return " ".join(str(checked).split())[:200]
    bad = sum(parse_row(values) is None for values in connection.execute("SELECT * FROM entries"))
    bad += sum(parse_note(values) is None for values in connection.execute("SELECT key, value, proof FROM notes"))
    bad += sum(parse_place(values) is None for values in connection.execute("SELECT place, proof FROM owed"))
    return f"{quantity(bad, 'row is', 'rows are')} not what was written" if bad else None


def _schema(connection: sqlite3.Connection) -> Iterator[str]:
    for (statement,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rootpage"):
        yield statement
