"""Level meter: RMS level and peak of the newest sound, in dBFS. Knows no fault and no filter.

dBFS is 20 log10 of the amplitude over full scale (1.0); the level is of the root mean square, so that a
full-scale square wave is 0 dBFS and a full-scale sine -3.01. Digital silence has no level: None, never 0.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

SPAN_S = 1.0


class _Part(NamedTuple):
    """One push."""

    samples: int
    energy: float
    peak: float


class Level:
    """Level and peak of one stream.

    Args:
        span_s: length of the newest sound that counts.
    """

    def __init__(self, span_s: float = SPAN_S) -> None:
        self._span_s = span_s
        self._parts: deque[_Part] = deque()
        self._samples = 0

    def __repr__(self) -> str:
        return f"Level({self.rms_dbfs} dBFS, peak {self.peak_dbfs})"

    @property
    def rms_dbfs(self) -> float | None:
        """RMS level of the span; None for digital silence, or before the first push."""
        energy = sum(part.energy for part in self._parts)
        return 10 * math.log10(energy / self._samples) if energy > 0 else None

    @property
    def peak_dbfs(self) -> float | None:
        """Largest magnitude of the span; None as for the level."""
        peak = max((part.peak for part in self._parts), default=0.0)
        return 20 * math.log10(peak) if peak > 0 else None

    def push(self, samples: npt.NDArray[np.float32], sample_rate_hz: int) -> None:
        """float32 (n,) at this rate; sound older than the span is discarded."""
        if not len(samples):
            return
        wide = samples.astype(np.float64)
        self._parts.append(_Part(len(samples), float(wide @ wide), float(np.abs(samples).max())))
        self._samples += len(samples)
        while self._samples - self._parts[0].samples >= self._span_s * sample_rate_hz:
            self._samples -= self._parts.popleft().samples

    def forget(self) -> None:
        """The source has stopped: there is no level any more."""
        self._parts.clear()
        self._samples = 0
