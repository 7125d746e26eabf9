"""Estimates when a sound began and ended, within the windows that decided about it. Pure.

The scores say in which window a sound is; the level inside that window says when it begins and ends there. What is
found is a change of level in the band of voices: from the background before to the sound after, or back. Where the
level does not change (a sound below its background), the estimate is where a sound usually lies in its window. How far
both are off is measured by `python -m training event-times`, and docs/event-times.md has the figures. Keeps a few
seconds of levels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.ma

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from device.hearing.decision import OperatingPoint
    from device.messages import Event, Window

FRAME_S = 0.05
"""Resolution of the levels, and so of the estimates."""

MAX_SPAN_S = 120.0
"""The most that is kept, whatever times are configured: 2400 levels."""

_BAND_HZ = (300.0, 6000.0)  # of voices; below lie hum and rumble
_FLOOR = 1e-9  # -90 dB
_LEAST_CHANGE_DB = 6.0
_THRESHOLD = 0.5  # of the change, in dB
_BACKGROUND_PERCENTILE, _SOUND_PERCENTILE = 20, 80
_LEAST_FRAMES = 4
_STEADY_FRAMES = 2
"""Frames in a row that must reach the threshold: a click is no onset."""

_ONSET_IN_WINDOW = 0.735
"""Where in the first window that counts a sound begins, as a share of the window: the median of training subjects."""

_END_IN_WINDOW = 0.18
"""Likewise of its end, in the last window. Of a short sound it may lie before the onset: then the sound is taken to
last as long as one must to count, which is what the first window holds of it."""


class EventTimes:
    """Adds the estimated times to the events of one model.

    Args:
        sample_rate_hz: of its windows.
        window_s: their length.
        points: of its labels: the times that they are configured to take say how long levels are kept.
    """

    def __init__(self, sample_rate_hz: int, *, window_s: float, points: Iterable[OperatingPoint]) -> None:
        longest_s = max((max(point.confirm_of_s + point.min_length_s, point.hold_s) for point in points), default=0.0)
        self._track = LevelTrack(sample_rate_hz, window_s=window_s, span_s=longest_s + 6 * window_s)
        self._onsets: dict[str, tuple[str, float]] = {}  # label -> event id and onset of its latest event

    def __repr__(self) -> str:
        return f"EventTimes({self._track!r})"

    def push(self, window: Window) -> None:
        """Add a window, before it is decided about."""
        self._track.push(window)

    def timed(self, event: Event) -> Event:
        """The event with the times that are known of it."""
        if event.phase != "end":
            onset_s = self._track.onset_s(event.start_s, event.decided_s)
            if event.phase == "begin":
                self._onsets[event.label] = event.event_id, onset_s
            return replace(event, onset_s=onset_s)
        event_id, onset_s = self._onsets.get(event.label, ("", event.start_s))
        if event_id != event.event_id or event.end_s is None:
            return event
        return replace(event, onset_s=onset_s, offset_s=self._track.offset_s(onset_s, event.end_s, event.decided_s))


class LevelTrack:
    """Levels of the newest sound of one model's windows, a value every `FRAME_S` seconds.

    Args:
        sample_rate_hz: of the windows.
        window_s: their length.
        span_s: how much of the newest sound is kept, at most `MAX_SPAN_S`.
    """

    def __init__(self, sample_rate_hz: int, *, window_s: float, span_s: float) -> None:
        self._rate_hz = sample_rate_hz
        self._window_s = window_s
        self._frame = max(1, round(FRAME_S * sample_rate_hz))
        hz = np.fft.rfftfreq(self._frame, 1 / sample_rate_hz)
        self._band = (hz >= _BAND_HZ[0]) & (hz <= _BAND_HZ[1])
        self._taper = np.hanning(self._frame).astype(np.float32)
        self._most = round(min(span_s, MAX_SPAN_S) / FRAME_S)
        self._levels: npt.NDArray[np.float64] = np.empty(0)
        self._start_s = 0.0

    def __repr__(self) -> str:
        return f"LevelTrack({self._start_s:.2f} to {self._end_s:.2f} s)"

    @property
    def _end_s(self) -> float:
        return self._start_s + len(self._levels) * self._frame / self._rate_hz

    def push(self, window: Window) -> None:
        """Add what is new in a window; what came before a gap is forgotten."""
        if window.repeated:
            return
        known = round((self._end_s - window.start_s) * self._rate_hz)
        if not 0 <= known <= len(window.samples):
            self._levels, self._start_s, known = np.empty(0), window.start_s, 0
        count = (len(window.samples) - known) // self._frame
        frames = window.samples[known : known + count * self._frame].reshape(count, self._frame)
        power = np.abs(np.fft.rfft(frames * self._taper)) ** 2  # (count, frame // 2 + 1)
        fresh = 10 * np.log10(power[:, self._band].mean(axis=1) + _FLOOR) if self._band.any() else np.zeros(count)
        levels = np.concatenate([self._levels, fresh])
        dropped = max(0, len(levels) - self._most)
        self._levels = levels[dropped:]
        self._start_s += dropped * self._frame / self._rate_hz

    def onset_s(self, first_start_s: float, decided_s: float) -> float:
        """When a sound began.

        Args:
            first_start_s: start of the first window that counted.
            decided_s: end of the deciding window.

        Returns:
            A time in that first window.
        """
        window_s, usual_s = self._window_s, first_start_s + _ONSET_IN_WINDOW * self._window_s
        threshold = _threshold(
            self._between(first_start_s - 0.5 * window_s, first_start_s + 0.5 * window_s),
            self._between(first_start_s + 0.75 * window_s, decided_s),
        )
        if threshold is None:
            return usual_s
        first = self._index(first_start_s)
        sought = self._levels[first : self._index(first_start_s + window_s) + _STEADY_FRAMES]
        starts = np.flatnonzero(_steady(sought >= threshold))
        return self._time_s(first + int(starts[0])) if len(starts) else usual_s

    def offset_s(self, onset_s: float, last_end_s: float, decided_s: float) -> float:
        """When a sound ended.

        Args:
            onset_s: when it began, as estimated.
            last_end_s: end of the last window at or above the off threshold.
            decided_s: when the end was decided.

        Returns:
            A time after the onset, in that last window; its end if nothing was heard after it.
        """
        if min(decided_s, self._end_s) - last_end_s < FRAME_S:
            return last_end_s  # the sound went on as long as there was any
        window_s = self._window_s
        after = self._between(last_end_s - 0.25 * window_s, decided_s)
        before = self._between(last_end_s - 2 * window_s, last_end_s - 0.75 * window_s)
        sought_s = last_end_s - window_s, last_end_s - 0.3 * window_s
        found_s = self._last_loud_s(_threshold(after, before), *sought_s)
        usual_s = last_end_s - (1 - _END_IN_WINDOW) * window_s
        least_s = min(onset_s + (1 - _ONSET_IN_WINDOW) * window_s, last_end_s)
        if found_s is not None and found_s > onset_s:
            return found_s
        if usual_s >= least_s:
            return usual_s
        return self._short_offset_s(onset_s, last_end_s, after) or least_s

    def _short_offset_s(self, onset_s: float, last_end_s: float, after: npt.NDArray[np.float64]) -> float | None:
        """When a sound ended that is too short to fill the windows that `offset_s` compares; None if no level says."""
        threshold = _threshold(after, self._between(onset_s, last_end_s - 0.25 * self._window_s))
        return self._last_loud_s(threshold, onset_s, last_end_s)

    def _last_loud_s(self, threshold: float | None, from_s: float, until_s: float) -> float | None:
        """When the level is last at or above a threshold between two times; None if it is not."""
        if threshold is None:
            return None
        first = self._index(from_s)
        starts = np.flatnonzero(_steady(self._levels[first : self._index(until_s)] >= threshold))
        return self._time_s(first + int(starts[-1]) + _STEADY_FRAMES) if len(starts) else None

    def _index(self, at_s: float) -> int:
        """Index of the frame that begins nearest to a time, or of the nearest one that is kept."""
        index = round((at_s - self._start_s) * self._rate_hz / self._frame)
        return min(max(index, 0), len(self._levels))

    def _time_s(self, index: int) -> float:
        return self._start_s + index * self._frame / self._rate_hz

    def _between(self, start_s: float, end_s: float) -> npt.NDArray[np.float64]:
        return self._levels[self._index(start_s) : self._index(end_s)]


def _threshold(background: npt.NDArray[np.float64], sound: npt.NDArray[np.float64]) -> float | None:
    """Level between both in dB; None if they do not differ enough."""
    if min(len(background), len(sound)) < _LEAST_FRAMES:
        return None
    low = float(np.percentile(background, _BACKGROUND_PERCENTILE))
    high = float(np.percentile(sound, _SOUND_PERCENTILE))
    return low + _THRESHOLD * (high - low) if high - low >= _LEAST_CHANGE_DB else None


def _steady(reached: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """(n,) -> (n - _STEADY_FRAMES + 1,): whether this frame and those after it reach the threshold."""
    count = len(reached) - _STEADY_FRAMES + 1
    if count <= 0:
        return np.zeros(0, np.bool_)
    steady = reached[:count].copy()
    for offset in range(1, _STEADY_FRAMES):
        steady &= reached[offset : offset + count]
    return steady
