"""MixUp of spectrogram pictures: weighted sums of two examples and of their targets.

H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018. For training batches alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]


def mixed_pictures(
    pictures: Sequence[Float32], targets: Float32, rng: np.random.Generator, *, alpha: float = 0.2
) -> tuple[list[Float32], Float32]:
    """A batch, each picture mixed with another of the batch.

    Args:
        pictures: for each input (n, frames, bins, 1).
        targets: (n, labels).
        rng: draws pairs and weights.
        alpha: of the Beta(alpha, alpha) distribution of the weights; the greater share is the first one's.

    Returns:
        Arrays of the same shapes; all inputs of one example are mixed alike.
    """
    count = len(targets)
    drawn = rng.beta(alpha, alpha, count)
    weight = np.maximum(drawn, 1 - drawn).astype(np.float32)
    other = rng.permutation(count)
    return [_weighted(one, one[other], weight) for one in pictures], _weighted(targets, targets[other], weight)


def _weighted(one: Float32, other: Float32, weight: Float32) -> Float32:
    share = weight.reshape(-1, *(1,) * (one.ndim - 1))
    mixed: Float32 = share * one + (1 - share) * other
    return mixed
