"""The files beside a journal: its lock, damaged copies that were set aside, and a reserve for a full disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from device.errors import JournalError

if TYPE_CHECKING:
    from pathlib import Path

FILE_MODE = 0o640
"""The owner writes, the group may read; what happens in a bedroom is nobody else's business."""

RESERVE_BYTES = 512 * 1024
"""On a full disk SQLite cannot even delete. Deleting this file makes room for some hundred entries and their log."""

MAX_DAMAGED_FILES = 3


def beside(path: Path, suffix: str) -> Path:
    """The file of that suffix that belongs to a journal."""
    return path.with_name(path.name + suffix)


def uri_path(path: Path) -> str:
    """A path as it is written in a URI."""
    return quote(str(path.absolute()))


class Lock:
    """Only one process may write a journal; the kernel releases the lock when the process ends, however it ends.

    Args:
        path: of the journal.

    Raises:
        JournalError: another process writes it.
        OSError: no lock file can be created here.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(beside(path, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise JournalError(
                f"the journal {path} is kept by another process; stop that one, or name another file"
            ) from None

    def close(self) -> None:
        """Release the lock; idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def make_empty(path: Path) -> None:
    """Create an empty file with the journal's mode; replaces whatever was there.

    Raises:
        OSError: it cannot be created.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        os.fchmod(descriptor, FILE_MODE)
    finally:
        os.close(descriptor)


def create_reserve(path: Path) -> bool:
    """Whether the reserve of the journal at `path` exists now; it is created if there is room for it."""
    reserve = beside(path, ".ballast")
    with contextlib.suppress(OSError):
        if reserve.stat().st_size == RESERVE_BYTES:
            return True
    try:
        descriptor = os.open(reserve, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        finally:
            os.close(descriptor)
    except OSError:
        delete_reserve(path)
        return False
    return True


def delete_reserve(path: Path) -> bool:
    """Whether there was a reserve; it is deleted now."""
    try:
        beside(path, ".ballast").unlink()
    except OSError:
        return False
    return True


def check_is_file(path: Path) -> None:
    """Only a plain file, or nothing at all, may be where the journal goes.

    Raises:
        JournalError: something else is there: a folder, or a pipe, whose reader would wait for ever.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            raise JournalError(f"the journal {path} is not a file; move that away, or name another file")


def sync_folder(path: Path) -> None:
    """Make renames and deletions beside `path` survive a power cut."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def damaged_file_name(path: Path, utc_s: float) -> Path:
    """An unused name for a damaged journal that is set aside, with the time in UTC."""
    stem = f".damaged-{datetime.fromtimestamp(utc_s, UTC):%Y%m%dT%H%M%SZ}"
    name, count = beside(path, stem), 1
    while name.exists():
        count += 1
        name = beside(path, f"{stem}-{count}")
    return name


def prune_damaged_files(path: Path, max_bytes: int) -> None:
    """Delete the oldest of the damaged files that were set aside.

    At most `MAX_DAMAGED_FILES` remain, and at most `max_bytes` in all, but the newest always does.
    """
    found = [file for file in path.parent.glob(f"{path.name}.damaged-*") if not file.name.endswith("-wal")]
    newest_first = sorted(found, key=lambda file: (file.stat().st_mtime, file.name), reverse=True)
    held_bytes = 0
    for rank, file in enumerate(newest_first):
        log = beside(file, "-wal")
        held_bytes += sum(part.stat().st_size for part in (file, log) if part.exists())
        if rank and (rank >= MAX_DAMAGED_FILES or held_bytes > max_bytes):
            file.unlink()
            log.unlink(missing_ok=True)
