"""What counts as an alarm, and for what."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.hearing.decision import OperatingPoint
from device.messages import Event, Scores
from tests.training.conftest import score_windows
from training.evaluation.alarm_counting import (
    DetectedEvent,
    WindowScores,
    alarm_level,
    count_alarms,
    decide_alarms,
    heard_events,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.messages import Phase
    from training.evaluation.runner import ScoredScene
    from training.mixing.scenes import SceneAnnotation

POINT = OperatingPoint(on=0.5, off=0.25, confirm_s=1.0, confirm_of_s=1.0, min_length_s=0.0, hold_s=1.0, cooldown_s=2.0)


def windows(probabilities: list[float]) -> WindowScores:
    return score_windows(np.array(probabilities, np.float32))


@pytest.fixture
def scene(make_scored: Callable[..., ScoredScene]) -> SceneAnnotation:
    """A clip from 4.25 to 9.25 s, audible from 4.5 s on, in 14 s of background."""
    return make_scored().scene


def test_a_beginning_is_an_alarm_and_a_reopening_within_the_cooldown_is_none() -> None:
    assert decide_alarms(windows([0, 0.9, 0.9, 0, 0, 0.9, 0.9, 0]), POINT) == (3.0,)
    apart = dataclasses.replace(POINT, cooldown_s=0.0)
    assert decide_alarms(windows([0, 0.9, 0.9, 0, 0, 0, 0, 0.9, 0.9]), apart) == (3.0, 6.0)


def test_a_file_without_windows_raises_no_alarm() -> None:
    assert decide_alarms(windows([]), POINT) == ()


def test_a_file_of_one_window_is_decided_by_it() -> None:
    assert decide_alarms(windows([0.9]), POINT) == (2.0,)


@pytest.mark.parametrize(
    ("decided_s", "counts"),
    [
        (4.0, False),  # before the clip
        (4.5, True),  # its window covers 2.5 to 4.5 s
        (9.5, True),
        (11.0, True),  # the window still holds the clip's end
        (11.5, False),  # the window began after it
    ],
)
def test_an_alarm_counts_if_its_deciding_window_touches_the_clip(
    scene: SceneAnnotation,
    decided_s: float,
    counts: bool,  # noqa: FBT001 - a parameter
) -> None:
    alarms = count_alarms(scene, windows([0.1] * 25), [decided_s])
    assert alarms.found is counts
    assert alarms.background_alarms == (not counts)


def test_the_delay_runs_from_the_onset_to_the_first_alarm(scene: SceneAnnotation) -> None:
    assert count_alarms(scene, windows([0.1] * 25), [6.5, 9.0]).delay_s == 2.0
    assert count_alarms(scene, windows([0.1] * 25), []).delay_s is None


@pytest.mark.parametrize(("decided_s", "in_time"), [((8.5,), True), ((9.0,), False), ((8.0, 10.0), True), ((), False)])
def test_a_cry_is_in_time_if_its_first_alarm_comes_within_four_seconds(
    scene: SceneAnnotation,
    decided_s: tuple[float, ...],
    in_time: bool,  # noqa: FBT001 - a parameter
) -> None:
    assert count_alarms(scene, windows([0.1] * 25), decided_s).in_time is in_time


@pytest.mark.parametrize(
    ("loud", "level"),
    [
        ((8, 9), 0.9),  # both touch the clip
        ((0, 1), 0.1),  # both lie before it
        ((4, 5), 0.9),  # one reaches into it, and it decides
        ((8,), 0.1),  # one is not enough
        ((8, 10), 0.9),  # two of three
        ((8, 11), 0.1),
        ((20, 21), 0.1),  # both lie behind it
    ],
)
def test_the_level_is_that_of_windows_that_touch_the_clip(
    scene: SceneAnnotation, loud: tuple[int, ...], level: float
) -> None:
    two_of_three = dataclasses.replace(POINT, confirm_of_s=1.5)
    scores = windows([0.9 if index in loud else 0.1 for index in range(25)])
    assert alarm_level(scene, scores, two_of_three) == pytest.approx(level)


def test_window_scores_keep_the_times_and_the_named_label_of_each_window() -> None:
    found = WindowScores.of([Scores("m", {"cry": 0.5, "cough": 0.1}, 0.5, 2.5), Scores("m", {"cry": 1}, 1, 3)], "cry")
    assert (found.starts_s.tolist(), found.ends_s.tolist()) == ([0.5, 1.0], [2.5, 3.0])
    assert found.probabilities.tolist() == [0.5, 1.0]
    assert WindowScores.of([], "cry").probabilities.shape == (0,)


def test_an_event_lasts_from_its_estimated_onset_to_its_end_and_counts_again_when_it_reopens() -> None:
    def event(phase: Phase, at_s: float, onset_s: float | None = None, offset_s: float | None = None) -> Event:
        ends_s = at_s - 1 if phase == "end" else None
        times = {"start_s": at_s - 2, "end_s": ends_s, "decided_s": at_s, "onset_s": onset_s, "offset_s": offset_s}
        return Event("e-0", 0, "m", "cry", phase, score=0.9, reason="because", **times)  # type: ignore[arg-type]  # some are None

    phases = [
        event("begin", 6.0, onset_s=4.6),
        event("end", 12.0, offset_s=10.5),
        event("reopen", 15.0),
        event("end", 20.0),
    ]
    assert heard_events(phases) == (DetectedEvent(4.6, 10.5), DetectedEvent(13.0, 19.0))
