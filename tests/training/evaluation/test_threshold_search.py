"""The choice of an operating point, on scores whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation import threshold_search
from training.evaluation.threshold_search import Goals, point
from training.mixing.scenes import Scene


def _scene(windows: int, *, cry: tuple[float, float] | None, snr_db: float | None) -> Scene:
    onset_s, end_s = cry or (0.0, 0.0)
    return Scene(
        source="set",
        kind="kind",
        snr_db=snr_db,
        is_cry=cry is not None,
        onset_s=onset_s,
        end_s=end_s,
        log_mel=np.zeros((windows, 1, 1), np.float16),
        mfcc=np.zeros((windows, 1, 1), np.float16),
        cry_s=np.full(windows, 2.0 if cry else 0.0, np.float32),
    )


def _scores(windows: int, high: slice, value: float = 0.9) -> threshold_search.Float32:
    scores = np.full(windows, 0.05, np.float32)
    scores[high] = value
    return scores


def test_an_event_is_decided_at_the_end_of_the_window_that_confirms() -> None:
    assert threshold_search.decided_s(_scores(30, slice(8, 16)), point(0.5, 1.5, 2.0)) == [10 * 0.5 + 2.0]
    assert threshold_search.decided_s(_scores(30, slice(8, 10)), point(0.5, 1.5, 2.0)) == []


def test_recall_delay_and_false_alarms_are_counted_as_a_caregiver_would() -> None:
    scenes = [
        _scene(30, cry=(4.0, 11.0), snr_db=20.0),
        _scene(30, cry=(4.0, 11.0), snr_db=20.0),
        _scene(30, cry=None, snr_db=20.0),
        _scene(7197, cry=None, snr_db=None),
    ]
    scores = [
        _scores(30, slice(8, 20)),
        _scores(30, slice(16, 24)),
        _scores(30, slice(0, 0)),
        _scores(7197, slice(100, 104)),
    ]
    found = threshold_search.outcome(scenes, scores, point(0.5, 1.0, 1.0))
    assert found.recall == {20.0: 1.0}
    assert found.in_time == {20.0: 0.5}
    assert found.false_alarms_per_hour == pytest.approx(1.0)
    assert found.false_clip_share == 0.0


def test_an_alarm_before_the_cry_finds_nothing() -> None:
    found = threshold_search.outcome(
        [_scene(30, cry=(9.0, 12.0), snr_db=20.0)], [_scores(30, slice(0, 4))], point(0.5, 0.5, 0.5)
    )
    assert found.recall == {20.0: 0.0}


def test_false_alarms_are_paid_for_in_recall() -> None:
    cries = [_scene(30, cry=(4.0, 11.0), snr_db=20.0)] * 4
    scenes = [*cries, _scene(7197, cry=None, snr_db=None)]
    noisy = _scores(7197, slice(0, 0))
    noisy[::200] = 0.8
    scores = [*[_scores(30, slice(8, 20), 0.9)] * 3, _scores(30, slice(10, 11), 0.75), noisy]
    best = threshold_search.choose(scenes, scores, Goals(false_alarms_per_hour=1.0))
    assert best.false_alarms_per_hour <= 1.0
    assert best.recall[20.0] >= 0.75
    plain = threshold_search.outcome(scenes, scores, point(0.5, 0.5, 0.5))
    assert threshold_search.merit(best, Goals()) > threshold_search.merit(plain, Goals())


def test_the_end_lies_under_the_begin() -> None:
    rules = list(threshold_search.candidates())
    assert len(rules) > 100
    assert all(0 < rule.off <= rule.on < 1 and rule.confirm_s <= rule.confirm_of_s for rule in rules)
