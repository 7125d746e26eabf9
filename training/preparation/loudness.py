"""Level normalization: one level for every stretch of sound, without clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

LEVEL_DBFS = -20.0
HIGHEST_PEAK = 0.99


def rms(samples: Float32) -> float:
    """Root mean square of (n,), 0 for none."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def at_level(samples: Float32, rms_dbfs: float = LEVEL_DBFS) -> Float32:
    """Scaled to a level, or to a peak of `HIGHEST_PEAK` where that level would clip; silence stays: (n,) -> (n,)."""
    loudness = rms(samples)
    if loudness <= 0:
        return samples
    gain = min(10 ** (rms_dbfs / 20) / loudness, HIGHEST_PEAK / float(np.abs(samples).max()))
    scaled: Float32 = (samples * np.float64(gain)).astype(np.float32)
    return scaled


def at_level_of(reference: Float32, samples: Float32) -> Float32:
    """Scaled to the root mean square of another sound; silence is unchanged: (n,) -> (n,)."""
    wanted, found = rms(reference), rms(samples)
    if found <= 0:
        return samples
    scaled: Float32 = (samples * np.float64(wanted / found)).astype(np.float32)
    return scaled
