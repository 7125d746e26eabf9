"""What keeps people from being told beside the scores is known for each moment, and kept only where it changes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from device.web.live.circumstances import MOST_KEPT, CircumstanceRecord, Circumstances
from device.web.live.moments import Moment

if TYPE_CHECKING:
    from device.runtime.daemon_state import DaemonState


def test_a_label_that_is_only_logged_and_a_pause_are_said(state: DaemonState) -> None:
    label = replace(state.labels[0], mode="log", mode_cause="hours", sensitivity=-2)
    told = Circumstances.of(Moment(1, 0.0, replace(state, labels=(label,), paused=True)))
    assert list(told.sentences()) == [
        f"{label.model}/{label.label} is only logged, by the hour: it raised no alarm",
        f"{label.model}/{label.label} was set to a sensitivity of -2",
        "signals were paused: the buzzer was silent, and nothing else changed",
    ]


def test_nothing_is_said_where_nothing_is_unusual(state: DaemonState) -> None:
    usual = tuple(replace(label, mode="alarm", sensitivity=0) for label in state.labels)
    assert list(Circumstances.of(Moment(1, 0.0, replace(state, labels=usual, paused=False))).sentences()) == []


def test_each_moment_has_those_that_began_before_it(state: DaemonState) -> None:
    record = CircumstanceRecord()
    for utc_s in range(10):
        record.add(float(utc_s), Circumstances.of(Moment(1, 0.0, replace(state, paused=utc_s >= 5))))
    assert record.at(-1.0) is None
    found = [record.at(utc_s) for utc_s in (0.0, 4.9, 5.0, 99.0)]
    assert [each is not None and each.paused for each in found] == [False, False, True, True]
    assert repr(record) == "CircumstanceRecord(2 changes)"


def test_the_record_is_bounded(state: DaemonState) -> None:
    record = CircumstanceRecord()
    for number in range(2 * MOST_KEPT):
        record.add(float(number), Circumstances.of(Moment(1, 0.0, replace(state, paused=number % 2 == 0))))
    assert repr(record) == f"CircumstanceRecord({MOST_KEPT} changes)"
