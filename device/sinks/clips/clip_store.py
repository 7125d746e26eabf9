"""A folder of clips within a budget: writes each clip whole, removes the oldest, and touches nothing that is not ours.

A clip is mono FLAC of 16 bits at the rate of the microphone. All that belongs to it stands in its Vorbis comment, as
JSON:

    {"alarms": [{"id", "model", "label", "score", "at_s"}, ...], "start_utc": "...Z", "missing": [[from_s, to_s], ...]}

with seconds from the clip's start; `missing` is what was filled with silence.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from device.sinks.clips.recorder import FULL_SCALE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from device.sinks.clips.recorder import Clip

    Picture = Callable[[npt.NDArray[np.float32], int], bytes]

KEPT_FREE_BYTES = 64_000_000
"""Of a disk this much stays free, which the journal of alarms needs more."""

_FILE_MODE = 0o640
_FOLDER_MODE = 0o750
_LABEL = r"[a-z0-9][a-z0-9_-]{0,63}"
_OWN = re.compile(rf"(?P<stem>{_LABEL}_[01]\.\d\d_(?P<utc>\d{{8}}T\d{{6}}Z)(-\d{{1,4}})?)\.(flac|png)(?P<part>\.part)?")
_YEAR, _MONTH = re.compile(r"\d{4}"), re.compile(r"\d{2}")


class _Kept(NamedTuple):
    """The files of one clip."""

    utc: str
    stem: str
    paths: tuple[Path, ...]
    size: int


class ClipStore:
    """A folder of clips within a budget, `YYYY/MM/label_score_20250228T164621Z.flac` and a picture beside each.

    Only files of exactly such names, in folders of exactly such names, are ours to count and to remove. A file
    is there whole or not at all.

    Args:
        folder: is made.
        max_bytes: that all clips and pictures take; the oldest by name go first.
        picture: samples of float32 in [-1, 1] and their rate -> PNG.
        kept_free_bytes: of the disk; a clip that would take of them is not written.

    Attributes:
        undrawn: pictures that could not be drawn.
    """

    def __init__(
        self, folder: Path, *, max_bytes: int, picture: Picture, kept_free_bytes: int = KEPT_FREE_BYTES
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._picture = picture
        self._kept_free_bytes = kept_free_bytes
        self.undrawn = 0

    def __repr__(self) -> str:
        return f"ClipStore({str(self._folder)!r}, {self._max_bytes / 1e6:g} MB)"

    def write(self, clip: Clip) -> Path:
        """Write a clip and its picture; the path of its sound. A picture that cannot be drawn is left out.

        Raises:
            OSError: it does not fit, or the disk refuses; nothing of it is left.
            RuntimeError: the encoder fails.
        """
        files = {".flac": _flac(clip), **self._drawn(clip)}
        size = sum(len(data) for data in files.values())
        self._make_room(size)
        folder = self._made(clip.folder)
        self._refuse_what_others_need(size)
        stem = _free_stem(folder, clip.stem)
        paths = [folder / f"{stem}{suffix}" for suffix in files]
        try:
            for path, data in zip(paths, files.values(), strict=True):
                _write_whole(path, data)
        except OSError:
            for path in paths:
                path.unlink(missing_ok=True)
            raise
        return paths[0]

    def clean(self) -> None:
        """Remove what a power cut left half-written."""
        for path in self._files():
            if path.name.endswith(".part"):
                path.unlink(missing_ok=True)

    def _drawn(self, clip: Clip) -> dict[str, bytes]:
        samples = clip.samples.astype(np.float32) / np.float32(FULL_SCALE)  # (n,)
        try:
            return {".png": self._picture(samples, clip.sample_rate_hz)}
        except Exception:  # noqa: BLE001 - the sound is kept, whatever happens to its picture; it is counted
            self.undrawn += 1
            return {}

    def _made(self, month: str) -> Path:
        """The folder of a month; each folder on the way is closed to others, which `parents=True` would not do."""
        self._folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        folder = self._folder
        for part in month.split("/"):
            folder /= part
            folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        return folder

    def _make_room(self, size: int) -> None:
        if size > self._max_bytes:
            raise OSError(errno.EDQUOT, f"a clip of {size / 1e6:.1f} MB is larger than all that clips may take")
        kept = self._kept()
        taken = sum(clip.size for clip in kept)
        for clip in kept:
            if taken + size <= self._max_bytes:
                return
            _remove(clip)
            taken -= clip.size

    def _refuse_what_others_need(self, size: int) -> None:
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        if free - size < self._kept_free_bytes:
            raise OSError(
                errno.ENOSPC, f"{free / 1e6:.0f} MB are free, and clips leave {self._kept_free_bytes / 1e6:.0f}"
            )

    def _kept(self) -> list[_Kept]:
        """Our clips, oldest first."""
        found: dict[tuple[str, str], list[Path]] = {}
        for path in self._files():
            match = _OWN.fullmatch(path.name)
            if match is not None and not match["part"]:
                found.setdefault((match["utc"], f"{path.parent}/{match['stem']}"), []).append(path)
        return [
            _Kept(utc, stem, tuple(paths), sum(_size(path) for path in paths))
            for (utc, stem), paths in sorted(found.items())
        ]

    def _files(self) -> Iterator[Path]:
        """All that is ours by its name and its folders' names; no link is followed."""
        for year in _folders(self._folder, _YEAR):
            for month in _folders(year, _MONTH):
                yield from _own_files(month)


def _flac(clip: Clip) -> bytes:
    """The file, made in memory: its size is known before the disk is touched, and the disk's errors are its own.

    In a memory file and not in a BytesIO, for which soundfile would need callbacks, and those executable memory
    that the service may not have (MemoryDenyWriteExecute).
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


def _write_whole(path: Path, data: bytes) -> None:
    """A file that is there with all its bytes, or not at all, whatever cuts this off."""
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
    """The stem, or the first of `stem-2`, `stem-3`, ... of which there is no clip; two may fall into one second."""
    taken = {path.name.split(".flac")[0] for path in folder.glob(f"{stem}*.flac")}
    numbered = (stem if number == 1 else f"{stem}-{number}" for number in range(1, 10_000))
    return next(name for name in numbered if name not in taken)


def _remove(clip: _Kept) -> None:
    """All its files, and the folders of a month and a year in which nothing is left."""
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
            if _OWN.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
        ]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)
