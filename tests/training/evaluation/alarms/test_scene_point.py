"""The operating point that scenes choose: recall against priced false alarms, on the validation part alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.errors import ConfigError
from device.runtime.model_library import bundle_path
from training.data.datasets.annotated_recording import AnnotatedRecording
from training.evaluation.alarm_counting import WindowScores
from training.evaluation.alarms.scene_point import PRICES, chosen_on_scenes, scene_merit
from training.evaluation.alarms.threshold_curve import CurvePoint
from training.evaluation.alarms.timeline_report import OwnSettings, evaluate_timelines
from training.evaluation.alarms.timelines import (
    ScoredTimeline,
    Timeline,
    TimelineEvent,
    TimelineSettings,
    score_timeline,
)
from training.evaluation.detectors import Detections
from training.evaluation.threshold_search import point

if TYPE_CHECKING:
    from pathlib import Path

SCENE_S = 600.0
STARTS_S = np.arange(0.0, SCENE_S - 2.0, 0.5)
POINTS = [point(float(on), 1.0, 1.5) for on in np.arange(0.3, 0.99, 0.1)]


def scored(ground: str, events: tuple[float, ...], others: tuple[float, ...]) -> ScoredTimeline:
    """Ten minutes in which events, and other sounds, of 5 s each score as given."""
    scores = np.full(len(STARTS_S), 0.01, np.float32)
    spans = []
    for place, score in enumerate((*events, *others)):
        from_s = 30.0 + 40.0 * place
        scores[(from_s < STARTS_S + 2.0) & (from_s + 5.0 > STARTS_S)] = score
        spans.append(TimelineEvent(from_s, from_s + 5.0, "p", "10 dB"))
    windows = WindowScores(STARTS_S, STARTS_S + 2.0, scores)
    recording = AnnotatedRecording(None, "s", (), "a", "", "", 16_000, SCENE_S, (), "")  # type: ignore[arg-type]  # not opened
    timeline = Timeline(recording, "a", "a", ground, tuple(spans[: len(events)]))
    return score_timeline(timeline, "int8", Detections(windows, (), ()))


def test_a_threshold_lies_above_the_false_alarms_that_cost_more_than_the_events_between_bring() -> None:
    quiet = scored("ordinary", (0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.4), (0.45, 0.45))
    chosen = chosen_on_scenes([quiet], POINTS)
    assert 0.45 < chosen["operating_point"]["on"] <= 0.9
    assert chosen["validation"]["recall_by_level"]["all"] == pytest.approx(10 / 11, abs=1e-4)
    assert chosen["validation"]["false_alarms_per_hour_by_ground"] == {"ordinary": 0.0}


def test_a_threshold_lies_below_events_that_bring_more_than_hard_false_alarms_cost() -> None:
    hard = scored("hard", (0.9, 0.9, 0.4), (0.45, 0.45))
    chosen = chosen_on_scenes([hard], POINTS)
    assert chosen["operating_point"]["on"] <= 0.4
    assert chosen["validation"]["recall_by_level"]["all"] == 1.0
    assert chosen["validation"]["false_alarms_per_hour_by_ground"]["hard"] == 12.0
    assert chosen["validation"]["merit"] == pytest.approx(1.0 - 12 * PRICES["hard"])


def test_of_equal_points_the_highest_threshold_is_taken() -> None:
    assert chosen_on_scenes([scored("ordinary", (0.92,), ())], POINTS)["operating_point"]["on"] == 0.9


def test_a_ground_without_a_price_costs_as_much_as_an_ordinary_one() -> None:
    found = CurvePoint("int8", 0.5, {"all": 0.8}, None, {"all": 1.0})
    assert scene_merit(found) == pytest.approx(0.8 - PRICES["ordinary"])


def test_scenes_of_another_part_than_validation_choose_nothing(tmp_path: Path) -> None:
    (tmp_path / "scenes.json").write_text(
        json.dumps({"task": "cry", "part": "test", "split": "cry.csv", "seed": 1, "scenes": []}), encoding="utf-8"
    )
    heard = TimelineSettings(bundle_path("cry"), "cry", None, None, ())
    wanted = OwnSettings(heard, tmp_path, "cry", "test", None, 1, chosen=tmp_path / "point.json")
    with pytest.raises(ConfigError, match="cannot choose: --operating-point wants scenes that"):
        evaluate_timelines(wanted)
    assert not (tmp_path / "point.json").exists()
