"""Salvages a damaged journal: a sound one is built from every row that can still be read.

The damaged file is only read, then set aside under a name with the time. The new one is built beside it and takes
its place at the end, so that a power cut at any moment leaves one or the other. A row is believed if its checksum
holds; pointers, page headers and the schema are not trusted.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from device.alarms.journal.entries import (
    APPLICATION_ID,
    PAGE_BYTES,
    SCHEMA,
    SCHEMA_VERSION,
    Row,
    parse_note,
    parse_place,
    parse_row,
    row_checksum,
)
from device.alarms.journal.files import (
    beside,
    damaged_file_name,
    make_empty,
    prune_damaged_files,
    sync_folder,
    uri_path,
)
from device.alarms.journal.sqlite_pages import Pages, WriteAheadLog, parse_wal, raw_file
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from device.alarms.journal.sqlite_pages import Frame, Record

_MAX_ORDINAL = 1 << 62


@dataclass(frozen=True, slots=True)
class Salvage:
    """The result of salvaging a damaged journal.

    Attributes:
        reason: what was damaged, in one clause.
        rows: entries that could be read and are kept.
        unreadable_rows: entries that are known to have existed and could not be read.
        set_aside: where the damaged file is now; None if it was removed.
    """

    reason: str
    rows: int
    unreadable_rows: int
    set_aside: Path | None

    def __str__(self) -> str:
        where = f"; the damaged file is kept as {self.set_aside.name}" if self.set_aside else ""
        return (
            f"the journal was damaged ({self.reason}): {quantity(self.rows, 'row was', 'rows were')} salvaged,"
            f" {self.unreadable_rows} could not be read{where}"
        )


@dataclass(slots=True)
class _Recovered:
    """What was read: ordinal -> row, key -> value of a note, and ordinals that an index or the table `owed` lists."""

    rows: dict[int, Row] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    listed: set[int] = field(default_factory=set)

    def add(self, records: Iterable[Record], *, committed: bool = True) -> None:
        """Add what is valid; a transaction that was cut off may list in `owed` rows that it never wrote."""
        for record in records:
            values = record.values
            if record.rowid is None:
                self._add_index_entry(values)
            elif (row := parse_row((record.rowid, *values[1:]))) is not None:
                self.rows[row.ordinal] = row
            elif (note := parse_note(values)) is not None:
                self.notes[note[0]] = note[1]
            elif committed and (place := parse_place((record.rowid, *values[1:]))) is not None:
                self.listed.add(abs(place))

    def _add_index_entry(self, values: tuple[object, ...]) -> None:
        match values:
            case [str(), int(), int(ordinal)] if 0 < ordinal < _MAX_ORDINAL:
                self.listed.add(ordinal)


def read_wal(path: Path) -> WriteAheadLog:
    """The write-ahead log of the journal at `path`."""
    with raw_file(beside(path, "-wal")) as (read, size):
        return parse_wal(read(0, size), PAGE_BYTES)


def uncommitted_rows(path: Path, wal: WriteAheadLog) -> list[Row]:
    """Whole rows of a transaction that was cut off before its commit: the changes that they describe did happen."""
    if not wal.beyond:
        return []
    found = _Recovered()
    with raw_file(path) as (read, size):
        found.add(_view(read, size, [*wal.committed, *wal.beyond]).newer_records())
    return [found.rows[ordinal] for ordinal in sorted(found.rows)]


def salvage(path: Path, reason: str, *, max_bytes: int, utc_s: float) -> Salvage:
    """Replace a damaged journal with a sound one that holds its readable rows.

    Raises:
        OSError: the disk refuses; the damaged journal is where it was.
        sqlite3.Error: the same.
    """
    found = _read(path)
    owed = _owed(path, found)
    create_database(beside(path, ".new"), found.rows.values(), owed, found.notes)
    aside = damaged_file_name(path, utc_s)
    _swap(path, aside)
    prune_damaged_files(path, max_bytes)
    return Salvage(reason, len(found.rows), len(found.listed - set(found.rows)), aside)


def create_database(path: Path, rows: Iterable[Row], owed: Iterable[int], notes: dict[str, str]) -> None:
    """Create a journal file with this content, safe on disk.

    Raises:
        OSError: it cannot be created here.
        sqlite3.Error: the same.
    """
    make_empty(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA synchronous = EXTRA")
        _fill(connection, rows, owed, notes)
        connection.execute("PRAGMA journal_mode = WAL")


def load_into_memory(path: Path) -> sqlite3.Connection:
    """What can be read of the journal at `path`, for a disk on which not even the index of its log can be written.

    Raises:
        OSError: it cannot be read.
    """
    found = _read(path)
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    _fill(connection, found.rows.values(), _owed(path, found), found.notes)
    return connection


def _fill(connection: sqlite3.Connection, rows: Iterable[Row], owed: Iterable[int], notes: dict[str, str]) -> None:
    connection.execute("BEGIN")
    for statement in SCHEMA:
        connection.execute(statement)
    in_order = sorted(rows, key=lambda row: row.ordinal)
    marks = "INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    connection.executemany(marks, (row.values for row in in_order))
    connection.executemany("INSERT INTO owed VALUES (?, ?)", ((place, row_checksum("owed", place)) for place in owed))
    kept = ((key, value, row_checksum("note", key, value)) for key, value in notes.items())
    connection.executemany("INSERT INTO notes VALUES (?, ?, ?)", kept)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def complete_swap(path: Path) -> None:
    """Finish a salvage that a power cut interrupted: move the new journal into place, or delete an incomplete one.

    Raises:
        OSError: the disk refuses.
    """
    fresh = beside(path, ".new")
    if not fresh.exists():
        return
    if path.exists():
        for leftover in (fresh, beside(fresh, "-wal"), beside(fresh, "-journal")):
            leftover.unlink(missing_ok=True)
        return
    aside = max(path.parent.glob(f"{path.name}.damaged-*Z*"), key=lambda file: file.name, default=None)
    _swap(path, aside)


def _swap(path: Path, aside: Path | None) -> None:
    """Move the damaged file, then its log, then the new one: so the log is never beside a file of another."""
    for suffix in ("", "-wal"):
        source = beside(path, suffix)
        if source.exists():
            source.rename(beside(aside or beside(path, ".damaged"), suffix))
    beside(path, "-shm").unlink(missing_ok=True)
    beside(path, ".new").rename(path)
    sync_folder(path)


def _read(path: Path) -> _Recovered:
    """Read the file alone, then with the log's committed transactions, then with everything in the log: newest last."""
    found = _Recovered()
    wal = read_wal(path)
    with raw_file(path) as (read, size):
        found.add(_view(read, size, ()).records())
        found.add(_view(read, size, wal.committed).records())
        found.add(_view(read, size, [*wal.committed, *wal.beyond]).records(), committed=False)
    return found


