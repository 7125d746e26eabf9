"""The files around a journal: who may write it, what is set aside of it, and a reserve for a full disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from device.errors import JournalError

if TYPE_CHECKING:
    from pathlib import Path

FILE_MODE = 0o640
"""Its owner writes; the group may read; what happens in a bedroom is nobody else's business."""

BALLAST_BYTES = 512 * 1024
"""On a full disk SQLite cannot even delete. Given up, this is room for some hundred entries and their log."""

ASIDE_KEPT = 3


def beside(path: Path, suffix: str) -> Path:
    """The file of that suffix that belongs to a journal."""
    return path.with_name(path.name + suffix)


class Lock:
    """One process may write a journal; the kernel lets go of it with the process, however that ends.

    Args:
        path: of the journal.

    Raises:
        JournalError: another process writes it.
        OSError: there can be no lock here.
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
        """Let another process have it; idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def make_empty(path: Path) -> None:
    """An empty file of the journal's mode, whatever was there before.

    Raises:
        OSError: it cannot be made.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        os.fchmod(descriptor, FILE_MODE)
    finally:
        os.close(descriptor)


def lay_ballast(path: Path) -> bool:
    """Whether the reserve of the journal at `path` is there now, made if there is room for it."""
    ballast = beside(path, ".ballast")
    with contextlib.suppress(OSError):
        if ballast.stat().st_size == BALLAST_BYTES:
            return True
    try:
        descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
        finally:
            os.close(descriptor)
    except OSError:
        drop_ballast(path)
        return False
    return True


def drop_ballast(path: Path) -> bool:
    """Whether there was a reserve to give up; it is gone now."""
    try:
        beside(path, ".ballast").unlink()
    except OSError:
        return False
    return True


def check_is_file(path: Path) -> None:
    """Nothing but a plain file, or nothing at all, may stand where a journal is to be.

    Raises:
        JournalError: something else does: a folder, a pipe on which one would wait for ever.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            raise JournalError(f"the journal {path} is not a file; move that away, or name another file")


def sync_folder(path: Path) -> None:
    """What was renamed or removed beside `path` stays so through a power cut."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def name_aside(path: Path, utc_s: float) -> Path:
    """A free name for a damaged journal, with the time in UTC."""
    stem = f".damaged-{datetime.fromtimestamp(utc_s, UTC):%Y%m%dT%H%M%SZ}"
    name, count = beside(path, stem), 1
    while name.exists():
        count += 1
        name = beside(path, f"{stem}-{count}")
    return name


def thin_aside(path: Path, max_bytes: int) -> None:
    """Of what was set aside only the newest stay: at most `ASIDE_KEPT` files, and at most `max_bytes` but for one."""
    found = [file for file in path.parent.glob(f"{path.name}.damaged-*") if not file.name.endswith("-wal")]
    newest_first = sorted(found, key=lambda file: (file.stat().st_mtime, file.name), reverse=True)
    held_bytes = 0
    for rank, file in enumerate(newest_first):
        log = beside(file, "-wal")
        held_bytes += sum(part.stat().st_size for part in (file, log) if part.exists())
        if rank and (rank >= ASIDE_KEPT or held_bytes > max_bytes):
            file.unlink()
            log.unlink(missing_ok=True)
