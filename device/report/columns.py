"""Frames of any number, kept in columns of equal time and bounded number: what fits the width of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]


class Columns:
    """Sums, maxima and counts of frames in at most `most` columns of equal time."""

    def __init__(self, most: int, bands: int) -> None:
        self.frames_each = 1
        self.used = 0
        self._sums = np.zeros((most, bands), np.float32)
        self._maxima = np.full((most, bands), -np.inf, np.float32)
        self._counts = np.zeros(most, np.int64)

    def add(self, first_frame: int, frames: Float32) -> None:
        """Add consecutive frames (n, bands), the first of index `first_frame`."""
        if len(frames) == 0:
            return
        while first_frame + len(frames) > len(self._counts) * self.frames_each:
            self._merge_neighbours()
        column = np.arange(first_frame, first_frame + len(frames)) // self.frames_each
        starts = np.flatnonzero(np.diff(column, prepend=-1))  # index of the first frame of each column
        into = column[starts]
        self._sums[into] += np.add.reduceat(frames, starts, axis=0)
        self._maxima[into] = np.maximum(self._maxima[into], np.maximum.reduceat(frames, starts, axis=0))
        self._counts[into] += np.diff(starts, append=len(frames))
        self.used = int(into[-1]) + 1

    def levels(self) -> Float32:
        """Average of mean and maximum, in dB: (used, bands); NaN for a column without frames."""
        counts: Float32 = np.maximum(self._counts[: self.used, None], 1).astype(np.float32)
        levels: Float32 = self._sums[: self.used] / counts
        levels += self._maxima[: self.used]
        levels *= np.float32(0.5)
        levels[self._counts[: self.used] == 0] = np.nan
        return levels

    def _merge_neighbours(self) -> None:
        half = len(self._counts) // 2
        self._sums[:half] = self._sums[0::2] + self._sums[1::2]
        self._maxima[:half] = np.maximum(self._maxima[0::2], self._maxima[1::2])
        self._counts[:half] = self._counts[0::2] + self._counts[1::2]
        self._sums[half:], self._maxima[half:], self._counts[half:] = 0, -np.inf, 0
        self.frames_each *= 2
        self.used = (self.used + 1) // 2
