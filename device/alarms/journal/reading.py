"""Reads a journal that another process may be writing: its history, and what is still owed. Changes nothing."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, TypeVar

from device.alarms.journal.files import beside, check_is_file, uri_path
from device.alarms.journal.queries import NotAsWrittenError, history, newest_rows, notes_from, rows_after, rows_between
from device.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from device.alarms.journal.entries import Entry, Key, Row

Result = TypeVar("Result")

BUSY_S = 2.0
"""A writer never waits for readers under a write-ahead log; this timeout is for processes that open and recover it."""


def read_history(path: Path, since_utc_s: float) -> Iterator[Entry]:
    """All entries since then, oldest first, even while a daemon writes the journal.

    Raises:
        JournalError: there is no journal at `path`, or it cannot be read.
    """
    try:
        with contextlib.closing(connect_read_only(path)) as connection:
            yield from history(connection, since_utc_s)
    except (sqlite3.Error, NotAsWrittenError, UnicodeDecodeError) as error:
        raise JournalError(f"there is no journal at {path} that can be read ({error})") from error


def read_owed_keys(path: Path) -> frozenset[Key]:
    """Keys of the entries that are not delivered yet, even while a daemon writes the journal.

    Raises:
        JournalError: there is no journal at `path`, or it cannot be read.
    """
    query = "SELECT alarm_id, seq FROM entries WHERE ordinal IN (SELECT abs(place) FROM owed)"
    try:
        with contextlib.closing(connect_read_only(path)) as connection:
            return frozenset((alarm_id, seq) for alarm_id, seq in connection.execute(query))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise JournalError(f"there is no journal at {path} that can be read ({error})") from error


def read_rows_after(path: Path, ordinal: int, most: int) -> list[Row]:
    """The rows after an ordinal, oldest first, at most so many, even while a daemon writes the journal.

    Raises:
        JournalError: there is no journal at `path`, or it cannot be read.
    """
    return _read(path, lambda connection: rows_after(connection, ordinal, most))


def read_newest_rows(path: Path, most: int) -> list[Row]:
    """The newest rows, oldest first, at most so many, even while a daemon writes the journal.

    Raises:
        JournalError: there is no journal at `path`, or it cannot be read.
    """
    return _read(path, lambda connection: newest_rows(connection, most))


def read_rows_between(path: Path, from_utc_s: float, until_utc_s: float, most: int) -> list[Row]:
    """The rows of a stretch of time, oldest first, at most so many: the newest of them.

    Entries that a wrong clock has dated otherwise, but that were written in between, are among them.

    Raises:
        JournalError: there is no journal at `path`, or it cannot be read.
    """
    return _read(path, lambda connection: rows_between(connection, from_utc_s, until_utc_s, most))


def read_notes(path: Path, prefix: str) -> list[str]:
    """The facts that are kept under names with this prefix, even while a daemon writes the journal.

    Raises:
        JournalError: there is no journal at `path`, or it cannot be read.
    """
    return _read(path, lambda connection: notes_from(connection, prefix))


def _read(path: Path, query: Callable[[sqlite3.Connection], Result]) -> Result:
    try:
        with contextlib.closing(connect_read_only(path)) as connection:
            return query(connection)
    except (sqlite3.Error, NotAsWrittenError, UnicodeDecodeError) as error:
        raise JournalError(f"there is no journal at {path} that can be read ({error})") from error


def check_location(path: Path) -> None:
    """A journal is at `path`, or could be created there.

    Raises:
        JournalError: its folder is missing, or something that is no file is there.
    """
    if not path.parent.is_dir():
        raise JournalError(f"the folder of the journal {path} is missing; make it, or name another file")
    check_is_file(path)


def connect_read_only(path: Path) -> sqlite3.Connection:
    """A read-only connection to the journal at `path`, even if another process writes it.

    It also reads a journal in a read-only folder, if that was closed in order.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    log = beside(path, "-wal")
    is_at_rest = not (log.exists() and log.stat().st_size)
    problem: sqlite3.Error | None = None
    for mode in ("mode=ro", "mode=ro&immutable=1") if is_at_rest else ("mode=ro",):
        connection = sqlite3.connect(
            f"file:{uri_path(path)}?{mode}", uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("SELECT count(*) FROM owed")
        except (sqlite3.Error, UnicodeDecodeError) as error:  # SQLite's message may quote damaged bytes
            connection.close()
            problem = error if isinstance(error, sqlite3.Error) else sqlite3.DatabaseError("its schema is no text")
        else:
            return connection
    raise problem or sqlite3.OperationalError("unable to open it")
