"""Balanced accuracy against the majority class, and what abstaining buys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.abstention import (
    JudgedPart,
    abstain_threshold,
    balanced_accuracy,
    coverage_curve,
    cross_validated_figures,
)

if TYPE_CHECKING:
    from training.evaluation.measured import Figure


def part(truth: list[int], hungry: list[float], prefix: str = "s") -> JudgedPart:
    """Two labels; each item has a subject of its own."""
    probability = np.stack([hungry, 1 - np.array(hungry)], axis=1)
    names = np.array([f"{prefix}{number}" for number in range(len(truth))])
    return JudgedPart(names, np.eye(2)[truth], probability)


def find(figures: tuple[Figure, ...], system: str, measure: str, of: str = "all") -> Figure:
    (found,) = (one for one in figures if (one.system, one.measure) == (system, measure) and one.of.startswith(of))
    return found


def test_a_model_that_always_says_the_majority_is_at_chance() -> None:
    judged = part([0] * 8 + [1] * 2, [0.9] * 10)
    assert balanced_accuracy(judged.truth, judged.answer) == 0.5
    assert np.mean(judged.truth == judged.answer) == 0.8


def test_no_item_has_no_accuracy() -> None:
    assert np.isnan(balanced_accuracy(np.zeros(0, np.intp), np.zeros(0, np.intp)))


def test_the_curve_goes_from_all_to_the_surest() -> None:
    curve = coverage_curve(part([0, 0, 1, 1], [0.9, 0.6, 0.4, 0.7]))
    assert [(round(one.threshold, 2), one.coverage) for one in curve] == [(0.6, 1.0), (0.7, 0.5), (0.9, 0.25)]
    assert [one.balanced_accuracy for one in curve] == [0.75, 0.5, 1.0]


def test_the_threshold_is_the_lowest_that_reaches_what_is_wanted() -> None:
    judged = part([0, 0, 1, 1, 0, 1], [0.95, 0.9, 0.05, 0.1, 0.45, 0.55])
    assert abstain_threshold(judged, 0.6) == pytest.approx(0.55)
    assert abstain_threshold(judged, 0.9) == pytest.approx(0.9)


def test_a_model_that_only_knows_the_majority_never_answers() -> None:
    """Its surest answers are all right and all of one label: that is no recognition."""
    judged = part([0, 0, 0, 0, 1, 1], [0.99, 0.98, 0.97, 0.96, 0.6, 0.7])
    assert abstain_threshold(judged, 0.7) is None


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=40), st.floats(0.5, 1.0))
def test_what_is_answered_reaches_what_was_wanted_on_validation(items: list[tuple[bool, float]], wanted: float) -> None:
    judged = part([int(one) for one, _ in items], [score for _, score in items])
    threshold = abstain_threshold(judged, wanted)
    if threshold is not None:
        held = judged.confidence >= threshold
        assert balanced_accuracy(judged.truth[held], judged.answer[held]) >= wanted


def test_figures_of_all_folds_stand_beside_the_majority() -> None:
    folds = [
        (
            part([0] * 16 + [1] * 4, [0.9] * 16 + [0.1] * 4, f"v{fold}-"),
            part([0] * 16 + [1] * 4, [0.8] * 20, f"t{fold}-"),
        )
        for fold in range(3)
    ]
    figures = cross_validated_figures("net", folds, wanted=0.8, rng=np.random.default_rng(0))
    assert find(figures, "net", "balanced accuracy").value == 0.5
    assert find(figures, "majority class", "balanced accuracy").value == 0.5
    accuracy = find(figures, "majority class", "accuracy")
    assert accuracy.value == pytest.approx(0.8)
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert 0.65 < accuracy.low < 0.8 < accuracy.high < 0.95
    assert (accuracy.subjects, accuracy.items) == (60, 60)
    # Each fold abstains below 0.9, which it learned on validation: nothing of the test part is answered.
    assert find(figures, "net", "coverage", "answers").value == 0.0
    assert find(figures, "net", "balanced accuracy", "answers").value is None


def test_one_recorder_with_many_recordings_widens_the_interval() -> None:
    truth, hungry = [0, 1] * 30, [0.9, 0.1] * 15 + [0.9, 0.9] * 15
    apart = part(truth, hungry)
    together = JudgedPart(np.array(["a"] * 30 + ["b"] * 30), apart.target, apart.probability)
    spreads = [
        find(cross_validated_figures("net", [(one, one)], wanted=0.9, rng=np.random.default_rng(0)), "net", "accuracy")
        for one in (apart, together)
    ]
    widths = [(one.high or 0.0) - (one.low or 0.0) for one in spreads]
    assert widths[1] > 1.5 * widths[0]


def test_a_subject_that_is_tested_twice_is_refused() -> None:
    judged = part([0, 1], [0.9, 0.1])
    with pytest.raises(ValueError, match='subject "s0" is tested in two folds'):
        cross_validated_figures("net", [(judged, judged), (judged, judged)], wanted=0.5, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="no folds"):
        cross_validated_figures("net", [], wanted=0.5, rng=np.random.default_rng(0))
