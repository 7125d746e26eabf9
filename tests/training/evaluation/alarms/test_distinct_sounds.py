"""What plays a second time adds no hours, and what is mistaken a second time is no second mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.data.datasets.annotated_recording import AnnotatedRecording
from training.evaluation.alarm_counting import WindowScores
from training.evaluation.alarms.distinct_sounds import distinct_hours, distinct_mistakes, mistaken_sounds
from training.evaluation.alarms.timeline_figures import timeline_figures
from training.evaluation.alarms.timelines import BackgroundSound, Timeline, score_timeline
from training.evaluation.detectors import Detections, System
from training.evaluation.threshold_search import point

if TYPE_CHECKING:
    from training.evaluation.alarms.timelines import ScoredTimeline

STARTS_S = np.arange(0.0, 98.5, 0.5)
WINDOWS = WindowScores(STARTS_S, STARTS_S + 2.0, np.zeros(len(STARTS_S), np.float32))
FAN = BackgroundSound("loops/fan.ogg", "fan", 0.0, 60.0)
CAT = BackgroundSound("pets/cat_1.ogg", "cats", 20.0, 30.0)
CAT_AGAIN = BackgroundSound("pets/cat_1.ogg", "cats", 40.0, 50.0)
DOG = BackgroundSound("pets/dog_1.ogg", "dogs", 70.0, 80.0)


def scene(*sounds: BackgroundSound, ground: str = "hard", name: str = "a.flac") -> Timeline:
    recording = AnnotatedRecording(None, "s", (), name, "", "", 16_000, 100.0, (), "")  # type: ignore[arg-type]  # not opened
    return Timeline(recording, name, name, ground, (), sounds)


def heard(timeline: Timeline, *alarms_s: float) -> ScoredTimeline:
    return score_timeline(timeline, "int8", Detections(WINDOWS, alarms_s, ()))


def test_only_time_in_which_all_that_sounds_has_been_heard_before_is_not_distinct() -> None:
    assert distinct_hours([scene(CAT, CAT_AGAIN, DOG)]) == pytest.approx(90 / 3600)
    assert distinct_hours([scene(FAN, CAT), scene(FAN, CAT)]) == pytest.approx(140 / 3600)
    assert distinct_hours([scene(FAN), scene(FAN, CAT)]) == pytest.approx(150 / 3600)  # a new cat over a known fan
    assert distinct_hours([scene(), scene()]) == pytest.approx(200 / 3600)


def test_a_sound_that_is_mistaken_each_time_it_comes_is_one_mistake() -> None:
    scored = [heard(scene(CAT, CAT_AGAIN, DOG), 24.0, 44.0, 76.0), heard(scene(CAT), 25.0)]
    assert sum(one.false_alarms for one in scored) == 4
    assert distinct_mistakes(scored) == 2
    assert mistaken_sounds(scored) == "pets/cat_1.ogg (3), pets/dog_1.ogg (1)"


def test_an_alarm_over_nothing_that_was_recorded_is_a_mistake_of_its_own() -> None:
    scored = [heard(scene(CAT), 60.0, 90.0)]
    assert scored[0].false_over == ((), ())
    assert distinct_mistakes(scored) == 2
    assert mistaken_sounds(scored) == ""


def test_of_sounds_that_meet_the_last_to_begin_is_named_and_none_of_them_counts_again() -> None:
    scored = [heard(scene(FAN, CAT), 24.0, 55.0)]
    assert [[sound.file for sound in sounds] for sounds in scored[0].false_over] == [[CAT.file, FAN.file], [FAN.file]]
    assert mistaken_sounds(scored) == "pets/cat_1.ogg (1), loops/fan.ogg (1)"
    assert distinct_mistakes(scored) == 1


def test_the_rate_of_distinct_mistakes_stands_on_distinct_hours_and_on_all_that_sounded() -> None:
    scored = [heard(scene(CAT, CAT_AGAIN, DOG), 24.0, 44.0)]
    figures = timeline_figures(scored, [System("int8", 2.0, point(0.5, 1, 1))], seed=1)
    by_name = {(one.measure, one.of): one for one in figures}
    all_alarms = by_name["false alarms an hour", "hard backgrounds"]
    once = by_name["false alarms an hour, each sound once", "hard backgrounds"]
    assert [all_alarms.value, all_alarms.hours] == pytest.approx([72.0, 100 / 3600], abs=1e-4)
    assert [once.value, once.hours] == pytest.approx([40.0, 90 / 3600], abs=1e-4)
    assert (once.subjects, once.items, once.interval) == (2, 1, "exact Poisson")


def test_where_it_is_not_known_what_sounds_nothing_is_counted_once() -> None:
    figures = timeline_figures([heard(scene(), 24.0)], [System("int8", 2.0, point(0.5, 1, 1))], seed=1)
    assert "false alarms an hour, each sound once" not in {one.measure for one in figures}
