"""Verdicts from window scores, by hand, and parameters that validation chooses."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.datasets.annotated_recording import AnnotatedSpan
from training.evaluation.breath.record_scores import RecordScores
from training.evaluation.breath.verdicts import NEVER, Aggregation, can_tell, choose, counts, distribution, judge
from training.evaluation.lung_measures import ICBHI_TASKS, NORMAL, POOR, SPRSOUND_TASKS

TASKS = {task.name: task for task in (*SPRSOUND_TASKS, *ICBHI_TASKS)}
CLASSES = ("normal", "wheeze", "crackle", "both")


def record(
    rows: list[list[float]],
    *events: tuple[float, float, str],
    labels: tuple[str, ...] = ("Normal",),
    subject: str = "p",
    name: str = "sprsound",
) -> RecordScores:
    """Windows of two seconds, one second apart."""
    starts_s = np.arange(len(rows), dtype=np.float64)
    spans = tuple(AnnotatedSpan(*event) for event in events)
    scores = np.array(rows, np.float32)
    return RecordScores("a.wav", name, subject, len(rows) + 1.0, labels, spans, starts_s, starts_s + 2, scores)


def verdict(held: RecordScores, task: str, by: Aggregation, labels: tuple[str, ...] = CLASSES) -> str:
    (found,) = judge([held], labels, TASKS[task], by).verdicts
    return TASKS[task].classes[int(found)]


def test_independent_labels_become_exclusive_ones_by_multiplying() -> None:
    names, found = distribution(("wheeze", "crackle"), [[0.5, 0.2]])
    assert names == CLASSES
    assert found[0] == pytest.approx([0.4, 0.4, 0.1, 0.1])


def test_an_event_is_judged_by_the_windows_that_hold_it() -> None:
    """The event from 2 to 4 s lies wholly in the third window, half of it in the second and the fourth."""
    rows = [[0.0, 1, 0, 0], [0.8, 0.2, 0, 0], [0.1, 0.2, 0.7, 0], [0.8, 0.2, 0, 0], [0.0, 1, 0, 0]]
    held = record(rows, (2.0, 4.0, "Fine Crackle"))
    judged = judge([held], CLASSES, TASKS["SPRSound 1-1"], Aggregation(power=1.0))
    assert judged.abnormal == pytest.approx([1 - (0.1 + 0.4 + 0.4) / 2])
    nearer = judge([held], CLASSES, TASKS["SPRSound 1-1"], Aggregation(power=4.0))
    assert nearer.abnormal == pytest.approx([1 - (0.1 + 2 * 0.8 / 16) / (1 + 2 / 16)])
    assert verdict(held, "ICBHI 4 classes", Aggregation(power=4.0)) == "Crackle"
    assert verdict(held, "ICBHI 4 classes", Aggregation(abnormal_from=0.95)) == NORMAL


def test_an_event_that_was_scored_by_itself_keeps_its_score() -> None:
    held = record([[1.0, 0, 0, 0]], (0.0, 1.0, "Wheeze"))
    alone = RecordScores(
        **{name: getattr(held, name) for name in held.__slots__[:-1]}, event_probabilities=np.array([[0, 1, 0, 0]])
    )
    assert verdict(held, "SPRSound 1-1", Aggregation()) == NORMAL
    assert verdict(alone, "SPRSound 1-1", Aggregation()) == "Adventitious"


def test_a_crackle_in_few_windows_makes_the_record() -> None:
    rows = [[0.9, 0, 0.1, 0]] * 6 + [[0.1, 0, 0.9, 0]] * 2
    held = record(rows, labels=("DAS",))
    assert verdict(held, "SPRSound 2-2", Aggregation(share=0.25)) == "DAS"
    assert verdict(held, "SPRSound 2-1", Aggregation(share=1.0)) == NORMAL


def test_crackles_in_some_and_wheezes_in_other_windows_are_both() -> None:
    rows = [[0.1, 0.9, 0, 0]] * 3 + [[0.2, 0, 0.8, 0]] * 3
    held = record(rows, labels=("CAS & DAS",))
    assert verdict(held, "SPRSound 2-2", Aggregation(share=0.5, both_ratio=0.8)) == "CAS & DAS"
    assert verdict(held, "SPRSound 2-2", Aggregation(share=0.5, both_ratio=0.95)) == "CAS"


def test_poor_quality_is_the_models_word_or_its_uncertainty() -> None:
    named = ("normal", "cas", "das", "cas_das", "poor_quality")
    told = record([[0.2, 0, 0, 0, 0.8]], labels=("Poor Quality",))
    assert verdict(told, "SPRSound 2-1", Aggregation(poor_from=0.5), named) == POOR
    unsure = record([[0.25, 0.25, 0.25, 0.25]], labels=("Poor Quality",))
    assert verdict(unsure, "SPRSound 2-2", Aggregation(poor_from=0.9)) == POOR
    assert verdict(unsure, "SPRSound 2-2", Aggregation(poor_from=NEVER)) != POOR


def test_a_record_of_another_label_is_not_part_of_the_task() -> None:
    held = record([[1.0, 0, 0, 0]], labels=("Bronchial",))
    assert len(judge([held], CLASSES, TASKS["SPRSound 2-1"], Aggregation()).truth) == 0


def test_seven_classes_need_seven_labels() -> None:
    seven = ("normal", "rhonchi", "wheeze", "stridor", "coarse_crackle", "fine_crackle", "wheeze_crackle")
    assert can_tell(seven, TASKS["SPRSound 1-2"])
    assert not can_tell(CLASSES, TASKS["SPRSound 1-2"])
    assert can_tell(("wheeze", "crackle"), TASKS["SPRSound 2-2"])
    assert not can_tell(("cry",), TASKS["SPRSound 1-1"])
    held = record([[0.1, 0.1, 0.1, 0.6, 0, 0, 0.1]], (0.0, 2.0, "Stridor"))
    assert verdict(held, "SPRSound 1-2", Aggregation(), seven) == "Stridor"
    assert verdict(held, "ICBHI 4 classes", Aggregation(), seven) == "Wheeze"


def validation() -> list[RecordScores]:
    """A network that is always too sure: normal events score 0.6 abnormal, others 0.9."""
    rows = {"Normal": [0.4, 0.6, 0, 0], "Wheeze": [0.1, 0.9, 0, 0]}
    return [record([rows[label]], (0.0, 2.0, label), subject=f"{label}{n}") for label in rows for n in range(4)]


def test_validation_chooses_the_threshold() -> None:
    task = TASKS["SPRSound 1-1"]
    chosen = choose(validation(), CLASSES, task)
    assert chosen is not None
    assert 0.6 < chosen.abnormal_from <= 0.9
    assert counts(judge(validation(), CLASSES, task, chosen), task).tolist() == [[4, 0], [0, 4]]
    assert counts(judge(validation(), CLASSES, task, Aggregation()), task).tolist() == [[0, 4], [0, 4]]


def test_nothing_is_chosen_where_a_class_is_missing() -> None:
    assert choose(validation()[:4], CLASSES, TASKS["SPRSound 1-1"]) is None
    assert choose([], CLASSES, TASKS["SPRSound 2-1"]) is None


def test_of_wheeze_crackle_and_their_types_the_types_answer_the_seven_classes_and_the_two_all_others() -> None:
    labels = (
        "wheeze", "crackle", "normal", "poor_quality", "sibilant_wheeze", "rhonchi", "stridor", "fine_crackle",
        "coarse_crackle", "wheeze_crackle",
    )  # fmt: skip
    assert all(can_tell(labels, task) for task in TASKS.values())
    assert not can_tell(tuple(name for name in labels if name != "stridor"), TASKS["SPRSound 1-2"])
    held = record([[0.7, 0.1, 0.05, 0.2, 0.1, 0.6, 0.0, 0.1, 0.0, 0.0]], (0.0, 2.0, "Rhonchi"), labels=("CAS",))
    assert verdict(held, "SPRSound 1-2", Aggregation(), labels) == "Rhonchi"
    assert verdict(held, "ICBHI 4 classes", Aggregation(), labels) == "Wheeze"
    judged = judge([held], labels, TASKS["SPRSound 1-1"], Aggregation())
    assert judged.abnormal == pytest.approx([1 - 0.3 * 0.9])
    assert verdict(held, "SPRSound 2-1", Aggregation(poor_from=0.3), labels) == "Adventitious"
    assert verdict(held, "SPRSound 2-1", Aggregation(poor_from=0.15), labels) == POOR
    sibilant = record([[0.7, 0.1, 0.05, 0.0, 0.6, 0.1, 0.0, 0.1, 0.0, 0.0]], (0.0, 2.0, "Wheeze"))
    assert verdict(sibilant, "SPRSound 1-2", Aggregation(), labels) == "Wheeze"
