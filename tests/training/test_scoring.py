"""Probabilities and the area under the curve."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.scoring import auc


@given(
    positive=st.lists(st.integers(0, 9), min_size=1, max_size=30),
    negative=st.lists(st.integers(0, 9), min_size=1, max_size=30),
)
def test_the_area_is_how_often_a_positive_scores_above_a_negative(positive: list[int], negative: list[int]) -> None:
    above = np.subtract.outer(positive, negative)
    expected = np.mean((above > 0) + 0.5 * (above == 0))
    measured = auc(np.array(positive, np.float32), np.array(negative, np.float32))
    assert abs(measured - expected) < 1e-9
