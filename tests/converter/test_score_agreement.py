"""Figures that decide whether a network may leave: against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from converter.score_agreement import label_figures, roc_auc
from device.hearing.bundle.contents import Label
from device.hearing.decision import OperatingPoint

POINT = OperatingPoint(0.5, 0.3, 1.0, 1.5, 0.0, 1.0, 2.0)
LABELS = (Label("cry", "alarm", "high", POINT), Label("other", "reject", "low", POINT))


@given(
    hnp.arrays(np.float32, 12, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])),
    st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_roc_auc_is_the_share_of_pairs_in_order(
    scores: np.ndarray[tuple[int], np.dtype[np.float32]], positive: list[bool]
) -> None:
    mask = np.array(positive)
    pairs = scores[mask][:, None] - scores[~mask][None, :]
    expected = float(np.mean((pairs > 0) + 0.5 * (pairs == 0))) if pairs.size else None
    assert roc_auc(scores, mask) == (None if expected is None else pytest.approx(expected))


def test_each_label_has_its_own_figures() -> None:
    as_float = np.array([[0.1, 0.9], [0.6, 0.4], [0.8, 0.2], [0.45, 0.5]], np.float32)
    as_int8 = np.array([[0.1, 0.9], [0.4, 0.4], [0.8, 0.2], [0.45, 0.9]], np.float32)
    target = np.array([[0, 1], [1, 0], [1, 0], [0, 1]], np.float32)
    cry, other = label_figures(LABELS, as_float, as_int8, target)
    assert (cry.label, other.label) == ("cry", "other")
    assert cry.mean_difference == pytest.approx(0.05, abs=1e-6)
    assert cry.largest_difference == pytest.approx(0.2, abs=1e-6)
    assert cry.same_side == 0.75
    assert other.same_side == 1.0
    assert (cry.auc_float, cry.auc_int8) == (1.0, 0.75)
    assert cry.least == pytest.approx(0.1)
    assert cry.most == pytest.approx(0.8)


def test_a_soft_target_counts_as_positive_from_one_half() -> None:
    scores = np.array([[0.1], [0.9]], np.float32)
    (figure,) = label_figures(LABELS[:1], scores, scores, np.array([[0.49], [0.5]], np.float32))
    assert figure.auc_float == 1.0


def test_figures_are_json() -> None:
    scores = np.array([[0.1], [0.9]], np.float32)
    (figure,) = label_figures(LABELS[:1], scores, scores, np.ones((2, 1), np.float32))
    values = figure.to_dict()
    assert values["auc_float"] is None
    assert all(value is None or type(value) in (str, float) for value in values.values())


def test_the_interval_of_what_is_lost_holds_zero_for_equal_scores_and_not_for_reversed_ones() -> None:
    rng = np.random.default_rng(0)
    target = np.repeat([[1.0], [0.0]], 100, axis=0).astype(np.float32)
    scores = (0.4 * target + rng.uniform(0.0, 0.6, target.shape)).astype(np.float32)
    (equal,) = label_figures(LABELS[:1], scores, scores, target)
    assert equal.auc_lost_95 == (0.0, 0.0)
    (worse,) = label_figures(LABELS[:1], scores, 1 - scores, target)
    assert worse.auc_lost_95 is not None
    assert 0 < worse.auc_lost_95[0] < (worse.auc_float or 0) - (worse.auc_int8 or 0) < worse.auc_lost_95[1]
    (alone,) = label_figures(LABELS[:1], scores[:100], scores[:100], target[:100])
    assert alone.auc_lost_95 is None
    assert worse.to_dict()["auc_lost_95"] == [round(bound, 6) for bound in worse.auc_lost_95]
