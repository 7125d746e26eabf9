"""Whether the journal can keep alarms: it is sound, can be written, and has room. Reads it, and changes nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from device.alarms.journal.damage import connection_damage, header_damage
from device.alarms.journal.files import beside, uri_path
from device.alarms.journal.queries import NotAsWrittenError
from device.alarms.journal.reading import check_location, connect_read_only
from device.alarms.journal.salvage import read_wal
from device.errors import JournalError
from device.findings import Finding
from device.tools.check.check_run import AS_THE_DAEMON
from device.tools.check.disk_space import check_disk_space, is_read_only, read_only_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.runtime.daemon_state import DaemonState


def check_journal(path: Path | None, max_bytes: int, state: DaemonState | None) -> Finding:
    """Whether the journal is sound, can be written, and has room to grow to its largest size.

    Args:
        path: of the journal; None if none is configured.
        max_bytes: of all its files.
        state: of the running daemon, which writes the journal; None if none runs.

    Raises:
        JournalError: the path cannot hold a journal, or the journal cannot be read.
    """
    if path is None:
        summary = 'no journal is kept: "file" in [journal] is "off", and what is owed is lost with the process'
        return Finding("journal", "warning", summary, 'set "file" in [journal] to "auto"')
    try:
        return _unfit(path, state) or _writable(path, max_bytes)
    except PermissionError:
        return Finding("journal", "failure", f"the journal {path} is closed to this user", AS_THE_DAEMON)


def _unfit(path: Path, state: DaemonState | None) -> Finding | None:
    """What is wrong with the journal as it is; None if nothing is."""
    if state is not None and state.journal:
        cure = f"auricle status --instance {state.instance} says since when; look at the disk under {path.parent}"
        return Finding("journal", "failure", f"the daemon that runs does not keep alarms: {state.journal}", cure)
    if not path.exists():
        return None
    check_location(path)
    damage = _damage_of(path, is_in_use=state is not None or _is_locked(path))
    if damage is not None:
        cure = "start the daemon: it salvages what can be read and sets the file aside; then look after the disk"
        return Finding("journal", "failure", f"the journal {path} is damaged: {damage}", cure)
    if is_read_only(path):
        return read_only_finding("journal", f"the journal {path}", path.parent)
    if not os.access(path, os.W_OK):
        return Finding("journal", "failure", f"the journal {path} is not this user's to write", AS_THE_DAEMON)
    return None


def _is_locked(path: Path) -> bool:
    """Whether a process holds the journal's lock: proc(5) lists it, and trying the lock could block a daemon."""
    with contextlib.suppress(OSError):
        inode = beside(path, ".lock").stat().st_ino
        return any(f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines() if " FLOCK " in line)
    return False


def _damage_of(path: Path, *, is_in_use: bool) -> str | None:
    """What is damaged, in one clause; None if the journal is sound."""
    try:
        if not is_in_use and read_wal(path).is_damaged:
            return "its log is"
        head = header_damage(path)
        if head is not None:
            return head
        with _read_only(path, is_in_use=is_in_use) as connection:
            return connection_damage(connection)
    except PermissionError:
        raise
    except (OSError, sqlite3.OperationalError) as error:
        raise JournalError(f"the journal {path} cannot be read: {error}") from error
    except (sqlite3.Error, NotAsWrittenError, UnicodeDecodeError) as error:
        return str(error)


@contextlib.contextmanager
def _read_only(path: Path, *, is_in_use: bool) -> Iterator[sqlite3.Connection]:
    """A connection that leaves no file behind: SQLite would leave an index beside a write-ahead log at rest.

    Raises:
        OSError: the journal cannot be read.
        sqlite3.Error: likewise, or it is no journal.
    """
    if is_in_use:  # the writing process maintains the index
        with contextlib.closing(connect_read_only(path)) as connection:
            yield connection
        return
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        log = beside(path, "-wal")
        if log.exists() and log.stat().st_size:
            copied = Path(folder, path.name)
            shutil.copyfile(log, beside(copied, "-wal"))
            path = Path(shutil.copyfile(path, copied))
        address = f"file:{uri_path(path)}?mode=ro{'' if path.parent == Path(folder) else '&immutable=1'}"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            yield connection


def _writable(path: Path, max_bytes: int) -> Finding:
    left_bytes = max(0, max_bytes - _held_bytes(path))
    cure = "make room, or set a smaller max_mb in [journal]"
    return check_disk_space("journal", f"the journal {path}", path.parent, needed_bytes=left_bytes, cure=cure)


def _held_bytes(path: Path) -> int:
    """Bytes of the journal's files now."""
    with contextlib.suppress(OSError):
        return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    return 0
