"""Detects a repeated buffer, the same samples again and again: the sign of a driver that hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    Bools = npt.NDArray[np.bool_]


class Repeat(NamedTuple):
    """The newest `lasted` samples equal those one `period` earlier; 0, 0 if they do not."""

    period: int
    lasted: int


NO_REPEAT = Repeat(0, 0)


class Repetition:
    """Detects that the newest sound equals, sample for sample, that of one buffer earlier.

    No microphone delivers the same 5 ms twice; a hanging driver does. The length of the buffer is found by
    searching for a whole row in the second before it, every 250 ms; the onset is then dated back. A pause of
    digital silence within the buffer does not interrupt the repetition. A buffer of little but silence proves
    nothing, however: behind a noise gate it may be a ticking clock.

    Args:
        row: samples of a row.
        shortest: samples of the shortest buffer; a shorter period is a tone.
        longest: samples of the longest buffer.
    """

    _SEARCH_ROWS = 5
    _PROBES = 32
    _MOST_FLAT = 0.75

    def __init__(self, row: int, shortest: int, longest: int) -> None:
        self._row = row
        self._shortest = shortest
        self._longest = longest
        self._kept = longest + (self._SEARCH_ROWS + 1) * row
        self._probes = np.linspace(0, row - 1, self._PROBES).astype(int)
        self.reset()

    def reset(self) -> None:
        """Forget the past, because samples are missing."""
        self._past = np.zeros(0, np.float32)
        self._rows_since_search = 0
        self._repeat = NO_REPEAT

    def push(self, rows: Float32, constant: Bools) -> list[Repeat]:
        """Rows (n, row) -> for each, how the sound up to its end repeats itself.

        Args:
            rows: oldest first.
            constant: bool (n,): all samples of the row are equal. No repetition begins with such a row: silence
                repeats itself without any fault of the driver.
        """
        samples = np.concatenate((self._past, rows.reshape(-1)))
        end = len(self._past)
        repeats = []
        for is_constant in constant:
            self._rows_since_search += 1
            end += self._row
            # The same history as if each row came alone, so that results do not depend on how many come together.
            seen = samples[max(0, end - self._row - self._kept) : end]
            self._repeat = self._follow(seen, is_constant=bool(is_constant))
            repeats.append(self._repeat)
        self._past = samples[-self._kept :].copy()
        return repeats

    def _follow(self, samples: Float32, *, is_constant: bool) -> Repeat:
        """Whether the newest row continues the repetition, or shows a new one."""
        start = len(samples) - self._row
        period, lasted = self._repeat
        if period and np.array_equal(samples[start:], samples[start - period : -period]):
            return Repeat(period, lasted + self._row)
        if is_constant or self._rows_since_search < self._SEARCH_ROWS:
            return NO_REPEAT
        self._rows_since_search = 0
        period = self._find(samples, start)
        if not period or self._is_mostly_flat(samples[-max(period, self._row) :]):
            return NO_REPEAT
        differs = np.flatnonzero(samples[period:] != samples[:-period])
        since = period + (int(differs[-1]) + 1 if len(differs) else 0)
        return Repeat(period, len(samples) - since)

    def _is_mostly_flat(self, samples: Float32) -> bool:
        """Whether most half rows are constant; there is at least one row."""
        size = self._row // 2
        halves = samples[: len(samples) // size * size].reshape(-1, size)
        return float((halves.min(axis=1) == halves.max(axis=1)).mean()) > self._MOST_FLAT

    def _find(self, samples: Float32, start: int) -> int:
        """Distance in samples from `start` back to an earlier copy of the newest row; 0 if there is none."""
        row = samples[start:]
        earliest = max(0, start - self._longest)
        # The largest sample is rare elsewhere; a few more probes leave hardly any place to compare in full.
        first = int(np.abs(row).argmax())
        places = earliest + np.flatnonzero(samples[earliest + first : start + first] == row[first])
        for probe in self._probes:
            if not len(places):
                return 0
            places = places[samples[places + probe] == row[probe]]
        for place in places[::-1][: self._PROBES]:
            if np.array_equal(samples[place : place + self._row], row):
                period = start - int(place)
                return period if period >= self._shortest else 0
        return 0
