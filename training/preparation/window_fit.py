"""Brings a stretch of sound to the length of a window: cut where it is longer, repeated where it is shorter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

Fit = Literal["start", "centre", "loudest"]
"""Which part of a longer stretch is kept."""

_STEPS_PER_WINDOW = 200


def fitted(samples: Float32, length: int, fit: Fit) -> Float32:
    """A stretch as one window: (n,) -> (length,).

    A shorter one is repeated, as the device repeats a recording that is shorter than its window; of a longer one the
    beginning, the middle, or the window with the most energy is kept; no samples give silence.
    """
    if not len(samples):
        return np.zeros(length, np.float32)
    if len(samples) <= length:
        return np.resize(samples, length)
    start = {"start": 0, "centre": (len(samples) - length) // 2}.get(fit)
    start = loudest_start(samples, length) if start is None else start
    return samples[start : start + length]


def loudest_start(samples: Float32, length: int) -> int:
    """Where the window of `length` samples with the most energy starts, the first of equals: (n,), n >= length."""
    step = max(1, length // _STEPS_PER_WINDOW)
    starts = np.arange(0, len(samples) - length + 1, step)
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    return int(starts[np.argmax(energy[starts + length] - energy[starts])])
