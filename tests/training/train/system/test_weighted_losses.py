"""The losses, against formulas in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from training.train.judging.task_measures import mean_loss
from training.train.system.weighted_losses import label_weights, loss_function

LOGITS = np.array([[2.0, -1.0], [-30.0, 30.0], [0.5, 0.1]], np.float32)
TARGETS = np.array([[1, 0], [0, 1], [1, 1]], np.float32)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_without_weights_they_are_the_plain_cross_entropy(activation: str) -> None:
    targets = TARGETS if activation == "sigmoid" else np.eye(2, dtype=np.float32)[[0, 1, 1]]
    loss = loss_function(activation, np.ones(2, np.float32))  # type: ignore[arg-type]
    values = ops.convert_to_numpy(loss(ops.convert_to_tensor(targets), ops.convert_to_tensor(LOGITS)))
    assert values.shape == (3,)
    assert values.mean() == pytest.approx(mean_loss(targets, LOGITS, activation), rel=1e-5)  # type: ignore[arg-type]


def test_a_weight_multiplies_what_its_label_costs_where_it_holds() -> None:
    weights = np.array([3.0, 1.0], np.float32)
    loss = loss_function("sigmoid", weights)
    values = ops.convert_to_numpy(loss(ops.convert_to_tensor(TARGETS), ops.convert_to_tensor(LOGITS)))
    expected = [(3 * np.log1p(np.exp(-2.0)) + np.log1p(np.exp(-1.0))) / 2]
    assert values[0] == pytest.approx(expected[0], rel=1e-5)


def test_weights_are_negatives_over_positives_or_equal_shares_of_each_class() -> None:
    several = np.array([[1, 0], [0, 0], [0, 0], [0, 0]], np.float32)
    assert label_weights(several, "sigmoid").tolist() == [3.0, 1.0]
    exclusive = np.eye(2, dtype=np.float32)[[0, 0, 0, 1]]
    weights = label_weights(exclusive, "softmax")
    assert (weights * exclusive.sum(axis=0)).tolist() == pytest.approx([2.0, 2.0])
    assert label_weights(np.eye(1000, 1, dtype=np.float32), "sigmoid").tolist() == [20.0]
