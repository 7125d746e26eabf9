"""A folder of clips within a budget: writes each clip atomically, removes the oldest, touches no other files.

A clip is mono FLAC of 16 bits at the rate of the microphone. Its Vorbis comment describes it, as JSON:

    {"alarms": [{"id", "model", "label", "score", "at_s"}, ...], "start_utc": "...Z", "missing": [[from_s, to_s], ...]}

with seconds from the clip's start; `missing` is what was filled with silence.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from device.quantity import megabytes_are
from device.sinks.clips.clip_names import MONTH, OWN_NAME, YEAR
from device.sinks.clips.recorder import FULL_SCALE

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from device.sinks.clips.recorder import Clip

    Picture = Callable[[npt.NDArray[np.float32], int], bytes]

RESERVED_BYTES = 64_000_000
"""Clips leave this much of the disk free, for the journal of alarms."""

_FILE_MODE = 0o640
_FOLDER_MODE = 0o750


class _StoredClip(NamedTuple):
    """The files of one clip."""

    utc: str
    stem: str
    paths: tuple[Path, ...]
    size: int


class ClipStore:
    """A folder of clips within a budget, `YYYY/MM/label_score_20250228T164621Z.flac` and a picture beside each.

    Only files of exactly such names, in folders of exactly such names, are counted and removed. Files are written
    atomically.

    Args:
        folder: created with the first clip.
        max_bytes: budget of all clips and pictures; the oldest by name are removed first.
        picture: samples of float32 in [-1, 1] and their rate -> PNG.
        reserved_bytes: of the disk to leave free; a clip that would need them is not written.

    Attributes:
        failed_pictures: pictures that could not be drawn.
    """

    def __init__(self, folder: Path, *, max_bytes: int, picture: Picture, reserved_bytes: int = RESERVED_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._picture = picture
        self._reserved_bytes = reserved_bytes
        self.failed_pictures = 0

    def __repr__(self) -> str:
        return f"ClipStore({str(self._folder)!r}, {self._max_bytes / 1e6:g} MB)"

    def write(self, clip: Clip) -> Path:
        """Write a clip and its picture; the path of its sound. A picture that cannot be drawn is omitted.

        Raises:
            OSError: it does not fit, or the disk refuses it; no part of it remains.
            RuntimeError: the encoder fails.
        """
        files = {".flac": _flac(clip), **self._picture_file(clip)}
        size = sum(len(data) for data in files.values())
        self._make_room(size)
        folder = self._make_folder(clip.folder)
        self._check_disk_space(size)
        stem = _free_stem(folder, clip.stem)
        paths = [folder / f"{stem}{suffix}" for suffix in files]
        try:
            for path, data in zip(paths, files.values(), strict=True):
                _write_atomically(path, data)
        except OSError:
            for path in paths:
                path.unlink(missing_ok=True)
            raise
        return paths[0]

    def clean(self) -> None:
        """Remove partial files that a power cut left."""
        for path in self._files():
            if path.name.endswith(".part"):
                path.unlink(missing_ok=True)

    def _picture_file(self, clip: Clip) -> dict[str, bytes]:
        samples = clip.samples.astype(np.float32) / np.float32(FULL_SCALE)  # (n,)
        try:
            return {".png": self._picture(samples, clip.sample_rate_hz)}
        except Exception:  # noqa: BLE001 - the sound is stored without its picture; it is counted
            self.failed_pictures += 1
            return {}

    def _make_folder(self, month: str) -> Path:
        """Create the folder of a month; each parent is closed to others, which `parents=True` would not do."""
        self._folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        folder = self._folder
        for part in month.split("/"):
            folder /= part
            folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        return folder

    def _make_room(self, size: int) -> None:
        if size > self._max_bytes:
            raise OSError(errno.EDQUOT, f"a clip of {size / 1e6:.1f} MB is larger than all that clips may take")
        stored = self._stored()
        used = sum(clip.size for clip in stored)
        for clip in stored:
            if used + size <= self._max_bytes:
                return
            _remove(clip)
            used -= clip.size

    def _check_disk_space(self, size: int) -> None:
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        if free - size < self._reserved_bytes:
            raise OSError(errno.ENOSPC, f"{megabytes_are(free)} free, and clips leave {self._reserved_bytes / 1e6:.0f}")

    def _stored(self) -> list[_StoredClip]:
        """Our clips, oldest first."""
        found: dict[tuple[str, str], list[Path]] = {}
        for path in self._files():
            match = OWN_NAME.fullmatch(path.name)
            if match is not None and not match["part"]:
                found.setdefault((match["utc"], f"{path.parent}/{match['stem']}"), []).append(path)
        return [
            _StoredClip(utc, stem, tuple(paths), sum(_size(path) for path in paths))
            for (utc, stem), paths in sorted(found.items())
        ]

    def _files(self) -> Iterator[Path]:
        """All files whose name and folders' names are ours; no link is followed."""
        for year in _folders(self._folder, YEAR):
            for month in _folders(year, MONTH):
                yield from _own_files(month)


def _flac(clip: Clip) -> bytes:
    """Encode in memory: the size is known before the disk is touched, and an OSError is the disk's.

    A memory file and not a BytesIO: for that soundfile needs callbacks, and those need executable memory, which the
    service may not have (MemoryDenyWriteExecute).
    """
    import soundfile

    descriptor = os.memfd_create("clip")
    with os.fdopen(descriptor, "rb") as memory:
        with soundfile.SoundFile(
            descriptor, "w", clip.sample_rate_hz, 1, "PCM_16", format="FLAC", closefd=False
        ) as file:
            file.title, file.comment = clip.stem, clip.comment()
            file.write(clip.samples)
        memory.seek(0)
        return memory.read()


def _write_atomically(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, sync and rename it."""
    part = path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, _FILE_MODE)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        part.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _free_stem(folder: Path, stem: str) -> str:
    """The stem, or the first of `stem-2`, `stem-3`, ... without a clip; two clips may begin in one second."""
    taken = {path.name.split(".flac")[0] for path in folder.glob(f"{stem}*.flac")}
    numbered = (stem if number == 1 else f"{stem}-{number}" for number in range(1, 10_000))
    return next(name for name in numbered if name not in taken)


def _remove(clip: _StoredClip) -> None:
    """Remove its files, and the folders of month and year if they are empty then."""
    for path in clip.paths:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        clip.paths[0].parent.rmdir()
        clip.paths[0].parent.parent.rmdir()


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def _folders(folder: Path, name: re.Pattern[str]) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / entry.name for entry in entries if name.fullmatch(entry.name) and _is_folder(entry)]
    except FileNotFoundError:
        return []


def _own_files(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return [
            folder / entry.name
            for entry in entries
            if OWN_NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
        ]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)
