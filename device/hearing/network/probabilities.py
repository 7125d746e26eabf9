"""From a network's logits to probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]


def sigmoid(logits: Float32) -> Float32:
    """1 / (1 + exp(-x)), by tanh, which does not overflow; of any shape, in [0, 1]."""
    return (0.5 + 0.5 * np.tanh(0.5 * logits.astype(np.float64))).astype(np.float32)


def softmax(logits: Float32 | Float64) -> Float64:
    """exp(x) / sum(exp(x)) along the last axis; the largest is taken off first, so nothing overflows."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float64)
