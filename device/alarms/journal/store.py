"""The journal itself: one SQLite file that survives kill -9, power cuts, full disks and its own damage.

Write-ahead log with synchronous=FULL: one fsync a commit, after which nothing takes the entry away. Measured
against a rollback journal it writes a third as much. Pages of 512 bytes, because each commit rewrites every page
that it touches whole. No auto_vacuum: pages that the oldest entries leave are used again, so the file stays at
its bound, and moving pages would only wear the card.

Any call may raise `JournalError`; nothing that was committed is lost by that, and the next call tries anew.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import time
from functools import partial
from typing import TYPE_CHECKING

from device.alarms.journal.entries import Entry, Key, Row, row_of
from device.alarms.journal.files import (
    BALLAST_BYTES,
    Lock,
    beside,
    check_is_file,
    drop_ballast,
    lay_ballast,
    sync_folder,
)
from device.alarms.journal.queries import (
    UNTOLD_RANK,
    VICTIMS,
    NotAsWrittenError,
    delete_oldest,
    history,
    insert_row,
    oldest_owed,
    open_rows,
    owed_groups,
    pages_used,
    pragma,
    read_note,
    row_at,
    settle,
    transact,
    write_note,
)
from device.alarms.journal.salvage import (
    PAGE_BYTES,
    Salvage,
    build,
    damage_of,
    finish_swap,
    head_damage,
    in_memory,
    log_of,
    quoted,
    salvage,
    uncommitted_rows,
)
from device.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import Self

BUSY_S = 2.0
"""Readers never keep a writer waiting under a write-ahead log; this is for those who open and recover it."""

LOG_BYTES = 256 * 1024
"""From this size on the log is written back: often enough to stay small, rarely enough to spare the card."""

_LOG_ROOM_BYTES = 3 * LOG_BYTES
_FULL_BYTES = 64 * 1024
_CHUNK = 50  # entries a commit: bounds the log
_SHED = "undelivered_shed"

_DENIED = {errno.EROFS, errno.EACCES, errno.EPERM}


class Journal:
    """A durable record of entries and of which of them are owed; a context manager.

    For one thread at a time. Where the disk is full or read-only, what was kept is read and owed as ever, and
    `append` raises until it can be written again.

    Args:
        path: of the file; its folder must be there. Beside it lie its log, its lock and a reserve of 512 KiB.
        max_bytes: of all these together.
        utc: the time of day, for the name of a damaged file.

    Raises:
        JournalError: it can be neither read nor written.
    """

    def __init__(self, path: Path, *, max_bytes: int, utc: Callable[[], float] = time.time) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._utc = utc
        self._lock: Lock | None = None
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._salvage: Salvage | None = None
        self._refusal: str | None = None
        self._is_verified = False
        self._disk_is_full = False
        try:
            self._connected()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Journal({str(self.path)!r}, {'closed' if self._connection is None else 'open'})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @classmethod
    def open(cls, path: Path, *, max_bytes: int) -> Journal:
        """The journal at `path`, made where there is none, salvaged where it is damaged.

        Raises:
            JournalError: it can be neither read nor written, or another process keeps it.
        """
        return cls(path, max_bytes=max_bytes)

    @property
    def salvage(self) -> Salvage | None:
        """What became of a damaged file since this was opened; None where it was sound."""
        return self._salvage

    @property
    def refusal(self) -> str | None:
        """Why nothing can be appended, as far as is known; None where nothing speaks against it."""
        return self._refusal

    @property
    def shed(self) -> int:
        """Entries that had to go untold for want of room, since the journal began."""
        return int(self.note(_SHED) or 0)

    def close(self) -> None:
        """Let the file go; idempotent, and any later call opens it again."""
        self._disconnect()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # --- writing

    def append(self, entries: Sequence[Entry], *, delivered: Collection[Key] = ()) -> None:
        """Commit entries; once it returns, no power cut takes them away. What is known already is left alone.

        Args:
            entries: in the order of their coming.
            delivered: what was told meanwhile, marked in the same commit to spare the card.

        Raises:
            JournalError: they are not kept, or not all; to append them all again is right.
        """
        told = set(delivered)
        for first in range(0, len(entries), _CHUNK):
            chunk = entries[first : first + _CHUNK]
            self._write(
                partial(self._insert, chunk, told.intersection(entry.key for entry in chunk) if first else told)
            )
        if told and not entries:
            self.delivered(told)

    def delivered(self, keys: Collection[Key]) -> None:
        """These are owed no more; keys that are not known mean nothing.

        Raises:
            JournalError: they are owed still.
        """
        self._write(partial(settle, keys))

    def set_note(self, key: str, value: str) -> None:
        """Keep a small fact under a name.

        Raises:
            JournalError: it is not kept.
        """
        self._write(partial(write_note, key, value))

    # --- reading

    def owed(self, limit: int, skip: Collection[Key] = (), *, first: Iterable[str] = ()) -> list[Entry]:
        """What is to be told next, in order within each alarm.

        Args:
            limit: entries at most.
            skip: what is on its way already.
            first: alarms that come before all others. Then come urgent entries, newest first, since what cries now
                matters most, each after what is owed of its alarm before it; then the others, oldest first.

        Raises:
            JournalError: it cannot be read.
        """
        with self._reading() as connection:
            chosen: dict[int, None] = {}
            for ordinals in owed_groups(connection, first):
                chosen.update((ordinal, None) for ordinal, key in ordinals if key not in skip)
                if len(chosen) >= limit:
                    break
            return [row_at(connection, ordinal).entry for ordinal in list(chosen)[:limit]]

    def owed_count(self) -> int:
        """How many entries nobody has been told of.

        Raises:
            JournalError: it cannot be read.
        """
        with self._reading() as connection:
            return int(connection.execute("SELECT count(*) FROM owed").fetchone()[0])

    def open_alarms(self) -> list[tuple[str, int]]:
        """(alarm JSON, last seq) of each alarm that has not ended, as it was last, in the order of their coming.

        Raises:
            JournalError: it cannot be read.
        """
        with self._reading() as connection:
            return [(row.entry.alarm, row.entry.seq) for row in open_rows(connection)]

    def note(self, key: str) -> str | None:
        """A fact that was kept under that name; None where there is none.

        Raises:
            JournalError: it cannot be read.
        """
        with self._reading() as connection:
            return read_note(connection, key)

    def history(self, since_utc_s: float) -> Iterator[Entry]:
        """All that happened since, in the order of its coming; holds nothing up while it is read.

        Raises:
            JournalError: it cannot be read.
        """
        with self._reading() as connection:
            yield from history(connection, since_utc_s)

    # --- a transaction

    def _write(self, act: Callable[[sqlite3.Connection], None]) -> None:
        self._regain_space()
        if self._refusal is not None:
            self._disconnect()  # so that it is tried anew
        with self._reading() as opened:
            if self._refusal is not None:
                raise JournalError(self._refusal)
            connection = self._at_home(opened)
            try:
                transact(connection, act)
            except (sqlite3.Error, OSError) as error:
                if not (_is_full(self.path, error) and drop_ballast(self.path)):
                    raise
                self._disk_is_full = True
                transact(connection, act)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """The connection; after whatever goes wrong with it, the next call opens anew."""
        try:
            yield self._connected()
        except JournalError:
            raise
        except (sqlite3.Error, OSError, NotAsWrittenError, UnicodeDecodeError) as error:
            self._is_verified = self._is_verified and _is_full(self.path, error)
            self._disk_is_full = self._disk_is_full or _is_full(self.path, error)
            self._disconnect()
            raise JournalError(_sentence(self.path, error)) from error

    def _insert(self, entries: Sequence[Entry], delivered: Collection[Key], connection: sqlite3.Connection) -> None:
        settle(delivered, connection)
        known = "SELECT 1 FROM entries WHERE alarm_id = ? AND seq = ?"
        fresh: dict[Key, Entry] = {}
        for entry in entries:
            if connection.execute(known, entry.key).fetchone() is None:
                fresh.setdefault(entry.key, entry)
        if not fresh:
            return
        self._make_room(connection, sum(_bytes_of(entry) for entry in fresh.values()))
        ordinal = connection.execute("SELECT coalesce(max(ordinal), 0) FROM entries").fetchone()[0]
        owed_from = oldest_owed(connection) or ordinal + 1
        for ordinal, entry in enumerate(fresh.values(), start=ordinal + 1):  # noqa: B020 - goes on from where it was
            insert_row(connection, Row(ordinal, entry, entry.ended, owed_from))
        settle([key for key in fresh if key in delivered], connection)  # told from memory before it could be kept

    def _make_room(self, connection: sqlite3.Connection, wanted_bytes: int) -> None:
        """What is told goes before what is not; a full disk is no reason to let go of what is untold."""
        limit = self._pages_at_most(connection) - (wanted_bytes // (PAGE_BYTES - 64) + 16)
        for rank, victims in enumerate(VICTIMS[:UNTOLD_RANK] if self._disk_is_full else VICTIMS):
            while pages_used(connection) > limit:
                gone = delete_oldest(connection, victims)
                if not gone:
                    break
                if rank >= UNTOLD_RANK:
                    write_note(_SHED, str(int(read_note(connection, _SHED) or 0) + gone), connection)

    def _pages_at_most(self, connection: sqlite3.Connection) -> int:
        """On a full disk the file must not grow."""
        room = max(0, self._max_bytes - BALLAST_BYTES - _LOG_ROOM_BYTES) // PAGE_BYTES
        return min(room, pragma(connection, "page_count")) if self._disk_is_full else room

    def _regain_space(self) -> None:
        """Lay the reserve again where the disk has room for several."""
        if not self._disk_is_full:
            return
        with contextlib.suppress(OSError):
            if _free_bytes(self.path) > 4 * BALLAST_BYTES:
                self._disk_is_full = not lay_ballast(self.path)

    # --- opening

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            check_place(self.path)
            try:
                self._connection = self._opened_with_ballast()
                self._refusal = None
            except (sqlite3.Error, OSError) as error:
                if isinstance(error, JournalError):
                    raise
                self._refusal = _sentence(self.path, error)
                self._connection = self._opened_for_reading(error)
        return self._connection

    def _opened_with_ballast(self) -> sqlite3.Connection:
        """As `_opened`; on a full disk the reserve is given up for it."""
        try:
            return self._opened()
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, JournalError) or not drop_ballast(self.path):
                raise
            self._disk_is_full = True
            return self._opened()

    def _opened(self) -> sqlite3.Connection:
        """The file, sound and writable, whatever it was before.

        Raises:
            JournalError: another process keeps it.
            OSError: the disk refuses.
            sqlite3.Error: the same.
        """
        if self._lock is None:
            self._lock = Lock(self.path)
        finish_swap(self.path)
        self._make_where_missing()
        log = log_of(self.path)
        reason = "its log is" if log.is_damaged else None
        half_done = [] if log.is_damaged else uncommitted_rows(self.path, log)
        if reason is None and not self._is_verified:
            reason = _damage_at(self.path)
        if reason is not None:
            self._salvage = salvage(self.path, reason, max_bytes=self._max_bytes, utc_s=self._utc())
        connection = _connect(self.path)
        try:
            self._settle_in(connection, [row.entry for row in half_done])
        except BaseException:
            connection.close()
            raise
        self._is_verified = True
        return connection

    def _settle_in(self, connection: sqlite3.Connection, half_done: Sequence[Entry]) -> None:
        """Make sure that it can be written, within its bounds."""
        self._inode = self.path.stat().st_ino
        if not self._disk_is_full:
            self._disk_is_full = not lay_ballast(self.path)
        transact(connection, lambda connection: write_note("opened", f"{self._utc():.0f}", connection))
        if half_done:
            transact(connection, partial(self._insert, half_done, ()))
        if not self._disk_is_full and pragma(connection, "page_count") > self._pages_at_most(connection):
            transact(connection, lambda connection: self._make_room(connection, 0))
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _make_where_missing(self) -> None:
        log = beside(self.path, "-wal")
        if self.path.exists():
            return
        if log.exists() and log.stat().st_size:
            self._salvage = salvage(
                self.path, "its file is gone, its log is not", max_bytes=self._max_bytes, utc_s=self._utc()
            )
            return
        self._put_in_place((), (), {})

    def _put_in_place(self, rows: Iterable[Row], owed: Iterable[int], notes: dict[str, str]) -> None:
        first = beside(self.path, ".first")
        build(first, rows, owed, notes)
        for suffix in ("-wal", "-shm"):
            beside(self.path, suffix).unlink(missing_ok=True)
        first.rename(self.path)
        sync_folder(self.path)

    def _opened_for_reading(self, error: Exception) -> sqlite3.Connection:
        """What was kept is owed even where nothing can be added to it.

        Raises:
            JournalError: there is nothing that could be read.
        """
        with contextlib.suppress(sqlite3.Error):
            connection = connect_reading(self.path)
            if damage_of(connection) is None and not log_of(self.path).beyond:
                return connection
            connection.close()
        try:
            self.path.stat()
            return in_memory(self.path)
        except (sqlite3.Error, OSError):
            self.close()
            raise JournalError(_sentence(self.path, error)) from error

    def _at_home(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """Where somebody removed the file under us, what it held is written to a new one."""
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_ino == self._inode:
                return connection
        rows = [row for values in connection.execute("SELECT * FROM entries") if (row := row_of(values))]
        owed = [place for (place,) in connection.execute("SELECT place FROM owed ORDER BY place")]
        notes = dict(connection.execute("SELECT key, value FROM notes"))
        self._put_in_place(rows, owed, notes)
        self._disconnect()
        self._salvage = Salvage("its file was removed while it was in use", len(rows), 0, None)
        return self._connected()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def look(path: Path, since_utc_s: float) -> Iterator[Entry]:
    """All that happened since, also while a daemon keeps the journal: what `auricle history` shows.

    Raises:
        JournalError: there is no journal there, or it cannot be read.
    """
    try:
        with contextlib.closing(connect_reading(path)) as connection:
            yield from history(connection, since_utc_s)
    except (sqlite3.Error, NotAsWrittenError, UnicodeDecodeError) as error:
        raise JournalError(f"there is no journal at {path} that can be read ({error})") from error


def look_owed(path: Path) -> frozenset[Key]:
    """What nobody was told of yet, also while a daemon keeps the journal.

    Raises:
        JournalError: there is no journal there, or it cannot be read.
    """
    query = "SELECT alarm_id, seq FROM entries WHERE ordinal IN (SELECT abs(place) FROM owed)"
    try:
        with contextlib.closing(connect_reading(path)) as connection:
            return frozenset((alarm_id, seq) for alarm_id, seq in connection.execute(query))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise JournalError(f"there is no journal at {path} that can be read ({error})") from error


def check_place(path: Path) -> None:
    """A journal could be at `path`.

    Raises:
        JournalError: its folder is missing, or something else is there.
    """
    if not path.parent.is_dir():
        raise JournalError(f"the folder of the journal {path} is missing; make it, or name another file")
    check_is_file(path)


def connect_reading(path: Path) -> sqlite3.Connection:
    """The journal at `path`, whoever keeps it; where its folder is read-only and it was closed in order, likewise.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    log = beside(path, "-wal")
    is_at_rest = not (log.exists() and log.stat().st_size)
    problem: sqlite3.Error | None = None
    for mode in ("mode=ro", "mode=ro&immutable=1") if is_at_rest else ("mode=ro",):
        connection = sqlite3.connect(
            f"file:{quoted(path)}?{mode}", uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("SELECT count(*) FROM owed")
        except (sqlite3.Error, UnicodeDecodeError) as error:  # what it complains of may itself be rubble
            connection.close()
            problem = error if isinstance(error, sqlite3.Error) else sqlite3.DatabaseError("its schema is no text")
        else:
            return connection
    raise problem or sqlite3.OperationalError("unable to open it")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quoted(path)}?mode=rw", uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        for setting in (
            "synchronous = FULL",
            f"wal_autocheckpoint = {LOG_BYTES // PAGE_BYTES}",
            f"journal_size_limit = {2 * LOG_BYTES}",
            "secure_delete = OFF",
            "trusted_schema = OFF",
            "cell_size_check = ON",
            "cache_size = -512",
        ):
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _damage_at(path: Path) -> str | None:
    """What is wrong with the file at `path`, in one clause; None where it is sound.

    Raises:
        sqlite3.Error: it cannot be told, since the disk refuses.
    """
    reason = head_damage(path)
    if reason is not None:
        return reason
    try:
        with contextlib.closing(connect_reading(path)) as connection:
            return damage_of(connection)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and not _is_damage(error):
            raise
        return str(error)


