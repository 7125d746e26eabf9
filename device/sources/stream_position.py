"""Positions of a microphone's frames in its stream: counted by samples while they flow, by the clock across gaps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FramePosition:
    """Position of a frame in the stream, and whether samples turned out to be missing before it."""

    start_sample: int
    after_gap: bool


class StreamPosition:
    """Positions of successive frames: contiguous while they flow, by the clock if some are missing.

    Sound cards deliver late and in bursts, and their crystals differ from ours by up to 0.1 %: neither is a
    gap. Frames that are later than both explain (`_BEHIND_S`, for longer than a burst takes) are: samples
    were lost without a report, as by a sound server that hung. Frames that are earlier than both explain
    (`_AHEAD_S`) are dropped, so that a burst never makes more sound than there was time for.
    """

    _BEHIND_S = 0.25
    _AHEAD_S = 0.5
    _BURST_S = 0.2  # a backlog is read within this
    _DRIFT_S = 60.0  # the reference follows the drift of a crystal after this

    def __init__(self) -> None:
        self.rate_hz = 0  # before the first opening
        self._end = 0  # one past the last sample, at rate_hz
        self._anchored = False
        self._reference = (0.0, 0)  # (second of the clock, sample) at the same moment, if anchored
        self._behind_since_s: float | None = None

    def __repr__(self) -> str:
        return f"StreamPosition({self.rate_hz} Hz, {self.end_s:.3f} s)"

    @property
    def end_s(self) -> float:
        """End of the last sample in the stream."""
        return self._end / self.rate_hz if self.rate_hz else 0.0

    def reopen(self, rate_hz: int) -> None:
        """The following frames are from a microphone just opened, at this rate."""
        if self.rate_hz:
            self._end = -(-self._end * rate_hz // self.rate_hz)  # rounded up: never before the last sample
        self.rate_hz = rate_hz
        self._anchored = False
        self._behind_since_s = None

    def position(self, at_s: float, samples: int, *, lost: bool) -> FramePosition | None:
        """Position of a frame; None for one to drop, since there was no time for it.

        Args:
            at_s: when its reading ended, by the clock of the stream.
            samples: of the frame.
            lost: samples are known to be missing before the frame.
        """
        if not self._anchored:
            return self._by_clock(at_s, samples, after_gap=False)
        lateness_s = self._lateness_s(at_s, samples)
        if lateness_s < -self._AHEAD_S:
            return None
        if lost:
            return self._by_clock(at_s, samples, after_gap=False)
        if self._is_behind(at_s, lateness_s):
            return self._by_clock(at_s, samples, after_gap=True)
        self._track_drift(at_s, samples, lateness_s)
        return self._append(self._end, samples, after_gap=False)

    def _lateness_s(self, at_s: float, samples: int) -> float:
        """How far the clock is ahead of the samples, since both agreed."""
        since_s, since = self._reference
        return (at_s - since_s) - (self._end + samples - since) / self.rate_hz

    def _is_behind(self, at_s: float, lateness_s: float) -> bool:
        if lateness_s <= self._BEHIND_S:
            self._behind_since_s = None
            return False
        if self._behind_since_s is None:
            self._behind_since_s = at_s
        return at_s - self._behind_since_s > self._BURST_S

    def _track_drift(self, at_s: float, samples: int, lateness_s: float) -> None:
        if at_s - self._reference[0] > self._DRIFT_S and abs(lateness_s) <= self._BEHIND_S:
            self._reference = (at_s, self._end + samples)

    def _by_clock(self, at_s: float, samples: int, *, after_gap: bool) -> FramePosition:
        start = max(self._end, round(at_s * self.rate_hz) - samples)
        if not self._anchored or start > self._end:
            self._anchored, self._reference = True, (at_s, start + samples)
        self._behind_since_s = None
        return self._append(start, samples, after_gap=after_gap)

    def _append(self, start: int, samples: int, *, after_gap: bool) -> FramePosition:
        self._end = start + samples
        return FramePosition(start, after_gap)
