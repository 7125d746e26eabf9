"""When wheezes and crackles become events: counted by recording, chosen by how many false ones can be borne."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.hearing.bundle.reader import read_bundle
from device.hearing.decision import OperatingPoint
from training.data.datasets.annotated_recording import AnnotatedSpan
from training.evaluation.breath.breath_events import chosen_event_points, event_figures, event_labels
from training.evaluation.breath.record_scores import RecordScores

if TYPE_CHECKING:
    from pathlib import Path

    from device.hearing.bundle.contents import Bundle

POINT = OperatingPoint(on=0.5, off=0.25, confirm_s=1.0, confirm_of_s=1.0, min_length_s=0, hold_s=3.0, cooldown_s=5.0)


@pytest.fixture
def model(tiny_bundle_path: Path) -> Bundle:
    tiny = read_bundle(tiny_bundle_path)
    labels = [
        dataclasses.replace(tiny.labels[0], name=name, role="info", operating_point=POINT)
        for name in ("wheeze", "crackle")
    ]
    return dataclasses.replace(tiny, labels=tuple(labels))


def record(patient: int, label: str, wheeze: float, crackle: float, *, seconds: float = 36.0) -> RecordScores:
    """A recording of one annotated event whose windows all have the same two scores."""
    starts_s = np.arange(0.0, seconds - 2.0, 0.5)
    rows = np.tile(np.array([[wheeze, crackle]], np.float32), (len(starts_s), 1))
    events = (AnnotatedSpan(1.0, 2.0, label),) if label else ()
    return RecordScores(
        f"{patient}-{label}", "sprsound", f"p{patient}", seconds, ("x",), events, starts_s, starts_s + 2.0, rows
    )


RECORDS = [
    record(1, "Wheeze", 0.9, 0.1),
    record(2, "Rhonchi", 0.62, 0.1),
    record(3, "Normal", 0.6, 0.1),
    record(4, "Fine Crackle", 0.1, 0.9),
    record(5, "Wheeze+Crackle", 0.9, 0.4),
    record(6, "", 0.99, 0.99),
]


def test_each_label_is_counted_in_the_recordings_that_hold_it_and_in_the_others(model: Bundle) -> None:
    found = {(one.measure, one.of): one for one in event_figures(RECORDS, model, seed=1)}
    recall = found["event recall", "recordings with wheeze"]
    assert (recall.value, recall.items, recall.subjects) == (1.0, 3, 3)
    assert found["event recall", "recordings with crackle"].value == 0.5
    false = found["false alarms an hour", "recordings without wheeze"]
    assert false.interval == "exact Poisson"
    assert false.value == pytest.approx(50.0)
    assert false.hours == pytest.approx(0.02)
    assert false.low is not None
    assert false.high is not None
    assert false.low < 50.0 < false.high
    assert found["false alarms an hour", "recordings without crackle"].value == 0.0


def test_a_recording_without_annotation_counts_nowhere(model: Bundle) -> None:
    with_it, without = ([*event_figures(records, model, seed=1)] for records in (RECORDS, RECORDS[:-1]))
    assert with_it == without


def test_the_chosen_point_finds_most_at_no_more_false_events_than_were_allowed(model: Bundle) -> None:
    quiet = chosen_event_points(RECORDS, model, most_false_an_hour=0.3)
    assert quiet["validation"]["wheeze"]["false_events_an_hour"] == 0.0
    assert quiet["validation"]["wheeze"]["recordings_found"] == pytest.approx(2 / 3, abs=1e-3)
    assert 0.62 < quiet["operating_points"]["wheeze"]["on"] <= 0.9
    lenient = chosen_event_points(RECORDS, model, most_false_an_hour=60.0)
    assert lenient["validation"]["wheeze"]["recordings_found"] == 1.0
    # Of points that find as much the one with the highest threshold.
    assert lenient["operating_points"]["wheeze"]["on"] == 0.6


def test_labels_that_annotations_do_not_know_are_left_alone(model: Bundle) -> None:
    changed = (*model.labels[:1], dataclasses.replace(model.labels[1], name="normal"))
    assert event_labels(dataclasses.replace(model, labels=changed)) == ("wheeze",)
