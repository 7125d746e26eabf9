"""A sound journal out of a damaged one: every row that can still be read, row by row.

The damaged file is only read, then set aside under a name with the time; the fresh one is built beside it and
takes its place at the end, so that a power cut at any moment leaves the one or the other. Rows prove themselves;
pointers, page headers and the schema are not believed.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from device.alarms.journal.entries import (
    APPLICATION_ID,
    SCHEMA,
    SCHEMA_VERSION,
    Row,
    note_of,
    place_of,
    proof_of,
    row_of,
)
from device.alarms.journal.files import beside, make_empty, name_aside, sync_folder, thin_aside
from device.alarms.journal.sqlite_pages import Log, Pages, raw_file, read_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from device.alarms.journal.sqlite_pages import Frame, Record

PAGE_BYTES = 512
"""The smallest: an entry then rewrites 2 kB of tables instead of 12, and at one alarm a minute that is what counts."""

_MOST_INTEGER = 1 << 62


@dataclass(frozen=True, slots=True)
class Salvage:
    """What became of a damaged journal.

    Attributes:
        reason: what was found, in one clause.
        rows: entries that could be read and are kept.
        unreadable_rows: entries that are known to have been there and could not be read.
        set_aside: where the damaged file lies now; None where it was removed.
    """

    reason: str
    rows: int
    unreadable_rows: int
    set_aside: Path | None

    def __str__(self) -> str:
        where = f"; the damaged file is kept as {self.set_aside.name}" if self.set_aside else ""
        return (
            f"the journal was damaged ({self.reason}): {self.rows} rows were salvaged,"
            f" {self.unreadable_rows} could not be read{where}"
        )


@dataclass(slots=True)
class _Found:
    """What was read: ordinal -> row, key -> note's value, and ordinals that an index says were there."""

    rows: dict[int, Row] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    witnessed: set[int] = field(default_factory=set)

    def take(self, records: Iterable[Record]) -> None:
        for record in records:
            values = record.values
            if record.rowid is None:
                self._take_index_entry(values)
            elif (row := row_of((record.rowid, *values[1:]))) is not None:
                self.rows[row.ordinal] = row
            elif (note := note_of(values)) is not None:
                self.notes[note[0]] = note[1]

    def _take_index_entry(self, values: tuple[object, ...]) -> None:
        match values:
            case [str(), int(), int(ordinal)] if 0 < ordinal < _MOST_INTEGER:
                self.witnessed.add(ordinal)


def log_of(path: Path) -> Log:
    """The write-ahead log of the journal at `path`."""
    with raw_file(beside(path, "-wal")) as (read, size):
        return read_log(read(0, size), PAGE_BYTES)


def uncommitted_rows(path: Path, log: Log) -> list[Row]:
    """Rows of a transaction that was cut off, as far as they are whole: what they tell of has happened."""
    if not log.beyond:
        return []
    found = _Found()
    with raw_file(path) as (read, size):
        found.take(_view(read, size, [*log.committed, *log.beyond]).newer_records())
    return [found.rows[ordinal] for ordinal in sorted(found.rows)]


def salvage(path: Path, reason: str, *, max_bytes: int, utc_s: float) -> Salvage:
    """Put a sound journal in the place of a damaged one.

    Raises:
        OSError: the disk refuses; the damaged one is where it was.
        sqlite3.Error: the same.
    """
    found = _read(path)
    owed = _owed(path, found)
    build(beside(path, ".new"), found.rows.values(), owed, found.notes)
    aside = name_aside(path, utc_s)
    _swap(path, aside)
    thin_aside(path, max_bytes)
    return Salvage(reason, len(found.rows), len(found.witnessed - set(found.rows)), aside)


