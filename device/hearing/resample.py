"""Converts any capture rate to a model's rate, streaming; the same samples for any block size.

soxr keeps its filter's history between calls and removes its own delay, so output sample n stands
at the time n / to_hz of the segment. Knows no windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]


class Resampler:
    """Resamples one segment of one stream from `from_hz` to `to_hz`; equal rates pass unchanged.

    A resampler is for one segment: after `finish` or a gap, create another.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self.from_hz = from_hz
        self.to_hz = to_hz
        same = from_hz == to_hz
        self._stream = None if same else soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")

    def __repr__(self) -> str:
        return f"Resampler({self.from_hz} Hz -> {self.to_hz} Hz)"

    def push(self, samples: Float32) -> Float32:
        """float32 (n,) at from_hz -> float32 (m,) at to_hz; m may be 0 while the filter fills."""
        return self._converted(samples, last=False)

    def finish(self) -> Float32:
        """Flush the filter at the end of the segment: float32 (m,) at to_hz."""
        return self._converted(np.empty(0, np.float32), last=True)

    def _converted(self, samples: Float32, *, last: bool) -> Float32:
        if self._stream is None:
            return samples
        converted: Float32 = self._stream.resample_chunk(np.ascontiguousarray(samples), last=last)
        return converted
