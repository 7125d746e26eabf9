"""The choice of an operating point, on scores whose truth is known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.training.conftest import score_windows
from training.__main__ import main
from training.data.activity_marks import ACTIVITY, save_activity
from training.evaluation import threshold_search, validation_windows
from training.evaluation.alarm_counting import decide_alarms
from training.evaluation.threshold_search import Goals, evaluate_point, point
from training.mixing.scenes import plan_scenes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.training.conftest import Collection
    from training.evaluation.alarm_counting import WindowScores
    from training.evaluation.runner import ScoredScene
    from training.mixing.scenes import SceneAnnotation

    MakeScene = Callable[..., SceneAnnotation]


@pytest.fixture
def clip(make_scored: Callable[..., ScoredScene]) -> MakeScene:
    """A cry from 4 to 11 s in 16.5 s of background; named values differ from that."""

    def make(**changed: object) -> SceneAnnotation:
        usual = {"is_event": True, "start_s": 4.0, "onset_s": 4.0, "end_s": 11.0, "duration_s": 16.5}
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
    scenes = [clip(), clip(), clip(is_event=False), hour]
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
    late = clip(is_event=False, start_s=9.0, onset_s=9.0, end_s=12.0)
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


def test_a_bound_on_the_threshold_leaves_the_best_of_those_below_it(clip: MakeScene, hour: SceneAnnotation) -> None:
    scenes = [*[clip()] * 4, hour]
    scores = [*[_scores(30, slice(8, 20))] * 4, _scores(7197, slice(0, None, 200), value=0.6)]
    assert threshold_search.choose(scenes, scores).point.on > 0.6
    bounded = threshold_search.choose(scenes, scores, highest_threshold=0.5)
    assert bounded.point.on == 0.5
    assert bounded.recall[20.0] == 1.0


def test_the_end_lies_under_the_begin() -> None:
    points = list(threshold_search.candidates())
    assert len(points) > 100
    assert all(0 < one.off <= one.on < 1 and one.confirm_s <= one.confirm_of_s for one in points)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_the_command_writes_a_point_and_its_figures_on_validation_scenes(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from training.networks import residual

    residual.build(embedding_size=1, dropout=0.0, seed=1).network.save(tmp_path / "network.keras")
    cries = [f"donateacry/cry/{name}.wav" for name in ("a0", "a1")]
    save_activity(tmp_path / ACTIVITY, {file: np.ones(300, np.bool_) for file in cries})
    plans = plan_scenes(collection.data, "test", split=collection.split, only=[*cries, "ambient/music/flute.wav"])
    monkeypatch.setattr(validation_windows, "plan_scenes", lambda *_: plans)
    monkeypatch.setattr(validation_windows, "home_backgrounds", lambda *_: ())
    files = {"data": collection.data, "work": tmp_path, "network": tmp_path / "network.keras", "out": tmp_path / "p"}
    assert main(["operate", *(word for name, path in files.items() for word in (f"--{name}", str(path)))]) == 0
    written = json.loads((tmp_path / "p").read_text())
    assert written == json.loads(capsys.readouterr().out)
    assert set(written["validation"]["recall_by_snr_db"]) == {"20", "10", "5", "0"}
    assert "all at 20 dB" in written["validation"]["window_auc"]
