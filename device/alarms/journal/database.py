"""The journal's SQLite file and the connection to it: opened, verified, salvaged if damaged, reopened after a failure.

Write-ahead log with synchronous=FULL: one fsync a commit, after which nothing takes the entry away. Measured
against a rollback journal it writes a third as much. Pages of 512 bytes, because each commit rewrites every page
that it touches whole. No auto_vacuum: pages that the oldest entries leave are used again, so the file stays at
its bound, and moving pages would only wear the card. Knows nothing of alarms: see `store`.
"""

from __future__ import annotations

import contextlib
import sqlite3
from functools import partial
from typing import TYPE_CHECKING

from device.alarms.journal.damage import connection_damage, file_damage
from device.alarms.journal.disk_errors import error_sentence, is_disk_full
from device.alarms.journal.entries import PAGE_BYTES, parse_row
from device.alarms.journal.files import Lock, beside, sync_folder, uri_path
from device.alarms.journal.queries import NotAsWrittenError, insert_entries, transact, write_note
from device.alarms.journal.reading import BUSY_S, check_location, connect_read_only
from device.alarms.journal.salvage import (
    Salvage,
    complete_swap,
    create_database,
    load_into_memory,
    read_wal,
    salvage,
    uncommitted_rows,
)
from device.alarms.journal.space import LOG_BYTES
from device.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from device.alarms.journal.entries import Entry, Row
    from device.alarms.journal.queries import Result
    from device.alarms.journal.space import JournalSpace


