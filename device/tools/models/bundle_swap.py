"""One bundle's file: a new one put in its place, and the old one back, each at once and lasting.

Beside `cry.tflite` the old file is kept as `.cry.tflite.kept` until the new one has proved itself. An installation that
was interrupted leaves it there, and it stays what is gone back to.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from typing import TYPE_CHECKING, Self

from device.errors import ServiceError
from device.hearing.bundle.writer import sync_folder, write_whole
from device.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

_MODE = 0o644
"""Of a first bundle: the daemon is another user."""


class BundleSwap:
    """Puts files in the place of one bundle; a context manager, which holds the folder for itself meanwhile.

    Args:
        target: the bundle's file; a link is followed.

    Raises:
        ServiceError: another installation works in the folder.
        OSError: the folder cannot be opened.
    """

    def __init__(self, target: Path) -> None:
        self._target = target.resolve()
        self._kept = self._target.with_name(f".{self._target.name}.kept")
        self._lock = os.open(self._target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            where = printable(str(self._target.parent))
            raise ServiceError(f"another installation works in {where}: wait until it is done") from None

    def __repr__(self) -> str:
        return f"BundleSwap({str(self._target)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._lock)

    def put(self, data: bytes) -> None:
        """Put a new file in the place, and keep the one that was there, unless an older one is kept already."""
        mode = _MODE
        with contextlib.suppress(FileNotFoundError):  # the first bundle of this name
            mode = stat.S_IMODE(self._target.stat().st_mode)
            if not self._kept.exists():
                write_whole(self._kept, self._target.read_bytes(), mode=mode)
        write_whole(self._target, data, mode=mode)

    def take_back(self) -> bool:
        """Put the kept file back; where none was kept, remove the new one. Returns whether there was one."""
        try:
            self._kept.replace(self._target)
        except FileNotFoundError:
            self._target.unlink(missing_ok=True)
            return False
        finally:
            sync_folder(self._target.parent)
        return True

    def confirm(self) -> None:
        """Let go of the kept file: the new one has proved itself."""
        self._kept.unlink(missing_ok=True)
        sync_folder(self._target.parent)
