"""What an error of SQLite or the disk means for a journal: a full disk, a refusal or damage, in one sentence."""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import TYPE_CHECKING

from device.alarms.journal.queries import NotAsWrittenError

if TYPE_CHECKING:
    from pathlib import Path

_FULL_BYTES = 64 * 1024
_DENIED = {errno.EROFS, errno.EACCES, errno.EPERM}
_DISK_CODES = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_BUSY", "SQLITE_PERM")


def is_disk_full(path: Path, error: Exception) -> bool:
    """Whether a full disk caused the error; where SQLite cannot create the index of its log, it reports only IO."""
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", "")
        return name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and free_bytes(path) < _FULL_BYTES)
    return isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}


def is_damage(error: sqlite3.Error) -> bool:
    """Whether a damaged file caused the error: a failing disk has error codes of its own."""
    return not getattr(error, "sqlite_errorname", "").startswith(_DISK_CODES)


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write on the disk of `path`."""
    disk = os.statvfs(path.parent)
    return disk.f_bavail * disk.f_frsize


def error_sentence(path: Path, error: Exception) -> str:
    """One sentence for the operator: what is wrong, what is safe, and what to do."""
    name = getattr(error, "sqlite_errorname", "")
    number = error.errno if isinstance(error, OSError) else None
    if is_disk_full(path, error):
        return f"the disk of the journal {path} is full; what was kept is safe, free some space"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")) or number in _DENIED:
        return f"the journal {path} cannot be written ({error}); what was kept is safe, make its folder writable"
    if isinstance(error, NotAsWrittenError | UnicodeDecodeError) or (
        isinstance(error, sqlite3.Error) and is_damage(error)
    ):
        return f"the journal {path} is damaged ({error}); what can be read is salvaged when it is next opened"
    return f"the disk of the journal {path} fails ({error}); what was kept is safe as far as the disk is, check it"
