"""What push owes and has sent, durable in a small SQLite file beside the journal. One process has it at a time.

A change of the ledger is one commit: the mark in the journal and what is owed from it are never apart. So a process
that is killed at any moment loses nothing, and repeats at most what a service had accepted and this file did not know.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import sqlite3
from typing import TYPE_CHECKING, Any, Self

from device.alarms.journal.entries import Mark
from device.errors import ServiceError
from device.printable import printable
from device.push.owed.alarm_change import body_of, parse_body
from device.push.owed.ledger_content import LedgerContent, OwedChange, OwedKey, Told, ToldKey

if TYPE_CHECKING:
    from pathlib import Path

    from device.push.owed.ledger_content import LedgerUpdate

_APPLICATION_ID = 0x41757270  # "Aurp"
_MODE = 0o600
_MARK, _RULES, _KEY = "mark", "rules", "acknowledge_key"
_SCHEMA = (
    (
        "CREATE TABLE IF NOT EXISTS owed (rule TEXT NOT NULL, alarm_id TEXT NOT NULL, seq INTEGER NOT NULL,"
        " utc_s REAL NOT NULL, due_utc_s REAL NOT NULL, is_delayed INTEGER NOT NULL, body TEXT NOT NULL,"
        " UNIQUE (rule, alarm_id, seq))"
    ),
    (
        "CREATE TABLE IF NOT EXISTS told (rule TEXT NOT NULL, alarm_id TEXT NOT NULL, opened_seq INTEGER NOT NULL,"
        " receipt TEXT NOT NULL, is_waiting INTEGER NOT NULL, UNIQUE (rule, alarm_id))"
    ),
    "CREATE TABLE IF NOT EXISTS handled (alarm_id TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS notes (key TEXT NOT NULL UNIQUE, value TEXT NOT NULL)",
)


class ReceiptStore:
    """The file; a context manager.

    Args:
        path: of the file; its folder must exist. A damaged one is set aside as `.damaged`, and a new one begun.

    Attributes:
        problem: why the last save failed; empty if it succeeded.
        was_damaged: a damaged file was set aside.

    Raises:
        ServiceError: another process has it, or it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problem = ""
        self.was_damaged = False
        with contextlib.ExitStack() as opened:
            opened.callback(os.close, _lock(path))
            self._connection = self._opened_or_new()
            opened.callback(self._connection.close)
            self._closing = opened.pop_all()

    def __repr__(self) -> str:
        return f"ReceiptStore({str(self._path)!r}, {self.problem or 'kept'})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; idempotent."""
        self._closing.close()

    # --- the ledger

    def load(self) -> LedgerContent:
        """What was kept; a row that cannot be understood is left out."""
        rules = self.note(_RULES)
        return LedgerContent(
            mark=_parsed_mark(self.note(_MARK)),
            owed=dict(self._owed()),
            told={
                ToldKey(rule, alarm_id): Told(opened_seq, receipt, is_waiting=bool(is_waiting))
                for rule, alarm_id, opened_seq, receipt, is_waiting in self._rows(
                    "SELECT rule, alarm_id, opened_seq, receipt, is_waiting FROM told ORDER BY rowid"
                )
            },
            handled=dict(self._rows("SELECT alarm_id, seq FROM handled ORDER BY rowid")),
            rules=frozenset(json.loads(rules)) if rules else frozenset(),
        )

    def save(self, update: LedgerUpdate) -> bool:
        """Whether all of an update is on disk now; otherwise nothing of it is, and `problem` says why."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._write(update)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            self.problem = f"{printable(str(self._path))} cannot be written ({error})"
            return False
        self.problem = ""
        return True

    def _write(self, update: LedgerUpdate) -> None:
        write = self._connection.execute
        for key, owed in update.owed.items():
            write("DELETE FROM owed WHERE rule = ? AND alarm_id = ? AND seq = ?", key)
            if owed is not None:
                values = (owed.change.utc_s, owed.due_utc_s, int(owed.is_delayed), body_of(owed.change))
                write("INSERT INTO owed VALUES (?, ?, ?, ?, ?, ?, ?)", (*key, *values))
        for of_alarm, told in update.told.items():
            write("DELETE FROM told WHERE rule = ? AND alarm_id = ?", of_alarm)
            if told is not None:
                values_told = (told.opened_seq, told.receipt, int(told.is_waiting))
                write("INSERT INTO told VALUES (?, ?, ?, ?, ?)", (*of_alarm, *values_told))
        for alarm_id, seq in update.handled.items():
            write("DELETE FROM handled WHERE alarm_id = ?", (alarm_id,))
            if seq is not None:
                write("INSERT INTO handled VALUES (?, ?)", (alarm_id, seq))
        self._put(_MARK, json.dumps(update.mark))
        self._put(_RULES, json.dumps(sorted(update.rules)))

    def _owed(self) -> list[tuple[OwedKey, OwedChange]]:
        found = []
        query = "SELECT rule, alarm_id, seq, utc_s, due_utc_s, is_delayed, body FROM owed ORDER BY rowid"
        for rule, alarm_id, seq, utc_s, due_utc_s, is_delayed, body in self._rows(query):
            change = parse_body(body, utc_s)
            if change is not None:
                owed = OwedChange(change, due_utc_s, None, is_delayed=bool(is_delayed))
                found.append((OwedKey(rule, alarm_id, seq), owed))
        return found

    # --- notes

    def note(self, key: str) -> str:
        """What was kept under a name; empty if nothing was."""
        found = self._connection.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
        return "" if found is None else str(found[0])

    def set_note(self, key: str, value: str) -> None:
        """Keep a small fact; one that cannot be kept now is lost with this process."""
        with contextlib.suppress(sqlite3.Error):
            self._put(key, value)

    def acknowledge_key(self) -> bytes:
        """A secret that proves that an acknowledgement answers a message of ours; made once."""
        known = self.note(_KEY)
        if known:
            return bytes.fromhex(known)
        key = secrets.token_bytes(16)
        self.set_note(_KEY, key.hex())
        return key

    def _put(self, key: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, value))

    # --- the file

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(query))

    def _opened_or_new(self) -> sqlite3.Connection:
        try:
            return self._opened()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and not self._path.exists():
                raise ServiceError(f"{printable(str(self._path))} cannot be made ({error})") from None
        self.was_damaged = True
        try:
            self._path.replace(self._path.with_name(f"{self._path.name}.damaged"))
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            return self._opened()
        except (sqlite3.Error, OSError) as error:
            raise ServiceError(f"{printable(str(self._path))} cannot be made ({error})") from None

    def _opened(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE))
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            _check(connection)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            for statement in _SCHEMA:
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection


def _check(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError("its pages contradict each other")


def _lock(path: Path) -> int:
    """The descriptor of a lock file; the kernel releases the lock with the process."""
    beside = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    except OSError as error:
        raise ServiceError(f"{printable(str(beside))} cannot be made: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ServiceError(f"another auricle push has {printable(str(path))}: stop that one") from None
    return descriptor


def _parsed_mark(note: str) -> Mark | None:
    match json.loads(note) if note else None:
        case [int(ordinal), str(alarm_id), int(seq)]:
            return Mark(ordinal, alarm_id, seq)
    return None