def _view(read: Callable[[int, int], bytes], size: int, frames: Iterable[Frame]) -> Pages:
    newer = {frame.number: frame.image for frame in frames}
    return Pages(read, count=-(-size // PAGE_BYTES), page_bytes=PAGE_BYTES, newer=newer)


def _owed(path: Path, found: _Recovered) -> list[int]:
    """Values of `owed.place`: from the table if it is sound, else every row from the newest row's `owed_from` on.

    Rows after the newest one that the table knows of are owed in any case: delivered twice is better than never.
    """
    rows = found.rows
    newest = max(rows, default=0)
    if not newest:
        return []
    listed, known_to = _listed_places(path)
    if listed is None:
        owed = {ordinal for ordinal in rows if ordinal >= rows[newest].owed_from}
    else:
        owed = {abs(place) for place in listed} | {ordinal for ordinal in rows if ordinal > known_to}
    return sorted(-ordinal if rows[ordinal].entry.urgent else ordinal for ordinal in owed & set(rows))


def _listed_places(path: Path) -> tuple[set[int] | None, int]:
    """What SQLite still reads of the table `owed`, and the last row that it covers; None, 0 if it cannot be trusted."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{uri_path(path)}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            if connection.execute("PRAGMA quick_check('owed')").fetchall() != [("ok",)]:
                return None, 0
            places = [parse_place(values) for values in connection.execute("SELECT place, proof FROM owed")]
            newest = connection.execute("SELECT ordinal FROM entries ORDER BY ordinal DESC LIMIT 1").fetchone()
    except (sqlite3.Error, UnicodeDecodeError):  # SQLite's message may quote damaged bytes
        return None, 0
    known_to = newest[0] if newest else 0
    if None in places or not isinstance(known_to, int):  # a damaged schema takes another column for the ordinal
        return None, 0
    return {place for place in places if place is not None}, known_to
