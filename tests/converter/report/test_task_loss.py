"""The measure of each kind of task in float and in int8, as training computes it, and what is lost by subject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from converter.report.task_loss import task_loss
from device.errors import BundleError
from training.train.judging.label_figures import figures
from training.train.judging.task_measures import measure_name, task_measure

if TYPE_CHECKING:
    from training.networks.network_form import Activation

KINDS: tuple[tuple[tuple[str, ...], Activation], ...] = (
    (("wheeze", "crackle"), "sigmoid"),
    (("cry",), "sigmoid"),
    (("normal", "wheeze", "crackle", "both"), "softmax"),
    (("hungry", "other"), "softmax"),
)


@dataclass
class Run:
    """What `task_loss` reads of a run."""

    name: str
    record: dict[str, Any]
    predicted: dict[str, Any]


def run_of(labels: tuple[str, ...], activation: Activation, seed: int = 0) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(seed)
    each = np.eye(len(labels))[np.arange(240) % len(labels)]
    target = (each > 0.5 if activation == "softmax" else rng.random((240, len(labels))) < 0.4).astype(np.float32)
    scores = (0.2 + 0.5 * target + rng.normal(0, 0.2, target.shape)).clip(0, 1).astype(np.float32)
    thresholds = None if activation == "softmax" else dict.fromkeys(labels, 0.42)
    record = {
        "labels": list(labels),
        "activation": activation,
        "thresholds": thresholds,
        "measure": measure_name(labels, activation),
    }
    predicted = {"target": target, "subject": np.array([f"s{index % 12}" for index in range(240)])}
    return Run("one", record, predicted), scores


@pytest.mark.parametrize(("labels", "activation"), KINDS)
def test_it_is_the_measure_by_which_training_judges(labels: tuple[str, ...], activation: Activation) -> None:
    run, scores = run_of(labels, activation)
    target = run.predicted["target"]
    if run.record["measure"] == "macro F1":
        expected = figures(target > 0.5, scores >= np.float32(0.42), labels)["averages"]["macro"]["f1"]
    else:
        expected = task_measure(target, scores.astype(np.float64), labels, activation)
    found = task_loss(run, scores, scores)
    assert found.measure == measure_name(labels, activation)
    assert found.in_float == found.in_int8 == pytest.approx(expected, abs=1e-9)
    assert (found.lost_95, found.equal_decisions) == ((0.0, 0.0), 1.0)


@pytest.mark.parametrize(("labels", "activation"), KINDS)
def test_a_worse_network_loses_and_the_interval_says_how_surely(
    labels: tuple[str, ...], activation: Activation
) -> None:
    run, scores = run_of(labels, activation)
    worse = np.random.default_rng(1).random(scores.shape).astype(np.float32)
    found = task_loss(run, scores, worse)
    low, high = found.lost_95
    assert 0 < low < found.in_float - found.in_int8 < high
    assert found.equal_decisions < 0.9


def test_another_measure_is_refused() -> None:
    run, scores = run_of(("cry",), "sigmoid")
    run.record["measure"] = "guesses"
    with pytest.raises(BundleError, match='judged by "guesses"; known are macro F1'):
        task_loss(run, scores, scores)
