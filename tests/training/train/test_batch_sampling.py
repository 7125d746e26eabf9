"""Batches: masks."""

from __future__ import annotations

import numpy as np

from training.train.batch_sampling import masked


def test_masks_hide_the_same_frames_from_both_inputs() -> None:
    ones = [np.ones((50, 62, bins), np.float32) for bins in (64, 40)]
    log_mel, mfcc = masked(np.random.default_rng(0), ones[0], ones[1], 0.5)
    assert log_mel.shape == (50, 62, 64, 1)
    hidden = log_mel.sum(axis=(2, 3)) == 0
    assert np.array_equal(hidden, mfcc.sum(axis=(2, 3)) == 0)
    assert 10 < np.count_nonzero(hidden.sum(axis=1)) < 40
