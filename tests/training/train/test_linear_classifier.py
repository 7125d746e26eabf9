"""The logistic regression, on classes whose centres are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.train.linear_classifier import fit_classifier

if TYPE_CHECKING:
    import numpy.typing as npt


def _cloud(centre: float, count: int, seed: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(centre, 1.0, (count, 6)).astype(np.float32)


def test_a_classifier_separates_two_clouds() -> None:
    inputs = np.concatenate([_cloud(1.5, 400, 1), _cloud(-1.5, 4000, 2)])
    targets = np.r_[np.ones(400), np.zeros(4000)].astype(np.float32)
    classifier = fit_classifier(inputs, targets, 1e-3)
    assert np.mean((classifier(inputs) >= 0.5) == (targets > 0)) > 0.99
    assert ((classifier(inputs) >= 0) & (classifier(inputs) <= 1)).all()
