"""The figures that choose checkpoints, thresholds and temperatures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from training.train.judging.chosen_thresholds import choose
from training.train.judging.task_measures import (
    GRID,
    average_score,
    best_temperature,
    joint_thresholds,
    mean_loss,
    measure_name,
    probabilities,
    task_measure,
    youden_threshold,
)


def two_labels(count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Targets and logits of two labels, one better heard than the other."""
    rng = np.random.default_rng(3)
    targets = (rng.random((count, 2)) < (0.3, 0.15)).astype(np.float32)
    logits = (2 * targets - 1) * (1.5, 0.7) + rng.normal(0, 1, (count, 2))
    return targets, logits.astype(np.float32)


def macro_f1(targets: np.ndarray, found: np.ndarray) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(targets > 0.5, found, average="macro", zero_division=0))


def test_no_other_pair_of_thresholds_has_a_higher_macro_f1() -> None:
    targets, logits = two_labels()
    scores = probabilities(logits, "sigmoid")
    chosen = joint_thresholds(targets, scores)
    tried = [macro_f1(targets, scores >= np.array(pair)) for pair in itertools.product(GRID, GRID)]
    assert chosen.merit == pytest.approx(max(tried))
    assert macro_f1(targets, scores >= np.array(chosen.thresholds)) == pytest.approx(max(tried))
    assert (GRID[0], GRID[-1], len(GRID)) == (0.2, 0.6, 21)


def test_youdens_threshold_parts_what_can_be_parted() -> None:
    targets = np.array([[0], [0], [1], [1]], np.float32)
    chosen = youden_threshold(targets, np.array([[0.1], [0.3], [0.42], [0.9]]))
    assert 0.3 < chosen.thresholds[0] <= 0.42
    assert chosen.merit == 1.0


def test_the_average_score_counts_an_abnormal_breath_only_under_its_own_name() -> None:
    truth = np.array([0, 0, 0, 0, 1, 1, 2, 3])
    found = np.array([0, 0, 0, 1, 1, 2, 2, 0])
    assert average_score(truth, found, 0) == pytest.approx((2 / 4 + 3 / 4) / 2)


@pytest.mark.parametrize(
    ("labels", "activation", "name"),
    [
        (("cry",), "sigmoid", "ROC AUC"),
        (("wheeze", "crackle"), "sigmoid", "macro F1"),
        (("Normal", "Wheeze"), "softmax", "average of sensitivity and specificity"),
        (("hungry", "other"), "softmax", "balanced accuracy"),
    ],
)
def test_each_kind_of_task_has_its_measure_and_a_perfect_network_reaches_1(
    labels: tuple[str, ...], activation: str, name: str
) -> None:
    rng = np.random.default_rng(0)
    targets = np.eye(max(2, len(labels)), dtype=np.float32)[rng.integers(0, 2, 40)][:, : len(labels)]
    scores = probabilities(20 * targets - 10, activation)  # type: ignore[arg-type]
    assert measure_name(labels, activation) == name  # type: ignore[arg-type]
    assert task_measure(targets, scores, labels, activation) == 1.0  # type: ignore[arg-type]


def test_one_class_alone_gives_no_area() -> None:
    assert task_measure(np.zeros((3, 1), np.float32), np.full((3, 1), 0.2), ("cry",), "sigmoid") == 0.5


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_too_sure_logits_are_cooled_to_the_temperature_that_heated_them(activation: str) -> None:
    rng = np.random.default_rng(5)
    true_logits = rng.normal(0, 2, (20_000, 3)).astype(np.float32)
    chances = probabilities(true_logits, activation)  # type: ignore[arg-type]
    if activation == "sigmoid":
        targets = (rng.random(chances.shape) < chances).astype(np.float32)
    else:
        drawn = (rng.random((len(chances), 1)) > chances.cumsum(axis=1)).sum(axis=1)
        targets = np.eye(3, dtype=np.float32)[drawn]
    assert best_temperature(targets, 3 * true_logits, activation) == pytest.approx(3.0, rel=0.06)  # type: ignore[arg-type]


def test_the_plain_loss_is_the_mean_negative_logarithm_of_what_was_right() -> None:
    logits = np.array([[2.0, -1.0, 0.5], [-3.0, 0.0, 80.0]], np.float32)
    targets = np.array([[1, 0, 0], [0, 0, 1]], np.float32)
    shares, chances = probabilities(logits, "softmax"), probabilities(logits, "sigmoid")
    assert mean_loss(targets, logits, "softmax") == pytest.approx(-np.log(shares[[0, 1], [0, 2]]).mean())
    by_label = np.where(targets > 0, -np.log(chances), -np.log(np.maximum(1 - chances, 1e-300)))
    assert mean_loss(targets, logits, "sigmoid") == pytest.approx(by_label.mean())


def test_probabilities_of_huge_logits_are_finite() -> None:
    logits = np.array([[1e4, -1e4]], np.float32)
    assert probabilities(logits, "sigmoid").tolist() == [[1.0, 0.0]]
    assert probabilities(logits, "softmax").tolist() == [[1.0, 0.0]]


def test_exclusive_labels_take_the_most_probable_and_have_no_threshold() -> None:
    choice = choose(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), "softmax")
    assert choice.to_dict(("a", "b", "c"))["thresholds"] is None
    assert choice.decided(np.array([[0.3, 0.36, 0.34]])).tolist() == [[False, True, False]]


def test_thresholds_hold_for_the_cooled_probabilities() -> None:
    targets, logits = two_labels()
    choice = choose(targets, 4 * logits, "sigmoid")
    assert choice.temperature > 1.5
    found = choice.decided(choice.scores(4 * logits))
    assert choice.surface is not None
    assert macro_f1(targets, found) == pytest.approx(choice.surface.merit)
