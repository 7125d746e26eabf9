"""Sound and picture of an alarm, where people ask for them: pre-roll and post-roll, within a budget.

Off by default, and then nothing here is made. `Clips` is for the main loop and never waits: it keeps the
last seconds in memory, follows an alarm to its post-roll, and hands the finished clip to a thread that
writes it (`Store`). A clip that cannot be written is dropped and counted: people are told of alarms
elsewhere, and a disk is needed more by those who tell them.

A clip is mono FLAC of 16 bits at the rate of the microphone. Alarms that overlap share one, which grows up to
`LONGEST_S` and goes on in another. Sound that is missing inside is silence, so that a second of the clip is a
second of the night. All that belongs to it stands in its Vorbis comment, as JSON:

    {"alarms": [{"id", "model", "label", "score", "at_s"}, ...], "start_utc": "...Z", "missing": [[from_s, to_s], ...]}

with seconds from the clip's start; `missing` is what was filled with silence.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from device.daytime import utc_text
from device.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from device.config.settings import ClipSettings
    from device.messages import AudioBlock, Event

    Int16 = npt.NDArray[np.int16]
    Picture = Callable[[npt.NDArray[np.float32], int], bytes]

LONGEST_S = 120.0
"""A clip that more alarms make longer goes on in another one."""

WAITING_BYTES = 24_000_000
"""Finished clips that wait for a slow disk take at most so much memory, but for a single one: 250 s at 48 kHz."""

KEPT_FREE_BYTES = 64_000_000
"""Of a disk this much stays free, which the journal of alarms needs more."""

_LATE_S = 1.0  # a decision is at most so much older than the newest sound
_FILE_MODE = 0o640
_FOLDER_MODE = 0o750
_FULL_SCALE = 32768.0
_LABEL = r"[a-z0-9][a-z0-9_-]{0,63}"
_OWN = re.compile(rf"(?P<stem>{_LABEL}_[01]\.\d\d_(?P<utc>\d{{8}}T\d{{6}}Z)(-\d{{1,4}})?)\.(flac|png)(?P<part>\.part)?")
_YEAR, _MONTH = re.compile(r"\d{4}"), re.compile(r"\d{2}")


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm that a clip holds.

    Attributes:
        event: that raised it.
        utc_s: of its `decided_s`.
    """

    event: Event
    utc_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A finished clip.

    Attributes:
        samples: int16 (n,); silence where sound is missing.
        sample_rate_hz: of the microphone.
        start_s: of its first sample in the stream.
        utc_s: of its first sample.
        alarms: that it was kept for, oldest first; the first one names it.
        goes_on: it is what did not fit into the clip before it.
        missing: (from, to) in seconds since its start.
    """

    samples: Int16
    sample_rate_hz: int
    start_s: float
    utc_s: float
    alarms: tuple[Raised, ...]
    goes_on: bool
    missing: tuple[tuple[float, float], ...]

    @property
    def folder(self) -> str:
        """`2025/02`."""
        return f"{self._moment:%Y/%m}"

    @property
    def stem(self) -> str:
        """`cry_0.97_20250228T164621Z`: label and score of its first alarm, and when that was, or where it goes on."""
        event = self.alarms[0].event
        return f"{event.label}_{min(event.score, 1.0):.2f}_{self._moment:%Y%m%dT%H%M%SZ}"

    @property
    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self.utc_s if self.goes_on else self.alarms[0].utc_s, UTC)

    def comment(self) -> str:
        """What stands in its Vorbis comment."""
        alarms = [
            {
                "id": raised.event.event_id,
                "model": raised.event.model,
                "label": raised.event.label,
                "score": round(raised.event.score, 6),
                "at_s": round(raised.event.decided_s - self.start_s, 3),
            }
            for raised in self.alarms
        ]
        missing = [[round(from_s, 3), round(to_s, 3)] for from_s, to_s in self.missing]
        return json.dumps({"alarms": alarms, "start_utc": utc_text(self.utc_s, "milliseconds"), "missing": missing})


# --- in memory


class _Piece(NamedTuple):
    """Consecutive samples, a copy of 16 bits each: half the memory, and no view of a larger array."""

    start: int
    samples: Int16

    @property
    def end(self) -> int:
        return self.start + len(self.samples)


class PreRoll:
    """The newest sound of a stream, so many seconds of it and at most one block more.

    Args:
        keep_s: seconds that are kept.
    """

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._pieces: deque[_Piece] = deque()
        self.sample_rate_hz = 0

    def __repr__(self) -> str:
        return f"PreRoll({self._keep_s:g} s, {self.end - self.start} samples at {self.sample_rate_hz} Hz)"

    @property
    def start(self) -> int:
        """Index of the oldest sample that is kept."""
        return self._pieces[0].start if self._pieces else 0

    @property
    def end(self) -> int:
        """Index one past the newest sample."""
        return self._pieces[-1].end if self._pieces else 0

    def follows(self, block: AudioBlock) -> bool:
        """Whether a block belongs to the same stream: the same rate, and later."""
        return block.sample_rate_hz == self.sample_rate_hz and block.start_sample >= self.end

    def push(self, block: AudioBlock) -> None:
        """Keep a block, and forget what is too old; all there was, where it begins another stream."""
        if not self.follows(block):
            self._pieces.clear()
            self.sample_rate_hz = block.sample_rate_hz
        scaled = np.rint(block.samples * np.float32(_FULL_SCALE))  # (n,) exact for a microphone of 16 bits
        clipped = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1)
        self._pieces.append(_Piece(block.start_sample, clipped.astype(np.int16)))
        oldest = self.end - self._keep_s * self.sample_rate_hz
        while len(self._pieces) > 1 and self._pieces[0].end <= oldest:
            self._pieces.popleft()

    def since(self, sample: int) -> Iterator[_Piece]:
        """What is kept from a sample on, oldest first; the first piece may begin later, or be a part."""
        for piece in self._pieces:
            if piece.end > sample:
                cut = max(0, sample - piece.start)
                yield _Piece(piece.start + cut, piece.samples[cut:])


@dataclass(slots=True, eq=False)
class _Growing:
    """A clip that is not finished: from `begin` up to, but not including, `end`, both samples of the stream."""

    rate_hz: int
    begin: int
    end: int
    alarms: list[Raised]
    goes_on: bool = False
    pieces: list[_Piece] = field(default_factory=list)

    def add(self, piece: _Piece) -> None:
        """Take what lies within."""
        room = self.end - piece.start
        if room > 0:
            self.pieces.append(_Piece(piece.start, piece.samples[:room]))

    def finished(self) -> Clip | None:
        """What there is; None where there is no sound at all."""
        if not self.pieces:
            return None
        start = self.pieces[0].start
        samples = np.zeros(self.pieces[-1].end - start, np.int16)
        missing, filled = [], start
        for piece in self.pieces:
            if piece.start > filled:
                missing.append(((filled - start) / self.rate_hz, (piece.start - start) / self.rate_hz))
            samples[piece.start - start : piece.end - start] = piece.samples
            filled = piece.end
        first = self.alarms[0]
        utc_s = first.utc_s + start / self.rate_hz - first.event.decided_s
        alarms, start_s = tuple(self.alarms), start / self.rate_hz
        return Clip(samples, self.rate_hz, start_s, utc_s, alarms, self.goes_on, tuple(missing))


class Recorder:
    """Cuts clips out of a stream; owns memory and nothing else.

    Args:
        before_s: of sound before an alarm was decided.
        after_s: of sound after it.
        done: takes each finished clip.
    """

    def __init__(self, before_s: float, after_s: float, done: Callable[[Clip], None]) -> None:
        self._before_s = before_s
        self._after_s = after_s
        self._done = done
        self._roll = PreRoll(before_s + _LATE_S)
        self._growing: _Growing | None = None
        self._wanted_until = 0  # sample of the stream

    def __repr__(self) -> str:
        return f"Recorder({self._roll!r}, {'keeps' if self._growing else 'waits'})"

    def push(self, block: AudioBlock) -> None:
        """The next sound of the stream; another stream's sound finishes what is being kept."""
        if not self._roll.follows(block):
            self.finish()
        self._roll.push(block)
        if self._growing is not None:
            for piece in self._roll.since(block.start_sample):
                self._growing.add(piece)
            self._finish_what_is_full()

    def keep(self, raised: Raised) -> None:
        """Keep the sound around an alarm; of one that overlaps, in the clip that grows already."""
        rate_hz = self._roll.sample_rate_hz
        if not rate_hz:
            return
        at_s = raised.event.decided_s
        self._wanted_until = max(self._wanted_until, round((at_s + self._after_s) * rate_hz))
        if self._growing is not None:
            self._growing.alarms.append(raised)
            self._growing.end = min(self._wanted_until, self._longest_end(self._growing.begin))
        else:
            self._begin(round((at_s - self._before_s) * rate_hz), [raised], goes_on=False)
        self._finish_what_is_full()

    def finish(self) -> None:
        """The stream is over: what is being kept is all there will be."""
        if self._growing is not None:
            self._hand_over(self._growing)
        self._growing, self._wanted_until = None, 0

    def _begin(self, sample: int, alarms: list[Raised], *, goes_on: bool) -> None:
        begin = max(0, sample)
        end = min(self._wanted_until, self._longest_end(begin))
        self._growing = _Growing(self._roll.sample_rate_hz, begin, end, alarms, goes_on)
        for piece in self._roll.since(begin):
            self._growing.add(piece)

    def _longest_end(self, begin: int) -> int:
        return begin + round(LONGEST_S * self._roll.sample_rate_hz)

    def _finish_what_is_full(self) -> None:
        while self._growing is not None and self._roll.end >= self._growing.end:
            full = self._growing
            self._growing = None
            self._hand_over(full)
            if self._wanted_until > full.end:
                self._begin(full.end, full.alarms[-1:], goes_on=True)

    def _hand_over(self, growing: _Growing) -> None:
        clip = growing.finished()
        if clip is not None:
            self._done(clip)


