"""Cuts clips out of a stream: the pre-roll in memory, and the clip that grows until its post-roll is complete.

Knows no disk and no thread. Alarms that overlap share one clip, which grows up to `LONGEST_S` and continues in another.
Missing sound is filled with silence, so that a second of the clip is a second of the night.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from device.daytime import utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from device.messages import AudioBlock, Event

    Int16 = npt.NDArray[np.int16]

LONGEST_S = 120.0
"""Longest clip; with more alarms the recording continues in another one."""

FULL_SCALE = 32768.0
"""What 1.0 in an audio block is in samples of 16 bits."""

_LATE_S = 1.0  # a decision is at most this much older than the newest sound


@dataclass(frozen=True, slots=True)
class ClipAlarm:
    """An alarm that a clip was recorded for.

    Attributes:
        event: that raised the alarm.
        utc_s: of its `decided_s`.
    """

    event: Event
    utc_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A finished clip.

    Attributes:
        samples: int16 (n,); missing sound is silence.
        sample_rate_hz: of the microphone.
        start_s: of its first sample in the stream.
        utc_s: of its first sample.
        alarms: that it was recorded for, oldest first; the first one names it.
        is_continuation: it continues the clip before it, which reached `LONGEST_S`.
        missing: (from, to) in seconds since its start.
    """

    samples: Int16
    sample_rate_hz: int
    start_s: float
    utc_s: float
    alarms: tuple[ClipAlarm, ...]
    is_continuation: bool
    missing: tuple[tuple[float, float], ...]

    @property
    def folder(self) -> str:
        """`2025/02`."""
        return f"{self._moment:%Y/%m}"

    @property
    def stem(self) -> str:
        """`cry_0.97_20250228T164621Z`: label and score of its first alarm, and when that was or when it continues."""
        event = self.alarms[0].event
        return f"{event.label}_{min(event.score, 1.0):.2f}_{self._moment:%Y%m%dT%H%M%SZ}"

    @property
    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self.utc_s if self.is_continuation else self.alarms[0].utc_s, UTC)

    def comment(self) -> str:
        """Its Vorbis comment."""
        alarms = [
            {
                "id": alarm.event.event_id,
                "model": alarm.event.model,
                "label": alarm.event.label,
                "score": round(alarm.event.score, 6),
                "at_s": round(alarm.event.decided_s - self.start_s, 3),
            }
            for alarm in self.alarms
        ]
        missing = [[round(from_s, 3), round(to_s, 3)] for from_s, to_s in self.missing]
        return json.dumps({"alarms": alarms, "start_utc": utc_text(self.utc_s, "milliseconds"), "missing": missing})


class _Piece(NamedTuple):
    """Consecutive samples, a copy of 16 bits each: half the memory, and no view of a larger array."""

    start: int
    samples: Int16

    @property
    def end(self) -> int:
        return self.start + len(self.samples)


class PreRoll:
    """The newest sound of a stream: a fixed duration, and at most one block more.

    Args:
        keep_s: duration to keep.
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
        """Keep a block and drop what is too old; drop everything if the block begins another stream."""
        if not self.follows(block):
            self._pieces.clear()
            self.sample_rate_hz = block.sample_rate_hz
        scaled = np.rint(block.samples * np.float32(FULL_SCALE))  # (n,) exact for a microphone of 16 bits
        clipped = np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1)
        self._pieces.append(_Piece(block.start_sample, clipped.astype(np.int16)))
        oldest = self.end - self._keep_s * self.sample_rate_hz
        while len(self._pieces) > 1 and self._pieces[0].end <= oldest:
            self._pieces.popleft()

    def since(self, sample: int) -> Iterator[_Piece]:
        """Yield what is kept from a sample on, oldest first; the first piece may begin later, or be cut."""
        for piece in self._pieces:
            if piece.end > sample:
                cut = max(0, sample - piece.start)
                yield _Piece(piece.start + cut, piece.samples[cut:])


@dataclass(slots=True, eq=False)
class _UnfinishedClip:
    """A clip from `begin` up to, but not including, `end`, both samples of the stream."""

    rate_hz: int
    begin: int
    end: int
    alarms: list[ClipAlarm]
    is_continuation: bool = False
    pieces: list[_Piece] = field(default_factory=list)

    def add(self, piece: _Piece) -> None:
        """Add the part of a piece that lies within the clip."""
        room = self.end - piece.start
        if room > 0:
            self.pieces.append(_Piece(piece.start, piece.samples[:room]))

    def finished(self) -> Clip | None:
        """The clip as it is; None if there is no sound at all."""
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
        return Clip(samples, self.rate_hz, start_s, utc_s, alarms, self.is_continuation, tuple(missing))


class Recorder:
    """Cuts clips out of a stream.

    Args:
        before_s: of sound before an alarm was decided.
        after_s: of sound after it.
        on_finished: called with each finished clip.
    """

    def __init__(self, before_s: float, after_s: float, on_finished: Callable[[Clip], None]) -> None:
        self._before_s = before_s
        self._after_s = after_s
        self._on_finished = on_finished
        self._pre_roll = PreRoll(before_s + _LATE_S)
        self._clip: _UnfinishedClip | None = None
        self._wanted_until = 0  # sample of the stream

    def __repr__(self) -> str:
        return f"Recorder({self._pre_roll!r}, {'records' if self._clip else 'waits'})"

    def push(self, block: AudioBlock) -> None:
        """Push the next block; a block of another stream first ends the clip that is being recorded."""
        if not self._pre_roll.follows(block):
            self.finish()
        self._pre_roll.push(block)
        if self._clip is not None:
            for piece in self._pre_roll.since(block.start_sample):
                self._clip.add(piece)
            self._finish_full_clips()

    def keep(self, alarm: ClipAlarm) -> None:
        """Record the sound around an alarm; if it overlaps, in the clip that is being recorded already."""
        rate_hz = self._pre_roll.sample_rate_hz
        if not rate_hz:
            return
        at_s = alarm.event.decided_s
        self._wanted_until = max(self._wanted_until, round((at_s + self._after_s) * rate_hz))
        if self._clip is not None:
            self._clip.alarms.append(alarm)
            self._clip.end = min(self._wanted_until, self._longest_end(self._clip.begin))
        else:
            self._begin(round((at_s - self._before_s) * rate_hz), [alarm], is_continuation=False)
        self._finish_full_clips()

    def finish(self) -> None:
        """End the clip that is being recorded, since the stream has ended."""
        if self._clip is not None:
            self._finish_clip(self._clip)
        self._clip, self._wanted_until = None, 0

    def _begin(self, sample: int, alarms: list[ClipAlarm], *, is_continuation: bool) -> None:
        begin = max(0, sample)
        end = min(self._wanted_until, self._longest_end(begin))
        self._clip = _UnfinishedClip(self._pre_roll.sample_rate_hz, begin, end, alarms, is_continuation)
        for piece in self._pre_roll.since(begin):
            self._clip.add(piece)

    def _longest_end(self, begin: int) -> int:
        return begin + round(LONGEST_S * self._pre_roll.sample_rate_hz)

    def _finish_full_clips(self) -> None:
        while self._clip is not None and self._pre_roll.end >= self._clip.end:
            full = self._clip
            self._clip = None
            self._finish_clip(full)
            if self._wanted_until > full.end:
                self._begin(full.end, full.alarms[-1:], is_continuation=True)

    def _finish_clip(self, unfinished: _UnfinishedClip) -> None:
        clip = unfinished.finished()
        if clip is not None:
            self._on_finished(clip)
