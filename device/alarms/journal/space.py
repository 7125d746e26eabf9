"""Disk space of a journal: its size limit, which entries are pruned first, and a reserve for a full disk."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from device.alarms.journal.disk_errors import free_bytes
from device.alarms.journal.entries import PAGE_BYTES
from device.alarms.journal.files import RESERVE_BYTES, create_reserve, delete_reserve
from device.alarms.journal.queries import (
    FIRST_UNDELIVERED_RANK,
    PRUNING_ORDER,
    delete_oldest,
    pages_used,
    pragma,
    read_note,
    write_note,
)

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

LOG_BYTES = 256 * 1024
"""From this size on the log is checkpointed: often enough to keep it small, rarely enough to spare the card."""

_LOG_ROOM_BYTES = 3 * LOG_BYTES

PRUNED_UNDELIVERED_NOTE = "undelivered_shed"
"""Name of the note that counts entries which were pruned before they were delivered."""


class JournalSpace:
    """Keeps one journal within its size limit, and keeps it writable on a full disk.

    Args:
        path: of the journal.
        max_bytes: of the file, its log and its reserve together.

    Attributes:
        disk_is_full: the disk has refused a write and has not been seen to have room since.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.disk_is_full = False
        self._path = path

    def __repr__(self) -> str:
        return f"JournalSpace({self.max_bytes} bytes, disk {'full' if self.disk_is_full else 'has room'})"

    def claim_reserve(self) -> None:
        """Create the reserve, unless the disk is known to be full; if that fails, it is full."""
        if not self.disk_is_full:
            self.disk_is_full = not create_reserve(self._path)

    def release_reserve(self) -> bool:
        """Whether there was a reserve to give up, so that the write may be tried again; the disk is full then."""
        if not delete_reserve(self._path):
            return False
        self.disk_is_full = True
        return True

    def restore_reserve(self) -> None:
        """Create the reserve again once the disk has room for several."""
        if not self.disk_is_full:
            return
        with contextlib.suppress(OSError):
            if free_bytes(self._path) > 4 * RESERVE_BYTES:
                self.disk_is_full = not create_reserve(self._path)

    def prune(self, connection: sqlite3.Connection, wanted_bytes: int) -> None:
        """Delete old entries until `wanted_bytes` more fit; delivered ones first.

        A full disk is no reason to delete entries that are not delivered yet.
        """
        limit = self._max_pages(connection) - (wanted_bytes // (PAGE_BYTES - 64) + 16)
        queries = PRUNING_ORDER[:FIRST_UNDELIVERED_RANK] if self.disk_is_full else PRUNING_ORDER
        for rank, query in enumerate(queries):
            while pages_used(connection) > limit:
                deleted = delete_oldest(connection, query)
                if not deleted:
                    break
                if rank >= FIRST_UNDELIVERED_RANK:
                    before = int(read_note(connection, PRUNED_UNDELIVERED_NOTE) or 0)
                    write_note(PRUNED_UNDELIVERED_NOTE, str(before + deleted), connection)

    def is_exceeded(self, connection: sqlite3.Connection) -> bool:
        """Whether the file is over its limit, which was lowered then, on a disk that has room to shrink it."""
        return not self.disk_is_full and pragma(connection, "page_count") > self._max_pages(connection)

    def _max_pages(self, connection: sqlite3.Connection) -> int:
        """On a full disk the file must not grow."""
        pages = max(0, self.max_bytes - RESERVE_BYTES - _LOG_ROOM_BYTES) // PAGE_BYTES
        return min(pages, pragma(connection, "page_count")) if self.disk_is_full else pages
