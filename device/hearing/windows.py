"""Cuts blocks of any size into windows of one size, and never a window across a gap.

`Slices` turns blocks of any size into slices of one size, so that nothing after it can depend on the block size.
`WindowCursor` cuts one segment (the samples between two gaps) into windows of one `WindowFormat`. Knows no features
and no clock but the sample index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.messages import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class WindowFormat:
    """Sample rate, size, hop and alignment of windows: common to all models with the same rate and window.

    `grid_samples` is the common multiple of their frame hops; every window starts on this grid.
    """

    rate_hz: int
    window_samples: int
    hop_samples: int
    grid_samples: int


class Slices:
    """Blocks of any size -> slices of exactly `slice_samples`, and at the end the remainder."""

    def __init__(self, slice_samples: int) -> None:
        self._held = np.empty(slice_samples, np.float32)
        self._count = 0

    def __repr__(self) -> str:
        return f"Slices({len(self._held)} samples, {self._count} held)"

    def push(self, samples: Float32) -> Iterator[Float32]:
        """float32 (n,) -> float32 (slice_samples,) each; the rest is held for the next push."""
        size = len(self._held)
        used = 0
        while used < len(samples):
            if self._count == 0 and len(samples) - used >= size:
                yield samples[used : used + size]
                used += size
                continue
            part = samples[used : used + size - self._count]
            self._held[self._count : self._count + len(part)] = part
            self._count += len(part)
            used += len(part)
            if self._count == size:
                self._count = 0
                yield self._held.copy()

    def finish(self) -> Float32:
        """The rest, shorter than a slice and possibly empty; nothing is held afterwards."""
        rest = self._held[: self._count].copy()
        self._count = 0
        return rest


class WindowCursor:
    """Windows of one segment of one stream, at one rate.

    Args:
        sample_rate_hz: of the samples that are pushed.
        window_samples: length of a window.
        hop_samples: from one window to the next; a multiple of `grid_samples`.
        grid_samples: frame hop of the features, on which every window starts.
        start_s: where the segment starts in the stream.
    """

    def __init__(
        self, *, sample_rate_hz: int, window_samples: int, hop_samples: int, grid_samples: int, start_s: float = 0.0
    ) -> None:
        self._rate_hz = sample_rate_hz
        self._window = window_samples
        self._hop = hop_samples
        self._grid = grid_samples
        self._start_s = start_s
        self._store = np.empty(3 * window_samples, np.float32)
        self._base = 0  # index in the segment of _store[0]
        self._total = 0  # samples of the segment so far
        self._next = 0  # where the next window starts
        self._last = -1  # where the last one started
        self._count = 0

    def __repr__(self) -> str:
        return f"WindowCursor({self._rate_hz} Hz, {self.count} windows of {self._total} samples)"

    @property
    def count(self) -> int:
        """Windows cut so far, on the hop grid."""
        return self._count

    def change_hop(self, hop_samples: int) -> None:
        """Use another hop from now on; windows that the narrower hop would have cut already are skipped.

        The next window begins at most the widest hop, of those since the last window, after that window.

        Args:
            hop_samples: a multiple of the grid, at most a window.
        """
        narrowed, self._hop = hop_samples < self._hop, hop_samples
        if not self._count:
            return
        if narrowed:
            passed = self._total - self._window + 1 - self._last
            self._next = min(self._next, self._last + hop_samples * max(1, -(-passed // hop_samples)))
        else:
            self._next = max(self._next, self._last + hop_samples)

    def push(self, samples: Float32) -> Iterator[Window]:
        """float32 (n,) -> the windows that are complete now, oldest first."""
        for first in range(0, len(samples), self._hop):
            self._append(samples[first : first + self._hop])
            while self._next + self._window <= self._total:
                start = self._last = self._next
                self._next += self._hop
                self._count += 1
                yield self._cut(start)

    def finish(self, *, short_file: bool) -> Iterator[Window]:
        """The window that covers the tail at the end of a file, if any.

        A tail shorter than one hop is covered by one window, right-aligned to the frame grid. A segment
        shorter than a window has no window, unless it is a whole file (`short_file`): that is repeated to fill one.
        """
        if self._total < self._window:
            if short_file and self._total:
                yield self._repeated()
            return
        start = (self._total - self._window) // self._grid * self._grid
        if start > self._last:
            yield self._cut(start)

    def _append(self, samples: Float32) -> None:
        used = self._total - self._base
        if used + len(samples) > len(self._store):
            keep = used - (self._oldest - self._base)
            self._store[:keep] = self._store[used - keep : used]
            self._base, used = self._oldest, keep
        self._store[used : used + len(samples)] = samples
        self._total += len(samples)

    @property
    def _oldest(self) -> int:
        """First sample that a window may still need: the tail's window reaches back from the end."""
        return max(self._base, min(self._next, self._total - self._window - self._grid))

    def _cut(self, start: int) -> Window:
        samples = self._store[start - self._base : start - self._base + self._window].copy()
        return Window(
            samples=samples,
            start_sample=start,
            start_s=self._start_s + start / self._rate_hz,
            end_s=self._start_s + (start + self._window) / self._rate_hz,
        )

    def _repeated(self) -> Window:
        held = self._store[: self._total]
        end_s = self._start_s + self._total / self._rate_hz
        return Window(np.resize(held, self._window), 0, self._start_s, end_s, repeated=True)
