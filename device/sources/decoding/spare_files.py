"""Files without a name, for what is too large to be held in memory."""

from __future__ import annotations

import io
import os
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FOR_LARGE_FILES = "/var/tmp"  # noqa: S108 - the file has no name; /tmp is memory on many systems


def large_files_folder() -> str:
    """The folder for large temporary files: that of TMPDIR, else one that is on a disk."""
    is_usable = not os.environ.get("TMPDIR") and os.access(_FOR_LARGE_FILES, os.W_OK | os.X_OK)
    return _FOR_LARGE_FILES if is_usable else tempfile.gettempdir()


def unnamed_file(folder: str | Path | None = None) -> io.FileIO:
    """A new file for reading and writing; it is gone once it is closed, however this process ends.

    Args:
        folder: where its content is; None for `large_files_folder`.

    Raises:
        OSError: it cannot be made.
    """
    where = folder or large_files_folder()
    return io.FileIO(_descriptor(where), "r+b")


def _descriptor(folder: str | Path) -> int:
    with tempfile.TemporaryFile(prefix="auricle-", dir=folder) as opened:
        return os.dup(opened.fileno())


class SpareFiles:
    """Gives files to one user after the other; a process that may soon open none keeps some."""

    def __init__(self) -> None:
        self._kept: list[io.FileIO] = []
        self._keeps = False

    def __repr__(self) -> str:
        return f"SpareFiles({len(self._kept)} kept)"

    def keep(self, folder: Path, count: int) -> None:
        """Open so many now, and open no other from now on.

        Raises:
            OSError: one cannot be made.
        """
        self._keeps = True
        self._kept += [unnamed_file(folder) for _ in range(count)]

    def take(self) -> io.FileIO:
        """An empty file.

        Raises:
            OSError: there is none.
        """
        return self._kept.pop() if self._kept else unnamed_file()

    def give_back(self, file: io.FileIO) -> None:
        """What it holds is needed no more."""
        if not self._keeps:
            file.close()
            return
        file.seek(0)
        file.truncate()
        self._kept.append(file)


SPARE_FILES = SpareFiles()
"""Those of this process, as `tempfile` has one folder for a process."""
