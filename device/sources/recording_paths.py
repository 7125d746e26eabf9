"""Expands paths to the recordings in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SUFFIXES = (".wav", ".flac", ".ogg", ".oga")


def find_recordings(paths: Iterable[str]) -> list[str]:
    """Expand directories, recursively and sorted, to the recordings in them.

    What is not a directory stays as given, even if it does not exist: opening it will say so. Hidden
    files and directories are skipped; a directory that is reached by several links is walked once.

    Args:
        paths: files and directories, in the order of the result.

    Returns:
        Paths that begin as they were given: `nights` becomes `nights/june/1.wav`.

    Raises:
        RecordingError: a directory that cannot be listed or holds no recording.
    """
    found: list[str] = []
    for path in paths:
        found += _in_directory(path) if _is_directory(path) else [path]
    return found


def _is_directory(path: str) -> bool:
    try:
        return bool(path) and Path(path).is_dir()  # to pathlib "" is the current directory
    except OSError:  # a link to itself, or a parent without permission: not a directory to us
        return False


def _in_directory(path: str) -> list[str]:
    try:
        found = list(_walk(path, set()))
    except OSError as exc:
        raise RecordingError(f"{exc.filename} cannot be listed ({exc.strerror}); check its permissions.") from exc
    if not found:
        raise RecordingError(f"{path} holds no recording; {', '.join(SUFFIXES)} files are looked for.")
    return found


def _walk(path: str, walked: set[Path]) -> Iterator[str]:
    """Yield the recordings under a directory, unless it has been walked already."""
    real = Path(path).resolve()
    if real in walked:
        return
    walked.add(real)
    with os.scandir(path) as entries:
        visible = sorted(entry.path for entry in entries if not entry.name.startswith("."))
    for inner in visible:
        if _is_directory(inner):
            yield from _walk(inner, walked)
        elif Path(inner).suffix.lower() in SUFFIXES:
            yield inner
