"""Removes what is silent from a stretch of sound, and says where the rest was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

STEP_S = 0.01
BELOW_LOUDEST_DB = 40.0
LEAST_SILENCE_S = 0.1


def sounding_spans(
    samples: Float32,
    sample_rate_hz: int,
    *,
    below_loudest_db: float = BELOW_LOUDEST_DB,
    least_silence_s: float = LEAST_SILENCE_S,
) -> list[tuple[int, int]]:
    """Where a sound is no silence: (n,) -> start and end samples of spans, in their order.

    Args:
        samples: any length; digital silence has no spans.
        sample_rate_hz: of the samples.
        below_loudest_db: a step of 10 ms is silent if it is farther than this below the loudest step.
        least_silence_s: shorter silences stay, so that a breath is not torn apart.
    """
    step = max(1, round(STEP_S * sample_rate_hz))
    count = -(-len(samples) // step)
    padded = np.pad(samples.astype(np.float64), (0, count * step - len(samples)))
    power = np.mean(np.square(padded.reshape(count, step)), axis=1) if count else np.zeros(0)
    if not count or power.max() <= 0:
        return []
    loud = np.flatnonzero(power >= power.max() * 10 ** (-below_loudest_db / 10))
    breaks = np.flatnonzero(np.diff(loud) > max(1, round(least_silence_s / STEP_S)))
    firsts, lasts = loud[np.r_[0, breaks + 1]], loud[np.r_[breaks, len(loud) - 1]]
    return [
        (int(first) * step, min(int(last + 1) * step, len(samples))) for first, last in zip(firsts, lasts, strict=True)
    ]


def without_silence(samples: Float32, sample_rate_hz: int) -> Float32:
    """The sounding spans joined: (n,) -> (m,), m <= n; all of it where nothing sounds."""
    spans = sounding_spans(samples, sample_rate_hz)
    return np.concatenate([samples[start:end] for start, end in spans]) if spans else samples
