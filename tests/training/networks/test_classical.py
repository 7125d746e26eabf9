"""The classical baselines learn what can be told, repeat by seed, and cope with labels that training has not."""

from __future__ import annotations

import numpy as np
import pytest

from training.networks import classical
from training.networks.classical import KINDS, Kind, fit_classical, summary_of

BINS = 6


@pytest.fixture(autouse=True)
def _small_forest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classical, "TREES", 30)


def windows(classes: list[int], seed: int = 0) -> list[np.ndarray]:
    """Noise of (20 frames, 6 bins), in which the bin of the class is louder."""
    rng = np.random.default_rng(seed)
    array = rng.standard_normal((len(classes), 20, BINS, 1)).astype(np.float32)
    for row, kind in zip(array, classes, strict=True):
        row[:, kind] += 2.0
    return [array]


def one_hot(classes: list[int], labels: int) -> np.ndarray:
    return np.eye(labels, dtype=np.float32)[classes]


TRAIN, TEST = [0, 1, 2] * 20, [0, 1, 2] * 10


@pytest.mark.parametrize("kind", KINDS)
def test_exclusive_labels_are_recognized(kind: Kind) -> None:
    model = fit_classical(kind, windows(TRAIN), one_hot(TRAIN, 3), "softmax", 1)
    logits = model.logits(windows(TEST, seed=9))
    assert logits.shape == (30, 3)
    assert (logits.argmax(axis=1) == TEST).mean() > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_labels_that_hold_together_are_recognized_each_by_itself(kind: Kind) -> None:
    rng = np.random.default_rng(2)
    targets = (rng.random((80, 2)) > 0.5).astype(np.float32)
    array = rng.standard_normal((80, 20, BINS, 1)).astype(np.float32)
    array[..., 0] += 2.0 * np.pad(targets, ((0, 0), (0, BINS - 2)))[:, None, :]
    model = fit_classical(kind, [array[:60]], targets[:60], "sigmoid", 1)
    assert ((model.logits([array[60:]]) > 0) == (targets[60:] > 0.5)).mean() > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_that_training_has_not_is_never_taken(kind: Kind) -> None:
    exclusive = fit_classical(kind, windows([0, 1] * 20), one_hot([0, 1] * 20, 4), "softmax", 1)
    assert set(exclusive.logits(windows(TEST)).argmax(axis=1)) <= {0, 1}
    targets = np.stack([one_hot([0, 1] * 20, 2)[:, 0], np.zeros(40, np.float32)], axis=1)
    apart = fit_classical(kind, windows([0, 1] * 20), targets, "sigmoid", 1)
    assert (apart.logits(windows(TEST))[:, 1] == -10).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides(kind: Kind) -> None:
    one, two = (
        fit_classical(kind, windows(TRAIN), one_hot(TRAIN, 3), "softmax", 5).logits(windows(TEST)) for _ in range(2)
    )
    assert np.array_equal(one, two)


def test_a_window_is_summarized_by_each_bins_distribution_over_time() -> None:
    frames = np.arange(11, dtype=np.float32)[None, :, None, None] * np.array([1, -1], np.float32)[None, None, :, None]
    assert summary_of([frames])[0] == pytest.approx([5, -5, 3.1623, 3.1623, 1, -9, 9, -1], abs=1e-3)
    assert summary_of([frames, frames]).shape == (1, 16)
