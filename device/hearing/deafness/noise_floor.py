"""Detects a collapsed noise floor: only the amplifier's own noise is left, and none of the room's."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.ma

from device.hearing.deafness.sign_tracker import Change

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.hearing.deafness.limits import DeafnessLimits

    Float64 = npt.NDArray[np.float64]

_IQR_OF_SIGMA = 1.349
"""Distance of the quartiles of a normal distribution, in standard deviations."""


class _Learned(NamedTuple):
    """What was learned at some time: see the attributes of `NoiseFloor`."""

    minute: tuple[float, ...]
    newest: float | None
    minutes: tuple[float, ...]


class NoiseFloor:
    """Learns how quiet a room gets, and detects that only the amplifier's own noise is left.

    The noise of a quiet room fluctuates: its levels spread more than those of the white noise that a dead
    microphone leaves. Learns from whole minutes of usable rows, each by its 10th percentile (the L90 of acoustics),
    and from the newest minute only after the next one, so that a collapse is not learned before it is found. A gap
    lets the time of a suspected collapse begin anew, and takes back what was learned since it was suspected.

    Limits: a machine that hums as evenly as white noise, 20 dB below another one that stopped, is mistaken for an
    amplifier. Noise of less than a third of a 16-bit step, whose rows hold too few changes to be even, is mistaken
    for a room. So is a collapse with a gap every few seconds, before it can be suspected.

    Args:
        row: samples of a row.
        settings: thresholds.

    Attributes:
        open_since: first sample of the open fault; None if there is none.
        figure: what was measured when the newest fault began, in words.
    """

    _QUIET_PERCENT = 10.0
    _WIDER_AT_THE_END = 1.25

    def __init__(self, row: int, settings: DeafnessLimits) -> None:
        self._step_samples = row * settings.rows_per_step
        self._drop_db = settings.floor_drop_db
        self._spread_db = settings.floor_spread * white_spread_db(row)
        step_s = settings.row_s * settings.rows_per_step
        self._suspect_steps = round(settings.floor_suspect_s / step_s)
        self._found_steps = round(settings.floor_after_s / step_s)
        self._steps: deque[Float64] = deque(maxlen=self._found_steps)
        self._minute_rows = round(60 / settings.row_s)
        self._minute: list[float] = []
        self._newest: float | None = None
        self._minutes: deque[float] = deque(maxlen=settings.floor_minutes)
        self._suspect_since: int | None = None
        self._before: _Learned | None = None  # a suspicion that nothing has refuted since
        self.open_since: int | None = None
        self.figure = ""

    @property
    def learned_db(self) -> float | None:
        """Floor of the quietest minute, in dBFS; None before one was learned."""
        return min(self._minutes, default=None)

    @property
    def since(self) -> int | None:
        """First sample of the open fault, or of a suspected collapse; None if there is neither."""
        return self._suspect_since if self.open_since is None else self.open_since

    def break_run(self) -> None:
        """Samples are missing: the learned floor stays, the current run does not."""
        self._steps.clear()
        self._suspect_since = None
        if self._before is not None:
            self._minute, self._newest = list(self._before.minute), self._before.newest
            self._minutes.clear()
            self._minutes.extend(self._before.minutes)

    def step(self, levels_db: Float64, end: int) -> Change | None:
        """Process the levels (rows,) of the second up to the sample `end`; NaN for a row without noise."""
        usable_db = levels_db[~np.isnan(levels_db)]
        if len(usable_db) < len(levels_db):
            self.break_run()
        else:
            self._steps.append(levels_db)
        if self.open_since is not None:
            return self._end(self.open_since)
        change = self._begin(end)
        if change is None:
            self._learn(usable_db)
        return change

    def _begin(self, end: int) -> Change | None:
        recent_db = self._recent(self._suspect_steps)
        if len(self._steps) < self._suspect_steps:
            self._suspect_since = None
            return None
        if not self._is_low(recent_db):
            self._suspect_since = self._before = None
            return None
        self._suspect(recent_db, end)
        levels_db = self._recent(self._found_steps)
        if len(self._steps) < self._found_steps or not (self._is_low(levels_db) and self._is_even(levels_db)):
            return None
        self.open_since = end - self._found_steps * self._step_samples
        self._minute, self._newest, self._before = [], None, None
        self.figure = self._describe(levels_db)
        return Change(begins=True, since=self.open_since)

    def _suspect(self, recent_db: Float64, end: int) -> None:
        if not self._is_even(recent_db):
            self._suspect_since = self._before = None
        elif self._suspect_since is None:
            self._suspect_since = end - self._suspect_steps * self._step_samples
            self._before = self._before or _Learned(tuple(self._minute), self._newest, tuple(self._minutes))

    def _end(self, since: int) -> Change | None:
        """It is over within seconds if the level is back, within a minute if only the fluctuation is."""
        if len(self._steps) < self._suspect_steps or self._is_still_dead():
            return None
        change = Change(begins=False, since=since)
        self.open_since = None
        self.break_run()
        return change

    def _is_still_dead(self) -> bool:
        return self._is_low(self._recent(self._suspect_steps)) and self._is_mostly_even(self._recent(self._found_steps))

    def _recent(self, steps: int) -> Float64:
        """Levels of the newest steps, joined."""
        return np.concatenate([np.zeros(0), *list(self._steps)[-steps:]])

    def _is_low(self, levels_db: Float64) -> bool:
        return self.learned_db is not None and float(np.median(levels_db)) <= self.learned_db - self._drop_db

    def _is_even(self, levels_db: Float64) -> bool:
        return float(levels_db.std()) <= self._spread_db

    def _is_mostly_even(self, levels_db: Float64) -> bool:
        """Whether the middle half of the levels spreads like noise: a dead microphone's clicks do not end the fault.

        The limit is wider than at the begin, so that chance alone does not end a fault near it.
        """
        lower, upper = np.percentile(levels_db, (25, 75))
        return float(upper - lower) / _IQR_OF_SIGMA <= self._WIDER_AT_THE_END * self._spread_db

    def _describe(self, levels_db: Float64) -> str:
        level_db = float(np.median(levels_db))
        return (
            f"the noise floor stands at {level_db:.1f} dBFS, {(self.learned_db or 0) - level_db:.1f} dB under the "
            "learned one, and is as even as an amplifier's own noise"
        )

    def _learn(self, levels_db: Float64) -> None:
        self._minute += levels_db.tolist()
        if len(self._minute) < self._minute_rows:
            return
        if self._newest is not None:
            self._minutes.append(self._newest)
        self._newest = float(np.percentile(self._minute, self._QUIET_PERCENT))
        self._minute = []


def white_spread_db(samples: int) -> float:
    """Standard deviation, in dB, of the level of this many samples of white noise.

    The power of N samples of Gaussian noise is a chi-square of N degrees of freedom: its relative standard
    deviation is sqrt(2 / N), and d(10 log10 p) = 10 / ln 10 * dp / p. 0.22 dB for 800 samples.
    """
    return 10 / math.log(10) * math.sqrt(2 / samples)