class Database:
    """One SQLite file for one thread at a time; opened by the first call that needs it.

    Args:
        path: of the file.
        space: its size limit and reserve.
        utc: the time of day, for the name of a damaged file.

    Attributes:
        salvage: the result of salvaging a damaged file since this was created; None if it was sound.
        refusal: why nothing can be written, as far as is known; None if nothing is known to prevent it.
    """

    def __init__(self, path: Path, space: JournalSpace, utc: Callable[[], float]) -> None:
        self.path = path
        self.salvage: Salvage | None = None
        self.refusal: str | None = None
        self._space = space
        self._utc = utc
        self._lock: Lock | None = None
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._is_verified = False

    def __repr__(self) -> str:
        return f"Database({str(self.path)!r}, {'open' if self.is_open else 'closed'})"

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    def close(self) -> None:
        """Close the file and release its lock; idempotent, and any later call opens it again."""
        self._disconnect()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def connection(self) -> sqlite3.Connection:
        """The connection, opened if necessary; for reading only if nothing can be written (see `refusal`).

        Raises:
            JournalError: the file can be neither read nor written.
        """
        if self._connection is None:
            check_location(self.path)
            try:
                self._connection = self._open_or_release_reserve()
                self.refusal = None
            except (sqlite3.Error, OSError) as error:
                if isinstance(error, JournalError):
                    raise
                self.refusal = error_sentence(self.path, error)
                self._connection = self._open_for_reading(error)
        return self._connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection; after any failure of the block it is closed, so that the next call opens the file anew.

        Raises:
            JournalError: the file cannot be opened, or the block failed.
        """
        try:
            yield self.connection()
        except JournalError:
            raise
        except (sqlite3.Error, OSError, NotAsWrittenError, UnicodeDecodeError) as error:
            is_full = is_disk_full(self.path, error)
            self._is_verified = self._is_verified and is_full
            self._space.disk_is_full = self._space.disk_is_full or is_full
            self._disconnect()
            raise JournalError(error_sentence(self.path, error)) from error

    def write(self, act: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `act` in a transaction that is safe on disk once this returns; on a full disk the reserve is spent on it.

        Raises:
            JournalError: nothing was written.
        """
        self._space.restore_reserve()
        if self.refusal is not None:
            self._disconnect()  # so that opening for writing is tried again
        with self.reading() as opened:
            if self.refusal is not None:
                raise JournalError(self.refusal)
            connection = self._recreated_if_removed(opened)
            try:
                return transact(connection, act)
            except (sqlite3.Error, OSError) as error:
                if not (is_disk_full(self.path, error) and self._space.release_reserve()):
                    raise
                return transact(connection, act)

    # --- opening

    def _open_or_release_reserve(self) -> sqlite3.Connection:
        try:
            return self._open()
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, JournalError) or not self._space.release_reserve():
                raise
            return self._open()

    def _open(self) -> sqlite3.Connection:
        """A connection to a sound and writable file, salvaged first if it was damaged.

        Raises:
            JournalError: another process writes it.
            OSError: the disk refuses.
            sqlite3.Error: the same.
        """
        if self._lock is None:
            self._lock = Lock(self.path)
        complete_swap(self.path)
        self._create_if_missing()
        uncommitted = self._verify()
        connection = _connect(self.path)
        try:
            self._prepare(connection, [row.entry for row in uncommitted])
        except BaseException:
            connection.close()
            raise
        self._is_verified = True
        return connection

    def _verify(self) -> list[Row]:
        """Salvage the file if it is damaged; rows of a transaction that a crash cut off."""
        wal = read_wal(self.path)
        reason = "its log is" if wal.is_damaged else None
        uncommitted = [] if wal.is_damaged else uncommitted_rows(self.path, wal)
        if reason is None and not self._is_verified:
            reason = file_damage(self.path)
        if reason is not None:
            self._salvage_file(reason)
        return uncommitted

    def _prepare(self, connection: sqlite3.Connection, uncommitted: Sequence[Entry]) -> None:
        """Make sure that the file can be written and is within its limit."""
        self._inode = self.path.stat().st_ino
        self._space.claim_reserve()
        transact(connection, partial(write_note, "opened", f"{self._utc():.0f}"))
        if uncommitted:
            transact(connection, partial(insert_entries, uncommitted, (), self._space.prune))
        if self._space.is_exceeded(connection):
            transact(connection, lambda connection: self._space.prune(connection, 0))
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _create_if_missing(self) -> None:
        wal = beside(self.path, "-wal")
        if self.path.exists():
            return
        if wal.exists() and wal.stat().st_size:
            self._salvage_file("its file is gone, its log is not")
            return
        self._replace_file((), (), {})

    def _salvage_file(self, reason: str) -> None:
        self.salvage = salvage(self.path, reason, max_bytes=self._space.max_bytes, utc_s=self._utc())

    def _replace_file(self, rows: Iterable[Row], owed: Iterable[int], notes: dict[str, str]) -> None:
        first = beside(self.path, ".first")
        create_database(first, rows, owed, notes)
        for suffix in ("-wal", "-shm"):
            beside(self.path, suffix).unlink(missing_ok=True)
        first.rename(self.path)
        sync_folder(self.path)

    def _open_for_reading(self, error: Exception) -> sqlite3.Connection:
        """What was kept, even though nothing can be added to it.

        Raises:
            JournalError: nothing can be read.
        """
        with contextlib.suppress(sqlite3.Error):
            connection = connect_read_only(self.path)
            if connection_damage(connection) is None and not read_wal(self.path).beyond:
                return connection
            connection.close()
        try:
            self.path.stat()
            return load_into_memory(self.path)
        except (sqlite3.Error, OSError):
            self.close()
            raise JournalError(error_sentence(self.path, error)) from error

    def _recreated_if_removed(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """The connection; if the file was removed while it was in use, its content is written to a new one first."""
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_ino == self._inode:
                return connection
        rows = [row for values in connection.execute("SELECT * FROM entries") if (row := parse_row(values))]
        owed = [place for (place,) in connection.execute("SELECT place FROM owed ORDER BY place")]
        notes = dict(connection.execute("SELECT key, value FROM notes"))
        self._replace_file(rows, owed, notes)
        self._disconnect()
        self.salvage = Salvage("its file was removed while it was in use", len(rows), 0, None)
        return self.connection()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{uri_path(path)}?mode=rw", uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
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
