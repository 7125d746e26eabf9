"""The scores of a label over a whole recording, in bounded memory.

Windows are collected in buckets, which keep their lowest and highest score. When all buckets are full, neighbours
are merged. So a curve of ten hours still shows every peak and every dip, each at its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Float64 = npt.NDArray[np.float64]

MOST_POINTS = 2000
"""Points of the longest curve: more than the pixels of a page."""

_START, _END, _SCORE = range(3)


@dataclass(frozen=True, slots=True, eq=False)
class ScoreCurve:
    """Probabilities of one label, in time order; with more than 2000 windows only the extremes of each stretch.

    Attributes:
        model: name of the model.
        label: one of its labels.
        on: probability at or above which a window counts for an onset.
        off: probability below which a window counts for the end.
        is_decided: whether the label raises events; the thresholds of one that does not mean nothing.
        start_s: float64 (n,), starts of the windows.
        end_s: float64 (n,), ends of the windows.
        probability: float64 (n,).
    """

    model: str
    label: str
    on: float
    off: float
    is_decided: bool
    start_s: Float64
    end_s: Float64
    probability: Float64

    @property
    def is_drawn(self) -> bool:
        """Whether a figure has a lane for it: a label that raises no events has one only where it scored high."""
        return self.is_decided or bool(self.probability.max(initial=0.0) >= self.on)


class CurveCollector:
    """Collects the windows of one label and keeps at most `most_points` of them: the extremes of each stretch.

    Args:
        most_points: a multiple of 4.
    """

    def __init__(self, *, most_points: int = MOST_POINTS) -> None:
        self._lowest = np.zeros((most_points // 2, 3))
        self._highest = np.zeros((most_points // 2, 3))
        self._windows_each = 1
        self._windows = 0

    def __repr__(self) -> str:
        return f"CurveCollector({self._windows} windows)"

    def add(self, start_s: float, end_s: float, probability: float) -> None:
        """Add the next window of the stream."""
        if self._windows == self._windows_each * len(self._lowest):
            self._merge_neighbours()
        bucket, place = divmod(self._windows, self._windows_each)
        self._windows += 1
        window = (start_s, end_s, probability)
        if place == 0 or probability < self._lowest[bucket, _SCORE]:
            self._lowest[bucket] = window
        if place == 0 or probability > self._highest[bucket, _SCORE]:
            self._highest[bucket] = window

    def points(self) -> tuple[Float64, Float64, Float64]:
        """The kept windows in time order: starts, ends and probabilities, each (n,)."""
        used = -(-self._windows // self._windows_each)
        kept = np.unique(np.concatenate([self._lowest[:used], self._highest[:used]]), axis=0)  # sorted by start
        return kept[:, _START].copy(), kept[:, _END].copy(), kept[:, _SCORE].copy()

    def _merge_neighbours(self) -> None:
        half = len(self._lowest) // 2
        self._lowest[:half] = _of_each_pair(self._lowest, highest=False)
        self._highest[:half] = _of_each_pair(self._highest, highest=True)
        self._windows_each *= 2


def _of_each_pair(windows: Float64, *, highest: bool) -> Float64:
    """(2 n, 3) -> (n, 3): of each two neighbours the one with the higher, or lower, score."""
    first, second = windows[0::2], windows[1::2]
    second_wins = second[:, _SCORE] > first[:, _SCORE] if highest else second[:, _SCORE] < first[:, _SCORE]
    return np.where(second_wins[:, None], second, first)
