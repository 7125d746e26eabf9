"""How loud a stretch of sound is, and whether it is clipped or silent. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

SILENT_DBFS = -60.0
"""A block of 20 ms below this counts as silent."""

LOWEST_DBFS = -120.0
"""What digital silence is given."""

_BLOCK_S = 0.02
_FULL_SCALE = 0.999
_CLIPPED_RUN = 3  # samples in a row: a single one may be a true peak


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels of a stretch.

    Attributes:
        peak_dbfs: of the largest sample, `LOWEST_DBFS` or more.
        rms_dbfs: of the whole, 0 for a square wave of full scale.
        clipped: share of samples that stand at full scale, three or more in a row.
        silent: share of blocks of 20 ms below `SILENT_DBFS`.
        digital_silence: whether all samples are equal.
    """

    peak_dbfs: float
    rms_dbfs: float
    clipped: float
    silent: float
    digital_silence: bool


def levels_of(samples: npt.NDArray[np.float32], sample_rate_hz: int) -> Levels:
    """Levels of samples, float32 (n,), n >= 1."""
    blocks = np.array_split(samples, max(1, round(len(samples) / (_BLOCK_S * sample_rate_hz))))
    loudness = np.array([_dbfs(_rms(block)) for block in blocks])
    return Levels(
        peak_dbfs=_dbfs(float(np.max(np.abs(samples)))),
        rms_dbfs=_dbfs(_rms(samples)),
        clipped=_clipped(samples),
        silent=float(np.mean(loudness < SILENT_DBFS)),
        digital_silence=bool(np.all(samples == samples[0])),
    )


def _rms(samples: npt.NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _dbfs(amplitude: float) -> float:
    return max(LOWEST_DBFS, 20 * float(np.log10(max(amplitude, 1e-9))))


def _clipped(samples: npt.NDArray[np.float32]) -> float:
    """Share of samples in runs of `_CLIPPED_RUN` or more at full scale, of one sign."""
    share = 0
    for side in (samples >= _FULL_SCALE, samples <= -_FULL_SCALE):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], side.astype(np.int8), [0]])))
        lengths = edges[1::2] - edges[::2]
        share += int(lengths[lengths >= _CLIPPED_RUN].sum())
    return share / len(samples)
