"""The curve over thresholds agrees with an evaluation at each of them, and falls."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.data.datasets.annotated_recording import AnnotatedRecording
from training.evaluation.alarm_counting import WindowScores, alarm_times, decide_events, heard_events
from training.evaluation.alarms.threshold_curve import threshold_curve, write_curve
from training.evaluation.alarms.timelines import ScoredTimeline, Timeline, TimelineEvent, score_timeline
from training.evaluation.detectors import Detections, System
from training.evaluation.threshold_search import point

if TYPE_CHECKING:
    from pathlib import Path

SYSTEM = System("int8", 2.0, point(0.5, 1.0, 1.5))
STARTS_S = np.arange(0.0, 598.0, 0.5)


def scored(ground: str, *spans: tuple[float, float, float]) -> ScoredTimeline:
    """Ten minutes in which windows score as given from one second to another; the first span is an event at 10 dB."""
    scores = np.full(len(STARTS_S), 0.01, np.float32)
    for from_s, to_s, score in spans:
        scores[(from_s < STARTS_S + 2.0) & (to_s > STARTS_S)] = score
    windows = WindowScores(STARTS_S, STARTS_S + 2.0, scores)
    recording = AnnotatedRecording(None, "s", (), "a", "", "", 16_000, 600.0, (), "")  # type: ignore[arg-type]  # not opened
    timeline = Timeline(recording, "a", "a", ground, (TimelineEvent(*spans[0][:2], "p", "10 dB"),))
    events = decide_events(windows, SYSTEM.point)
    return score_timeline(timeline, "int8", Detections(windows, alarm_times(events), heard_events(events)))


RECORDINGS = (
    scored("ordinary", (100.0, 110.0, 0.9)),
    scored("hard", (50.0, 60.0, 0.6), (200.0, 210.0, 0.8)),
)


def test_the_point_at_the_own_threshold_is_the_evaluation() -> None:
    (own,) = (one for one in threshold_curve(RECORDINGS, [SYSTEM]) if one.on == SYSTEM.point.on)
    assert own.recall == {"10 dB": 1.0, "all": 1.0}
    assert own.false_per_hour == {"ordinary": 0.0, "hard": 6.0}
    delays = [delay_s for one in RECORDINGS for delay_s in one.delays_s]
    assert own.delay_p95_s == pytest.approx(np.percentile([delay or 0.0 for delay in delays], 95))


def test_an_event_is_missed_and_a_false_alarm_is_gone_above_their_scores() -> None:
    curve = {one.on: one for one in threshold_curve(RECORDINGS, [SYSTEM])}
    above_the_quiet_event = curve[0.7311]
    assert above_the_quiet_event.recall["all"] == 0.5
    assert above_the_quiet_event.false_per_hour["hard"] == 6.0
    above_all = curve[0.9526]
    assert above_all.recall["all"] == 0.0
    assert above_all.delay_p95_s is None
    assert above_all.false_per_hour == {"ordinary": 0.0, "hard": 0.0}
    recalls = [curve[on].recall["all"] for on in sorted(curve)]
    assert recalls == sorted(recalls, reverse=True)


def test_the_file_has_a_line_for_each_threshold(tmp_path: Path) -> None:
    points = threshold_curve(RECORDINGS, [SYSTEM])
    write_curve(points, tmp_path / "curve.csv")
    with (tmp_path / "curve.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["on"]) for row in rows] == [one.on for one in points]
    (own,) = (row for row in rows if row["on"] == "0.5")
    assert (own["recall 10 dB"], own["recall all"], own["false an hour hard"]) == ("1.0000", "1.0000", "6.00")
    assert rows[-1]["delay p95 s"] == ""
