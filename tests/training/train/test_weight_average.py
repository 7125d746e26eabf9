"""The running average of weights."""

from __future__ import annotations

import numpy as np
import pytest

from training.train.weight_average import WeightAverage


def test_the_average_forgets_the_first_weights_and_settles_on_the_last() -> None:
    average = WeightAverage([np.zeros(3, np.float32)], decay=0.9)
    for _ in range(200):
        average.add([np.ones(3, np.float32)])
    assert average.weights[0] == pytest.approx(np.ones(3), abs=1e-3)
