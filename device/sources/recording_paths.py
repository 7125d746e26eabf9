"""Expands paths to the recordings in them, and counts the sound files that cannot be read here."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from device.errors import RecordingError
from device.sources.conversion import INSTALL, conversion
from device.sources.decoding.libav import is_installed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_READABLE = ".wav .wave .bwf .rf64 .w64 .flac .ogg .oga .opus .mp3 .mp2 .aif .aiff .aifc .au .snd .caf .sph .voc"
_OPTIONAL = ".m4a .m4b .mp4 .mov .3gp .aac .wma .asf .mka .mkv .webm .weba .amr .ac3 .ape .wv .tta .mpc .dsf .spx"

SUFFIXES = frozenset(_READABLE.split(" "))
"""Files that the device can read as it is installed."""

OPTIONAL_SUFFIXES = frozenset(_OPTIONAL.split(" "))
"""Sound files, and films with sound, that PyAV reads, if it is installed."""


class FoundRecordings(NamedTuple):
    """What was found below some paths.

    Attributes:
        paths: of the recordings; they begin as they were given: `nights` becomes `nights/june/1.wav`.
        notices: a sentence for each directory with sound files that cannot be read here.
    """

    paths: list[str]
    notices: list[str]


def find_recordings(paths: Iterable[str]) -> FoundRecordings:
    """Expand directories, recursively and sorted, to the recordings in them.

    What is not a directory stays as given, even if it does not exist: opening it will say so. `-` does too. Hidden
    files and directories are skipped; a directory that is reached by several links is walked once.

    Args:
        paths: files and directories, in the order of the result.

    Raises:
        RecordingError: a directory that cannot be listed, or holds no recording that can be read.
    """
    found = FoundRecordings([], [])
    readable = SUFFIXES | OPTIONAL_SUFFIXES if is_installed() else SUFFIXES
    for path in paths:
        if path == "-" or not _is_directory(path):
            found.paths.append(path)
            continue
        sounds = _in_directory(path)
        unread = [sound for sound in sounds if _suffix(sound) not in readable]
        if unread:
            found.notices.append(_unread_sentence(path, unread))
        if len(unread) == len(sounds):
            raise RecordingError(found.notices.pop())
        found.paths.extend(sound for sound in sounds if _suffix(sound) in readable)
    return found


def _unread_sentence(path: str, unread: list[str]) -> str:
    counts = Counter(_suffix(sound) for sound in unread)
    kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items()))
    files = "sound file" if len(unread) == 1 else "sound files"
    return (
        f"{path} holds {len(unread)} {files} that cannot be read here ({kinds}): {INSTALL} reads them, or convert "
        f"each, such as with `{conversion(unread[0])}`."
    )


def _suffix(path: str) -> str:
    return Path(path).suffix.lower()


def _is_directory(path: str) -> bool:
    try:
        return bool(path) and Path(path).is_dir()  # to pathlib "" is the current directory
    except OSError:  # a link to itself, or a parent without permission: not a directory to us
        return False


def _in_directory(path: str) -> list[str]:
    """All sound files under a directory, whether or not they can be read here."""
    try:
        found = list(_walk(path, set()))
    except OSError as exc:
        raise RecordingError(f"{exc.filename} cannot be listed ({exc.strerror}); check its permissions.") from exc
    if not found:
        raise RecordingError(f"{path} holds no recording; WAV, FLAC, OGG, MP3 and other sound files are looked for.")
    return found


def _walk(path: str, walked: set[Path]) -> Iterator[str]:
    """Yield the sound files under a directory, unless it has been walked already."""
    real = Path(path).resolve()
    if real in walked:
        return
    walked.add(real)
    with os.scandir(path) as entries:
        visible = sorted(entry.path for entry in entries if not entry.name.startswith("."))
    for inner in visible:
        if _is_directory(inner):
            yield from _walk(inner, walked)
        elif _suffix(inner) in SUFFIXES | OPTIONAL_SUFFIXES:
            yield inner
