"""Weighted sums of pictures and of their targets."""

from __future__ import annotations

import numpy as np
import pytest

from training.preparation.picture_mixup import mixed_pictures


def test_pictures_and_targets_are_mixed_by_the_same_weights() -> None:
    """A picture that is its target everywhere stays it: any difference in weight or partner would show."""
    targets = np.random.default_rng(0).random((16, 1)).astype(np.float32)
    pictures = [np.broadcast_to(targets[:, :, None, None], shape).copy() for shape in ((16, 5, 4, 1), (16, 3, 2, 1))]
    mixed, mixed_targets = mixed_pictures(pictures, targets, np.random.default_rng(1))
    assert [one.shape for one in mixed] == [(16, 5, 4, 1), (16, 3, 2, 1)]
    for one in mixed:
        assert np.abs(one - mixed_targets[:, :, None, None]).max() < 1e-6
    assert not np.allclose(mixed_targets, targets)


def test_each_example_keeps_the_greater_share_of_itself_and_targets_sum_as_before() -> None:
    targets = np.eye(4, dtype=np.float32)[np.arange(40) % 4]
    _, mixed = mixed_pictures([np.zeros((40, 1, 1, 1), np.float32)], targets, np.random.default_rng(2), alpha=1.0)
    assert (mixed.argmax(axis=1) == targets.argmax(axis=1)).all()
    assert mixed.sum(axis=1) == pytest.approx(np.ones(40), abs=1e-6)
    assert mixed.dtype == np.float32
