"""SE, SP, AS, HS and Score against examples worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data import tasks
from training.evaluation.lung_measures import (
    ADVENTITIOUS,
    ICBHI_TASKS,
    NORMAL,
    POOR,
    SPRSOUND_TASKS,
    LungScores,
    confusion,
    lung_scores,
)

BY_NAME = {task.name: task for task in (*SPRSOUND_TASKS, *ICBHI_TASKS)}


def test_task_1_1_by_hand() -> None:
    """4 of 5 normal events and 1 of 2 adventitious ones are right: SP .8, SE .5, AS .65, HS .8/1.3."""
    truth = [NORMAL] * 5 + [ADVENTITIOUS] * 2
    verdicts = [NORMAL] * 4 + [ADVENTITIOUS, ADVENTITIOUS, NORMAL]
    found = lung_scores(confusion(truth, verdicts, BY_NAME["SPRSound 1-1"].classes))
    assert found.named() == pytest.approx(
        {"SE": 0.5, "SP": 0.8, "AS": 0.65, "HS": 0.8 / 1.3, "Score": (0.65 + 0.8 / 1.3) / 2}
    )


def test_task_1_2_counts_a_wheeze_that_is_called_a_rhonchus_as_an_error() -> None:
    truth = [NORMAL, NORMAL, "Wheeze", "Wheeze", "Rhonchi", "Fine Crackle"]
    verdicts = [NORMAL, NORMAL, "Wheeze", "Rhonchi", "Rhonchi", "Coarse Crackle"]
    found = lung_scores(confusion(truth, verdicts, BY_NAME["SPRSound 1-2"].classes))
    assert (found.se, found.sp) == (0.5, 1.0)
    assert (found.average, found.harmonic) == pytest.approx((0.75, 2 / 3))


def test_in_tasks_2_1_and_2_2_poor_quality_must_be_called_so() -> None:
    """2 poor records, one of them found, and the only adventitious one found: SE 2 of 3; SP 1 of 2."""
    truth, verdicts = [NORMAL, NORMAL, POOR, POOR, ADVENTITIOUS], [NORMAL, POOR, POOR, NORMAL, ADVENTITIOUS]
    found = lung_scores(confusion(truth, verdicts, BY_NAME["SPRSound 2-1"].classes))
    assert (found.se, found.sp) == pytest.approx((2 / 3, 0.5))
    five = ["CAS" if name == ADVENTITIOUS else name for name in truth]
    said = ["DAS" if name == ADVENTITIOUS else name for name in verdicts]
    assert lung_scores(confusion(five, said, BY_NAME["SPRSound 2-2"].classes)).se == pytest.approx(1 / 3)


def test_icbhi_by_hand() -> None:
    """Of crackle, wheeze, both and normal (2 each) 1, 1, 0 and 2 are right: SE 2/6 in four classes, 5/6 in two."""
    four, two = BY_NAME["ICBHI 4 classes"], BY_NAME["ICBHI 2 classes"]
    truth = ["Crackle", "Crackle", "Wheeze", "Wheeze", "Both", "Both", NORMAL, NORMAL]
    verdicts = ["Crackle", "Wheeze", "Wheeze", NORMAL, "Crackle", "Wheeze", NORMAL, NORMAL]
    found = lung_scores(confusion(truth, verdicts, four.classes))
    assert (found.se, found.sp, found.average) == pytest.approx((1 / 3, 1.0, 2 / 3))
    coarse = [[two.class_of(name) or "" for name in names] for names in (truth, verdicts)]
    assert lung_scores(confusion(coarse[0], coarse[1], two.classes)).se == pytest.approx(5 / 6)


def test_without_a_positive_there_is_no_sensitivity_and_no_score() -> None:
    found = lung_scores(confusion([NORMAL, NORMAL], [NORMAL, ADVENTITIOUS], (NORMAL, ADVENTITIOUS)))
    assert found == LungScores(None, 0.5, None, None, None)


def test_without_a_normal_one_there_is_no_specificity() -> None:
    assert lung_scores(confusion([ADVENTITIOUS], [ADVENTITIOUS], (NORMAL, ADVENTITIOUS))).sp is None
    assert lung_scores(np.zeros((2, 2), np.int64)) == LungScores(None, None, None, None, None)


def test_where_all_is_wrong_the_harmonic_mean_is_0_and_no_division_fails() -> None:
    found = lung_scores(confusion([NORMAL, ADVENTITIOUS], [ADVENTITIOUS, NORMAL], (NORMAL, ADVENTITIOUS)))
    assert found == LungScores(0.0, 0.0, 0.0, 0.0, 0.0)


@given(st.lists(st.integers(0, 20), min_size=9, max_size=9))
def test_the_harmonic_mean_never_exceeds_the_average(cells: list[int]) -> None:
    found = lung_scores(np.array(cells).reshape(3, 3))
    if found.score is not None and found.harmonic is not None and found.average is not None:
        assert 0 <= found.harmonic <= found.score + 1e-12 <= found.average + 2e-12


def test_a_name_that_is_no_class_is_refused() -> None:
    with pytest.raises(ValueError, match="Squawk: the classes are Normal, Adventitious"):
        confusion(["Squawk"], [NORMAL], (NORMAL, ADVENTITIOUS))


def test_the_tasks_know_every_label_of_the_networks_that_are_trained_for_them() -> None:
    assert BY_NAME["SPRSound 1-2"].classes == tasks.BREATH_TYPES.labels
    assert BY_NAME["SPRSound 2-2"].classes == tasks.BREATH_RECORDS.labels
    for name in tasks.BREATH_TYPES.labels:
        assert BY_NAME["SPRSound 1-1"].class_of(name) == (NORMAL if name == NORMAL else ADVENTITIOUS)
        assert BY_NAME["ICBHI 4 classes"].class_of(name) in BY_NAME["ICBHI 4 classes"].classes
    assert BY_NAME["SPRSound 1-1"].class_of(POOR) is None
