"""The soft labeller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.train.soft_labels import SoftLabeller

if TYPE_CHECKING:
    from pathlib import Path


def test_a_saved_soft_labeller_gives_the_same_probabilities(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = ((6,), (6,), (6, 4), (4,), (4, 1), (1,))
    labeller = SoftLabeller(*(rng.uniform(0.5, 1.5, shape).astype(np.float32) for shape in shapes))
    labeller.save(tmp_path / "soft_labeller.npz")
    same = SoftLabeller.load(tmp_path / "soft_labeller.npz")
    embeddings = rng.normal(0.0, 1.0, (5, 6)).astype(np.float32)
    assert np.array_equal(labeller(embeddings), same(embeddings))
