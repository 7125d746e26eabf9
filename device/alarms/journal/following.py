"""Reads what a daemon adds to its journal, from another process: the rows after a mark. Changes nothing.

A mark names a row by its ordinal and its key, for a file may be replaced: a damaged one is salvaged, or set aside.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.alarms.journal.entries import Mark
from device.alarms.journal.files import beside
from device.alarms.journal.queries import (
    NotAsWrittenError,
    last_seqs,
    newest_ordinal,
    open_rows,
    readable_rows_after,
    row_at,
)
from device.alarms.journal.reading import connect_read_only
from device.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from device.alarms.journal.entries import Row

AT_ONCE = 200
"""Rows that are read in one transaction."""


@dataclass(frozen=True, slots=True)
class Following:
    """What comes after a mark.

    Attributes:
        rows: in arrival order, `AT_ONCE` at most; a damaged one is left out.
        mark: of the last row that was looked at; the given one if there is none.
        is_other_file: the given mark is not of this file, and the rows begin with its first.
    """

    rows: Sequence[Row]
    mark: Mark | None
    is_other_file: bool


@dataclass(frozen=True, slots=True)
class Present:
    """What a journal holds now.

    Attributes:
        open_rows: the newest row of each alarm that has not ended, in arrival order.
        last_seqs: alarm id -> seq of its newest row.
        mark: of the newest row; None if the journal is empty.
    """

    open_rows: Sequence[Row]
    last_seqs: Mapping[str, int]
    mark: Mark | None


def read_following(path: Path, mark: Mark | None) -> Following:
    """The rows after a mark; from the first one for None, or if the mark is of another file.

    Raises:
        JournalError: there is no journal at `path`, or it cannot be read.
    """
    with _snapshot(path) as connection:
        is_other = mark is not None and not _holds(connection, mark)
        begin = 0 if mark is None or is_other else mark.ordinal
        rows, last = readable_rows_after(connection, begin, AT_ONCE)
        return Following(rows, mark if last is None else Mark(*last), is_other)


def read_present(path: Path) -> Present:
    """The open alarms, and how far each alarm has come.

    Raises:
        JournalError: there is no journal at `path`, or it cannot be read.
    """
    with _snapshot(path) as connection:
        newest = row_at(connection, newest_ordinal(connection))
        mark = None if newest is None else Mark(newest.ordinal, newest.entry.alarm_id, newest.entry.seq)
        return Present(open_rows(connection), last_seqs(connection), mark)


def file_state(path: Path) -> tuple[tuple[int, int, int], ...]:
    """Changes whenever the journal or its log does: (inode, size, time of change in ns) of both, zeros for neither."""
    return tuple(_state(file) for file in (path, beside(path, "-wal")))


def _state(file: Path) -> tuple[int, int, int]:
    try:
        status = file.stat()
    except OSError:
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns


def _holds(connection: sqlite3.Connection, mark: Mark) -> bool:
    """Whether the mark's row is of this file; one that was pruned for want of room counts as held."""
    found = connection.execute("SELECT alarm_id, seq FROM entries WHERE ordinal = ?", (mark.ordinal,)).fetchone()
    if found is not None:
        return bool(tuple(found) == (mark.alarm_id, mark.seq))
    return newest_ordinal(connection) > mark.ordinal


@contextlib.contextmanager
def _snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with contextlib.closing(connect_read_only(path)) as connection:
            connection.execute("BEGIN")
            yield connection
    except (sqlite3.Error, NotAsWrittenError, UnicodeDecodeError) as error:
        raise JournalError(f"there is no journal at {path} that can be read ({error})") from error
