"""The batches of one epoch, drawn from the seed and the epoch's number alone, so that any epoch can be drawn again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.preparation.picture_mixup import mixed_pictures

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from training.train.system.prepared_parts import PreparedPart
    from training.train.system.system_recipes import SystemRecipe

    Float32 = npt.NDArray[np.float32]
    Batch = tuple[list[Float32], Float32]

LEAST_WINDOWS = 2
"""BatchNorm has no spread of one window: such a rest of an epoch is left out."""


def epoch_batches(part: PreparedPart, recipe: SystemRecipe, *, seed: int, epoch: int) -> Iterator[Batch]:
    """Inputs and targets of each batch, every window once."""
    rng = np.random.default_rng([seed, epoch, 0xBA7C])
    order = rng.permutation(len(part))
    for first in range(0, len(order), recipe.batch):
        chosen = order[first : first + recipe.batch]
        if len(chosen) >= min(LEAST_WINDOWS, len(part)):
            inputs, targets = [array[chosen] for array in part.inputs], part.targets[chosen]
            if recipe.mixup:
                inputs, targets = mixed_pictures(inputs, targets, rng, alpha=recipe.mixup)
            yield [masked(array, recipe.mask, rng) for array in inputs], targets


def batch_count(part: PreparedPart, recipe: SystemRecipe) -> int:
    """How many batches an epoch has."""
    full, rest = divmod(len(part), recipe.batch)
    return full + (rest >= min(LEAST_WINDOWS, len(part)) and rest > 0)


def masked(features: Float32, most: float, rng: np.random.Generator) -> Float32:
    """SpecAugment: in each window a run of frames and one of bins become the window's mean.

    Args:
        features: (n, frames, bins, 1).
        most: share of the frames, and of the bins, that is masked at most; 0 for none.
        rng: draws the runs.
    """
    if not most:
        return features
    copy = features.copy()
    for window in copy:
        mean = window.mean()
        for axis in (0, 1):
            length = int(rng.integers(0, int(most * window.shape[axis]) + 1))
            start = int(rng.integers(0, window.shape[axis] - length + 1))
            np.moveaxis(window, axis, 0)[start : start + length] = mean
    return copy
