"""The choice of an operating point, on scores whose truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.training.conftest import score_windows
from training.evaluation import threshold_search
from training.evaluation.alarm_counting import decide_alarms
from training.evaluation.threshold_search import Goals, evaluate_point, point

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.evaluation.alarm_counting import WindowScores
    from training.evaluation.runner import ScoredScene
    from training.mixing.scenes import SceneAnnotation

    MakeScene = Callable[..., SceneAnnotation]


@pytest.fixture
def clip(make_scored: Callable[..., ScoredScene]) -> MakeScene:
    """A cry from 4 to 11 s in 16.5 s of background; named values differ from that."""

    def make(**changed: object) -> SceneAnnotation:
        usual = {"is_cry": True, "start_s": 4.0, "onset_s": 4.0, "end_s": 11.0, "duration_s": 16.5}
        return make_scored(**usual | changed).scene

    return make


@pytest.fixture
def hour(make_scored: Callable[..., ScoredScene]) -> SceneAnnotation:
    """An hour of ambient sound."""
    return make_scored(set="ambient", snr_db=None, start_s=0.0, onset_s=0.0, end_s=3600.0, duration_s=3600.0).scene


def _scores(windows: int, *high: slice, value: float = 0.9) -> WindowScores:
    scores = np.full(windows, 0.05, np.float32)
    for part in high:
        scores[part] = value
    return score_windows(scores)


def test_an_event_is_decided_at_the_end_of_the_window_that_confirms() -> None:
    assert decide_alarms(_scores(30, slice(8, 16)), point(0.5, 1.5, 2.0)) == (10 * 0.5 + 2.0,)
    assert decide_alarms(_scores(30, slice(8, 10)), point(0.5, 1.5, 2.0)) == ()


def test_recall_delay_and_false_alarms_are_counted_as_a_caregiver_would(clip: MakeScene, hour: SceneAnnotation) -> None:
    scenes = [clip(), clip(), clip(is_cry=False), hour]
    scores = [
        _scores(30, slice(8, 20)),
        _scores(30, slice(16, 24)),
        _scores(30),
        _scores(7197, slice(100, 104)),
    ]
    found = evaluate_point(scenes, scores, point(0.5, 1.0, 1.0))
    assert found.recall == {20.0: 1.0}
    assert found.in_time == {20.0: 0.5}
    assert found.false_alarms_per_hour == pytest.approx(1.0)
    assert found.false_clip_share == 0.0


def test_an_event_that_reopens_within_its_cooldown_is_one_false_alarm(hour: SceneAnnotation) -> None:
    """Reopenings were once counted in the search alone, so that points were chosen by a count that nobody judged by."""
    reopened = _scores(7197, slice(100, 104), slice(120, 124))  # ended after 5 s of quiet, on again 8 s after its end
    assert evaluate_point([hour], [reopened], point(0.5, 1.0, 1.0)).false_alarms_per_hour == pytest.approx(1.0)
    apart = _scores(7197, slice(100, 104), slice(200, 204))
    assert evaluate_point([hour], [apart], point(0.5, 1.0, 1.0)).false_alarms_per_hour == pytest.approx(2.0)


def test_an_alarm_before_the_cry_finds_nothing(clip: MakeScene) -> None:
    late = clip(start_s=9.0, onset_s=9.0, end_s=12.0)
    found = evaluate_point([late], [_scores(30, slice(0, 4))], point(0.5, 0.5, 0.5))
    assert found.recall == {20.0: 0.0}


def test_an_alarm_of_the_background_is_none_of_the_clip(clip: MakeScene) -> None:
    late = clip(is_cry=False, start_s=9.0, onset_s=9.0, end_s=12.0)
    found = evaluate_point([late], [_scores(30, slice(0, 4))], point(0.5, 0.5, 0.5))
    assert found.false_clip_share == 0.0


def test_false_alarms_are_paid_for_in_recall(clip: MakeScene, hour: SceneAnnotation) -> None:
    scenes = [*[clip()] * 4, hour]
    noisy = _scores(7197, slice(0, None, 200), value=0.8)
    scores = [*[_scores(30, slice(8, 20))] * 3, _scores(30, slice(10, 11), value=0.75), noisy]
    best = threshold_search.choose(scenes, scores, Goals(false_alarms_per_hour=1.0))
    assert best.false_alarms_per_hour <= 1.0
    assert best.recall[20.0] >= 0.75
    plain = evaluate_point(scenes, scores, point(0.5, 0.5, 0.5))
    assert threshold_search.merit(best, Goals()) > threshold_search.merit(plain, Goals())


def test_the_end_lies_under_the_begin() -> None:
    points = list(threshold_search.candidates())
    assert len(points) > 100
    assert all(0 < one.off <= one.on < 1 and one.confirm_s <= one.confirm_of_s for one in points)