def _is_damage(error: sqlite3.Error) -> bool:
    """A disk that refuses says so by its own codes; all others come of a file that makes no sense."""
    refused = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_BUSY", "SQLITE_PERM")
    return not getattr(error, "sqlite_errorname", "").startswith(refused)


def _bytes_of(entry: Entry) -> int:
    return len(entry.alarm.encode()) + len(entry.body.encode()) + 2 * len(entry.alarm_id) + 128


def _is_full(path: Path, error: Exception) -> bool:
    """Whether that came of a full disk; where SQLite cannot make the index of its log, it says only that IO failed."""
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", "")
        return name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and _free_bytes(path) < _FULL_BYTES)
    return isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}


def _free_bytes(path: Path) -> int:
    room = os.statvfs(path.parent)
    return room.f_bavail * room.f_frsize


def _sentence(path: Path, error: Exception) -> str:
    name = getattr(error, "sqlite_errorname", "")
    number = error.errno if isinstance(error, OSError) else None
    if _is_full(path, error):
        return f"the disk of the journal {path} is full; what was kept is safe, free some space"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")) or number in _DENIED:
        return f"the journal {path} cannot be written ({error}); what was kept is safe, make its folder writable"
    if isinstance(error, NotAsWrittenError | UnicodeDecodeError) or (
        isinstance(error, sqlite3.Error) and _is_damage(error)
    ):
        return f"the journal {path} is damaged ({error}); what can be read is salvaged when it is next opened"
    return f"the disk of the journal {path} fails ({error}); what was kept is safe as far as the disk is, check it"
