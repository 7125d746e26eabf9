"""Batches drawn from a pool of chunks: each window is used several times with other masks."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from training.train.chunks import chunks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from training.train.chunks import Chunk, Recipe
    from training.train.train_settings import TrainSettings

    Float32 = npt.NDArray[np.float32]
    Rng = np.random.Generator


def batches(recipe: Recipe, settings: TrainSettings) -> Iterator[tuple[Any, Any, Any]]:
    """`settings.steps` batches of (inputs, targets, weights), as `train_on_batch` expects them."""
    rng = np.random.default_rng([settings.seed, 0xBA7C])
    pool: deque[Chunk] = deque(maxlen=settings.pool_chunks)
    steps = steps_per_chunk(recipe, settings)
    for index, chunk in enumerate(chunks(recipe, -(-settings.steps // steps))):
        pool.append(chunk)
        for _ in range(min(steps, settings.steps - index * steps)):
            yield _batch(rng, pool, settings)


def steps_per_chunk(recipe: Recipe, settings: TrainSettings) -> int:
    """Batches between two chunks, so that a window is used `uses` times."""
    return max(1, round(settings.uses * recipe.chunk_windows / settings.batch_windows))


def _batch(rng: Rng, pool: Sequence[Chunk], settings: TrainSettings) -> tuple[Any, Any, Any]:
    size = len(pool[0].targets)
    chosen = rng.integers(len(pool) * size, size=settings.batch_windows)
    chunk_index, window_index = np.divmod(chosen, size)

    def gathered(name: str) -> Float32:
        return np.stack([getattr(pool[i], name)[j] for i, j in zip(chunk_index, window_index, strict=True)]).astype(
            np.float32
        )

    inputs = masked(rng, gathered("log_mel"), gathered("mfcc"), settings.masked_share)
    soft = (1 - settings.soft_label_share) * gathered("targets") + settings.soft_label_share * gathered("soft_labels")
    targets = np.clip(soft, settings.smoothing, 1 - settings.smoothing)[:, None]
    weights = gathered("weights")
    return list(inputs), [targets, gathered("embeddings")], [weights, np.ones_like(weights)]


def masked(rng: Rng, log_mel: Float32, mfcc: Float32, share: float) -> tuple[Float32, Float32]:
    """SpecAugment: the same frames in both inputs, bins in each, are set to their mean, 0.

    (n, frames, bins) -> (n, frames, bins, 1), for a share of the n windows.
    """
    for row in np.flatnonzero(rng.random(len(log_mel)) < share):
        first, count = int(rng.integers(log_mel.shape[1])), int(rng.integers(1, 9))
        for one in (log_mel, mfcc):
            one[row, first : first + count] = 0.0
            lowest, height = int(rng.integers(one.shape[2])), int(rng.integers(1, 1 + one.shape[2] // 6))
            one[row, :, lowest : lowest + height] = 0.0
    return log_mel[..., None], mfcc[..., None]
