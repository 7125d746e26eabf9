"""Where events and faults stand in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from device.messages import AudioBlock, Event, Fault, Heard
from device.report.figure import Figure, figure
from device.report.page_content import ListedLabel, ListedModel, PageRecorder

RATE_HZ = 8000
CRY = ListedModel("cry", "1.0.0", 16_000, 2.0, "", "", (ListedLabel("cry", "alarm", "high", 0.6, 0.4),))


def _figure(*starts_s: float, faults: tuple[Fault, ...] = ()) -> Figure:
    recorder = PageRecorder("a.wav", [CRY])
    recorder.block(AudioBlock(np.zeros(100 * RATE_HZ, np.float32), RATE_HZ, 0))
    events = [Event(f"e-{at}", 0, "cry", "cry", "begin", 0.9, at, None, at + 2, "rule") for at in starts_s]
    recorder.heard(Heard(events=events, faults=list(faults)))
    return figure(recorder.finish())


def test_an_event_begins_and_is_decided_at_its_time_on_the_axis() -> None:
    (mark,) = _figure(50.0).events
    assert mark.left == pytest.approx(Figure.left + Figure.plot / 2)
    assert mark.decided_x == pytest.approx(Figure.left + Figure.plot * 0.52)
    assert mark.priority == "high"


def test_a_name_without_room_beside_the_one_before_is_left_out() -> None:
    assert [mark.name for mark in _figure(10.0, 10.5, 60.0).events] == ["cry", "", "cry"]


def test_a_name_at_the_right_edge_stays_within_the_plot() -> None:
    (mark,) = _figure(99.9).events
    assert mark.name_left < mark.left
    assert mark.left + mark.width <= Figure.left + Figure.plot + 0.001


def test_faults_have_a_row_of_their_own_only_if_there_are_any() -> None:
    gap = Fault("gap", begins=True, since_s=20.0, at_s=21.0, detail="8000 samples lost")
    with_fault, without = _figure(faults=(gap,)), _figure()
    assert without.faults_top is None
    assert with_fault.faults_top is not None
    assert with_fault.height > without.height
    assert [mark.name for mark in with_fault.faults] == ["gap"]