# --- on disk


class _Kept(NamedTuple):
    """The files of one clip."""

    utc: str
    stem: str
    paths: tuple[Path, ...]
    size: int


class Store:
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
        return f"Store({str(self._folder)!r}, {self._max_bytes / 1e6:g} MB)"

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
        samples = clip.samples.astype(np.float32) / np.float32(_FULL_SCALE)  # (n,)
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


class Clips:
    """Keeps the sound of alarms, and never makes the main loop wait; closed once, at the end.

    Args:
        settings: how much, and how long; `enabled` is for whoever decides to make this.
        folder: where.
        picture: see `Store`; called in this object's thread.
        clock: monotonic, in seconds.
        kept_free_bytes: see `Store`.

    Raises:
        MissingExtraError: soundfile is not installed.
    """

    name = "clips"

    def __init__(
        self,
        settings: ClipSettings,
        folder: Path,
        *,
        picture: Picture,
        clock: Callable[[], float] = time.monotonic,
        kept_free_bytes: int = KEPT_FREE_BYTES,
    ) -> None:
        _soundfile()
        max_bytes = round(settings.max_mb * 1e6)
        self._store = Store(folder, max_bytes=max_bytes, picture=picture, kept_free_bytes=kept_free_bytes)
        self._recorder = Recorder(settings.before_s, settings.after_s, self._take)
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: deque[Clip] = deque()
        self._closing = False
        self._busy_since_s: float | None = None
        self._evicted = 0
        self._failed = 0
        self._written = 0
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._write_all, name="clips", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        state = "closed" if self._closing else "open"
        return f"Clips({self._store!r}, {state}, {self._written} written, {self.dropped} dropped)"

    @property
    def written(self) -> int:
        """Clips that were written, since the start."""
        return self._written

    @property
    def dropped(self) -> int:
        """Clips that were not written, since the start."""
        return self._evicted + self._failed

    @property
    def failure(self) -> str | None:
        """Why the last clip was not written; None where it was."""
        return self._failure

    def push(self, block: AudioBlock) -> None:
        """Sound as the microphone gave it, before it is heard."""
        self._recorder.push(block)

    def keep(self, event: Event, *, utc_s: float) -> None:
        """Keep the sound around an event that raised an alarm.

        Args:
            event: of the stream that was pushed.
            utc_s: time of day of its `decided_s`.
        """
        self._recorder.keep(Raised(event, utc_s))

    def finish(self) -> None:
        """The stream is over, or another one begins: what is being kept is written as it is."""
        self._recorder.finish()

    def stuck_for_s(self, now_s: float) -> float:
        """How long one clip has been in the writing; 0 where none is."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else max(0.0, now_s - since_s)

    def close(self, deadline_s: float) -> bool:
        """Write what waits and what is being kept; whether that was done within so many seconds. Idempotent."""
        if not self._closing:
            self.finish()
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def _take(self, clip: Clip) -> None:
        """The newest waits; where that is too much, the oldest goes."""
        with self._changed:
            self._waiting.append(clip)
            while len(self._waiting) > 1 and sum(waiting.samples.nbytes for waiting in self._waiting) > WAITING_BYTES:
                self._waiting.popleft()
                self._evicted += 1
            self._changed.notify()

    def _write_all(self) -> None:
        with contextlib.suppress(OSError):
            self._store.clean()
        while (clip := self._next()) is not None:
            self._busy_since_s = self._clock()
            self._write(clip)
            self._busy_since_s = None

    def _next(self) -> Clip | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return self._waiting.popleft() if self._waiting else None

    def _write(self, clip: Clip) -> None:
        try:
            self._store.write(clip)
        except Exception as error:  # noqa: BLE001 - a disk, an encoder, a picture: none may end the thread; it is counted
            self._failed += 1
            self._failure = str(error)
        else:
            self._written += 1
            self._failure = None


def _soundfile() -> object:
    """The library, asked for when clips are wanted and not when one is due."""
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError("soundfile is not installed, which clips need: install auricle[device]") from error
    return soundfile


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
