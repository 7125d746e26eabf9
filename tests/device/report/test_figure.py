"""Where events and faults stand in the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from device.messages import AudioBlock, Event, Fault, Heard, Scores
from device.report.figure import Figure, figure
from device.report.page_content import ListedLabel, ListedModel, PageRecorder

RATE_HZ = 8000
CRY = ListedModel("cry", "1.0.0", 16_000, 2.0, "", "", (ListedLabel("cry", "alarm", "high", 0.6, 0.4),))


def _figure(*starts_s: float, faults: tuple[Fault, ...] = (), label: str = "cry") -> Figure:
    recorder = PageRecorder("a.wav", [CRY])
    recorder.block(AudioBlock(np.zeros(100 * RATE_HZ, np.float32), RATE_HZ, 0))
    events = [Event(f"e-{at}", 0, "cry", label, "begin", 0.9, at, None, at + 2, "rule") for at in starts_s]
    recorder.heard(Heard(events=events, faults=list(faults)))
    return figure(recorder.finish())


def test_an_event_begins_and_is_decided_at_its_time_on_the_axis() -> None:
    (mark,) = _figure(50.0).events
    assert mark.left == pytest.approx(50.0)
    assert mark.decided_x == pytest.approx(52.0)
    assert (mark.start_s, mark.end_s) == (50.0, 100.0)
    assert mark.priority == "high"


def test_a_name_without_room_beside_the_one_before_is_left_out() -> None:
    names = [mark.name for mark in _figure(10.0, 10.5, 49.0).events]
    assert [name.text if name else None for name in names] == ["cry", None, "cry"]


def test_a_name_that_only_a_wide_screen_has_room_for_is_marked() -> None:
    names = [mark.name for mark in _figure(10.0, 15.0, 40.0).events]
    assert [name.only_wide for name in names if name] == [False, True, False]


def test_a_name_at_the_right_edge_ends_within_the_plot() -> None:
    (mark,) = _figure(99.9).events
    assert mark.name is not None
    assert mark.name.anchor == "end"
    assert mark.name.at == pytest.approx(100.0)
    assert mark.left + mark.width <= 100.001


def test_a_very_long_name_is_shortened_in_the_picture_alone() -> None:
    (mark,) = _figure(10.0, label="a" * 200).events
    assert mark.name is not None
    assert mark.name.text == "a" * 23 + "…"
    assert "a" * 200 in mark.about


def test_a_phone_gets_few_of_the_times_and_always_the_first() -> None:
    ticks = _figure().time_ticks
    assert not ticks[0].only_wide
    assert 3 <= sum(not tick.only_wide for tick in ticks) <= 5


def test_faults_have_a_row_of_their_own_only_if_there_are_any() -> None:
    gap = Fault("gap", begins=True, since_s=20.0, at_s=21.0, detail="8000 samples lost")
    with_fault, without = _figure(faults=(gap,)), _figure()
    assert without.faults_top is None
    assert with_fault.faults_top is not None
    assert with_fault.height > without.height
    assert [mark.name.text for mark in with_fault.faults if mark.name] == ["gap"]


@pytest.mark.parametrize(("highest", "shown"), [(0.49, False), (0.5, True)])
def test_a_label_that_raises_nothing_has_a_lane_only_where_it_scored_high(highest: float, *, shown: bool) -> None:
    labels = (*CRY.labels, ListedLabel("cat", "reject", "low", 0.5, 0.25))
    recorder = PageRecorder("a.wav", [replace(CRY, labels=labels)])
    recorder.block(AudioBlock(np.zeros(100 * RATE_HZ, np.float32), RATE_HZ, 0))
    for number in range(190):
        score = highest if number == 7 else 0.0
        recorder.heard(Heard(scores=[Scores("cry", {"cry": 0.1, "cat": score}, number / 2, number / 2 + 2)]))
    lanes = {lane.label: lane for lane in figure(recorder.finish()).lanes}
    assert set(lanes) == ({"cry", "cat"} if shown else {"cry"})
    assert [threshold.name for threshold in lanes["cry"].thresholds] == ["on", "off"]
    assert not shown or not lanes["cat"].thresholds
