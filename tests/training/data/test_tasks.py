"""What a collection's labels count as in each task."""

from __future__ import annotations

import pytest

from device.errors import ConfigError
from training.data.tasks import (
    ABNORMAL,
    BREATH_CLASSES,
    BREATH_SOUNDS,
    BREATH_TYPES,
    CRY,
    CRY_REASON,
    SCREAM,
    TASKS,
    find_task,
    own_task,
)


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_every_map_leads_to_labels_of_its_task(task: object) -> None:
    task = TASKS[getattr(task, "name", "")]
    assert {name for mapped in task.label_map.values() for name in mapped} == set(task.labels) - {""}
    assert all(label == label.casefold() for label in task.label_map)


@pytest.mark.parametrize(
    ("label", "target"),
    [
        ("Normal", (0.0, 0.0)),
        ("Wheeze", (1.0, 0.0)),
        ("Rhonchi", (1.0, 0.0)),
        ("Stridor", (1.0, 0.0)),
        ("Fine Crackle", (0.0, 1.0)),
        ("Coarse Crackle", (0.0, 1.0)),
        ("Wheeze+Crackle", (1.0, 1.0)),
        ("Crackle+Wheeze", (1.0, 1.0)),
        ("Poor Quality", None),
        ("Cough", None),
    ],
)
def test_the_labels_of_sprsound_stand_for_those_of_icbhi(label: str, target: tuple[float, ...] | None) -> None:
    assert BREATH_SOUNDS.target_of([label]) == target


def test_four_classes_have_exactly_one() -> None:
    assert BREATH_CLASSES.target_of(["Normal"]) == (1, 0, 0, 0)
    assert BREATH_CLASSES.target_of(["Normal", "Wheeze"]) == (0, 1, 0, 0)
    assert BREATH_CLASSES.target_of(["Crackle", "Wheeze"]) == (0, 0, 0, 1)
    assert BREATH_CLASSES.target_of(["CAS & DAS"]) == (0, 0, 0, 1)


def test_two_event_types_at_once_contradict_each_other() -> None:
    assert BREATH_TYPES.target_of(["Rhonchi", "Stridor"]) is None
    assert sum(BREATH_TYPES.target_of(["Rhonchi"]) or ()) == 1


@pytest.mark.parametrize(
    ("label", "target"),
    [
        ("scream", (1, 0, 0)),
        ("glass_breaking", (0, 1, 0)),
        ("siren", (0, 0, 1)),
        ("cry", (0, 0, 0)),
        ("clock_alarm", (0, 0, 0)),
        ("distress_acted", None),
    ],
)
def test_breaking_glass_and_sirens_are_labels_beside_the_scream(label: str, target: tuple[float, ...] | None) -> None:
    assert ABNORMAL.target_of([label]) == target
    assert SCREAM.target_of([label]) == (target and target[:1])


@pytest.mark.parametrize("hard", ["cat", "speech", "scream", "baby_laugh", "animal", "laughing"])
def test_what_is_easily_mistaken_for_a_cry_is_a_negative(hard: str) -> None:
    assert CRY.target_of([hard]) == (0,)


def test_acted_distress_is_neither_a_cry_nor_a_scream_nor_a_negative() -> None:
    labels = ("speech", "distress_acted")
    assert CRY.target_of(labels) is None
    assert SCREAM.target_of(labels) is None


def test_an_infants_cry_is_no_scream_and_a_scream_no_cry() -> None:
    assert (SCREAM.target_of(["cry", "hungry"]), SCREAM.target_of(["scream"])) == ((0,), (1,))
    assert (CRY.target_of(["cry", "hungry"]), CRY.target_of(["scream"])) == ((1,), (0,))


def test_a_reason_that_the_parent_did_not_know_is_excluded() -> None:
    assert CRY_REASON.target_of(["cry", "hungry"]) == (1, 0)
    assert CRY_REASON.target_of(["cry", "tired"]) == (0, 1)
    assert CRY_REASON.target_of(["cry", "unknown"]) is None


def test_own_labels_are_found_whatever_their_case_and_rejects_are_negatives() -> None:
    task = own_task(["Cough", "sneeze"], negatives=["door"])
    assert task.target_of(["cough"]) == (1, 0)
    assert task.target_of(["cough", "Sneeze"]) == (1, 1)
    assert task.target_of(["Door"]) == task.target_of(["background"]) == (0, 0)
    assert task.target_of(["bark"]) is None


def test_exactly_one_of_several_own_labels_may_be_asked_for() -> None:
    task = own_task(["normal", "cough"], activation="softmax")
    assert task.target_of(["normal"]) == (1, 0)
    assert task.target_of(["normal", "cough"]) is None


@pytest.mark.parametrize("labels", [[], ["cough", "Cough"]])
def test_own_labels_are_given_once(labels: list[str]) -> None:
    with pytest.raises(ConfigError, match="a task needs labels, each once; given are "):
        own_task(labels)


def test_a_name_that_no_task_has_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r'no task is called "crying"; there are breath_sounds, .*, scream'):
        find_task("crying")
    assert find_task("cry") is CRY