def build(path: Path, rows: Iterable[Row], owed: Iterable[int], notes: dict[str, str]) -> None:
    """A new journal file that holds all that, safe on disk.

    Raises:
        OSError: it cannot be made here.
        sqlite3.Error: the same.
    """
    make_empty(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA synchronous = EXTRA")
        _fill(connection, rows, owed, notes)
        connection.execute("PRAGMA journal_mode = WAL")


def in_memory(path: Path) -> sqlite3.Connection:
    """What can be read of the journal at `path`, where nothing can be written: not even the index of its log.

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
    connection.executemany("INSERT INTO owed VALUES (?, ?)", ((place, proof_of("owed", place)) for place in owed))
    kept = ((key, value, proof_of("note", key, value)) for key, value in notes.items())
    connection.executemany("INSERT INTO notes VALUES (?, ?, ?)", kept)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def finish_swap(path: Path) -> None:
    """End what a power cut interrupted: put the fresh journal in its place, or remove one that was not complete.

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
    """The damaged file, then its log, then the fresh one: at no moment could the log be taken for another's."""
    for suffix in ("", "-wal"):
        source = beside(path, suffix)
        if source.exists():
            source.rename(beside(aside or beside(path, ".damaged"), suffix))
    beside(path, "-shm").unlink(missing_ok=True)
    beside(path, ".new").rename(path)
    sync_folder(path)


def _read(path: Path) -> _Found:
    """The file as it is, with the log's whole transactions, and with all that the log holds: the newest view last."""
    found = _Found()
    log = log_of(path)
    with raw_file(path) as (read, size):
        for frames in ([], log.committed, [*log.committed, *log.beyond]):
            found.take(_view(read, size, frames).records())
    return found


def _view(read: Callable[[int, int], bytes], size: int, frames: Iterable[Frame]) -> Pages:
    newer = {frame.number: frame.image for frame in frames}
    return Pages(read, count=-(-size // PAGE_BYTES), page_bytes=PAGE_BYTES, newer=newer)


def _owed(path: Path, found: _Found) -> list[int]:
    """Places of what is owed: as the list says if it is sound, else all since the newest row's oldest debt.

    What came after the list's own newest row is owed in any case: told twice is better than never.
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
    """What SQLite still reads of the list, None where that cannot be trusted; and up to which row it is complete."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quoted(path)}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            if connection.execute("PRAGMA quick_check('owed')").fetchall() != [("ok",)]:
                return None, 0
            places = [place_of(values) for values in connection.execute("SELECT place, proof FROM owed")]
            newest = connection.execute("SELECT ordinal FROM entries ORDER BY ordinal DESC LIMIT 1").fetchone()
    except (sqlite3.Error, UnicodeDecodeError):  # what SQLite complains of may itself be rubble
        return None, 0
    sound = {place for place in places if place is not None}
    return (sound, newest[0] if newest else 0) if len(sound) == len(places) else (None, 0)


def quoted(path: Path) -> str:
    """A path as it stands in a URI."""
    return quote(str(path.absolute()))


def head_damage(path: Path) -> str | None:
    """What is wrong with the file's first bytes; asked before SQLite, which throws away the log of an empty file."""
    with raw_file(path) as (read, _size):
        head = read(0, 20)
    sound = b"SQLite format 3\0" + PAGE_BYTES.to_bytes(2, "big") + b"\x02\x02"
    return None if head == sound else "it is no journal, or its first page is lost"


def damage_of(connection: sqlite3.Connection) -> str | None:
    """What is wrong with an open journal, in one clause; None where each of its rows is as it was written.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    try:
        return _damage_of(connection)
    except UnicodeDecodeError:
        return "what it holds is no text"


def _damage_of(connection: sqlite3.Connection) -> str | None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        return "it is no journal"
    if version != SCHEMA_VERSION:
        return f"its schema is version {version}, {SCHEMA_VERSION} is known here"
    if tuple(_schema(connection)) != SCHEMA:
        return "its schema is not what was made"
    checked = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if checked != "ok":
        return " ".join(str(checked).split())[:200]
    bad = sum(row_of(values) is None for values in connection.execute("SELECT * FROM entries"))
    bad += sum(note_of(values) is None for values in connection.execute("SELECT key, value, proof FROM notes"))
    bad += sum(place_of(values) is None for values in connection.execute("SELECT place, proof FROM owed"))
    return f"{bad} rows are not what was written" if bad else None


def _schema(connection: sqlite3.Connection) -> Iterator[str]:
    for (statement,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rootpage"):
        yield statement
