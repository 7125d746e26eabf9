"""Detected sounds and faults reach pins, journal and broker, whatever happens to disk, broker, clock and daemon."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.alarms.journal.salvage import Salvage
from device.alarms.machine import FOUND_AGAIN_S
from device.config.settings import AlarmSettings
from device.daemon.alerting.alarm_labels import AlarmLabels
from device.daemon.alerting.faults.delivery_faults import BROKER_RAISE_AFTER_S, RESTART_AFTER_S
from device.daemon.delivery.channels import Channels
from device.daemon.delivery.journal_messages import JournalFailure, JournalSalvaged
from device.messages import Decision, Heard
from tests.device.daemon.alerting.stage import CRY, Stage
from tests.device.daemon.scripted import DOWN, UP, FakePins

if TYPE_CHECKING:
    from collections.abc import Callable


# --- from sound to people


def test_a_cry_is_shown_at_once_kept_next_and_told_when_it_is_kept(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    assert [signal.priority for signal in stage.pins.shown] == [None, "high"]
    stage.turn()
    assert stage.broker.sent == []
    stage.journal.commit()
    stage.turn()
    (sent,) = stage.broker.sent
    assert (sent["topic"], sent["change"], sent["not_durable"], sent["late"]) == (CRY, "raised", False, False)
    assert stage.journal.acknowledged == []
    stage.broker.acknowledge()
    stage.turn()
    assert stage.journal.acknowledged == [("s-cry-cry-0", 0)]
    assert stage.controller.summary.owed == 0


def test_a_label_that_is_no_alarm_raises_none(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry(label="babble")
    stage.turn()
    assert stage.controller.machine.alarms == ()


def test_decisions_end_what_was_lost_from_sight(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.cry("end", reason="gap")
    assert stage.controller.machine.alarms[0].state == "latched"
    for _ in range(8):
        stage.turn(0.5)
        end_s = stage.stream_s
        stage.hear(Heard(decisions=[Decision("cry", "cry", "off", "", 0.1, end_s - 2.0, end_s)]))
    assert stage.controller.machine.alarms == ()


# --- what is wrong with itself


def test_a_disk_that_refuses_is_a_technical_alarm_which_is_told_from_memory(stage: Stage) -> None:
    stage.journal.current_failure = JournalFailure(stage.clocks.now_s, "the disk is full")
    (fault,) = stage.turn().faults
    assert (fault.kind, fault.begins, fault.detail) == ("journal", True, "the disk is full")
    stage.turn(1.5)
    assert [(sent["name"], sent["not_durable"]) for sent in stage.broker.sent] == [("journal", True)]
    assert stage.controller.summary.journal == "the disk is full"
    assert stage.pins.shown[-1].priority == "low"
    stage.journal.current_failure = None
    stage.turn()
    faults = [fault for _ in range(20) for fault in stage.turn(1.0).faults]
    assert [(fault.kind, fault.begins) for fault in faults] == [("journal", False)]


def test_a_broker_out_of_reach_is_a_technical_alarm_that_arrives_when_it_is_back(stage: Stage) -> None:
    stage.broker.link = replace(DOWN, since_s=stage.clocks.now_s)
    faults = [fault for _ in range(40) for fault in stage.turn(1.0).faults]
    assert [(fault.kind, fault.begins) for fault in faults] == [("broker", True)]
    assert faults[0].at_s - faults[0].since_s == pytest.approx(BROKER_RAISE_AFTER_S, abs=1.1)
    stage.journal.commit()
    stage.broker.reconnect()
    stage.turn()
    assert [sent["name"] for sent in stage.broker.sent] == ["broker"]


def test_a_thread_that_hangs_for_good_leaves_the_watchdog_to_starve(stage: Stage) -> None:
    stage.broker.stuck_s = RESTART_AFTER_S - 1
    assert not stage.controller.is_hung
    stage.broker.stuck_s = RESTART_AFTER_S + 1
    assert stage.controller.is_hung


def test_a_journal_that_was_damaged_is_told_in_words_and_as_an_alarm(stage: Stage) -> None:
    stage.replies.put(JournalSalvaged(Salvage("its log is", 17, 3, None)))
    report = stage.turn()
    assert "17 rows were salvaged" in report.notes[0].detail
    assert [fault.detail for fault in report.faults] == [report.notes[0].detail]


# --- the end, and reloads


def test_a_fault_that_a_reload_hides_goes_on_and_is_over_where_it_is_not_found_again(stage: Stage) -> None:
    stage.turn(10.0)
    stage.hear(Heard(faults=[stage.fault("silence")]))
    for found_again in (True, False):
        stage.controller.finish_stream(Heard(faults=[stage.fault("silence", begins=False)]))
        stage.turn(5.0)
        if found_again:
            stage.hear(Heard(faults=[stage.fault("silence")]))
        stage.turn(FOUND_AGAIN_S - 6.0)
        assert [alarm.state for alarm in stage.controller.machine.alarms] == ["active"]
    stage.turn(6.0)
    assert stage.controller.machine.alarms == ()
    stage.journal.commit()
    assert [body["change"] for body in stage.entries if body["change"] != "reminded"] == ["raised", "ended"]


def test_at_the_end_what_was_just_decided_is_kept_and_told_if_that_is_possible(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        stage.clocks.advance(seconds)
        stage.journal.commit()
        stage.broker.acknowledge()

    stage.replies.wait = wait  # type: ignore[method-assign]
    stage.controller.flush(5.0)
    assert stage.journal.acknowledged == [("s-cry-cry-0", 0)]
    assert len(waits) < 10


def test_at_the_end_nobody_waits_for_a_disk_that_refuses_or_longer_than_is_allowed(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.replies.wait = stage.clocks.advance  # type: ignore[method-assign]
    began_s = stage.clocks.now_s
    stage.controller.flush(0.5)
    assert stage.clocks.now_s - began_s == pytest.approx(0.5, abs=0.1)
    stage.journal.current_failure = JournalFailure(0.0, "the disk is full")
    stage.broker.link = DOWN
    began_s = stage.clocks.now_s
    stage.controller.flush(0.5)
    assert stage.clocks.now_s == began_s


def test_at_the_end_what_no_disk_takes_is_told_from_memory_at_once(stage: Stage) -> None:
    """The bug: less time was left than the disk is otherwise allowed, and so nothing was published at all."""
    stage.turn(10.0)
    stage.journal.current_failure = JournalFailure(stage.clocks.now_s, "the disk is full")
    stage.cry()

    def wait(seconds: float) -> None:
        stage.clocks.advance(seconds)
        stage.broker.acknowledge()

    stage.replies.wait = wait  # type: ignore[method-assign]
    stage.controller.flush(0.5)
    assert [(sent["name"], sent["not_durable"]) for sent in stage.broker.sent] == [("cry", True)]


def test_other_labels_and_channels_take_over_what_is_open(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.broker.link = UP
    pins = FakePins()
    channels = Channels(stage.journal, pins)
    stage.controller.reconfigure(AlarmSettings(latch="all"), AlarmLabels({}, {}), channels)
    stage.turn()
    assert [signal.priority for signal in pins.shown] == ["high"]
    assert stage.controller.summary.broker is None


def test_whatever_comes_in_nothing_is_told_that_was_not_kept_or_said_not_to_be(stage: Stage) -> None:
    journal, broker = stage.journal, stage.broker
    acts: list[Callable[[], object]] = [
        journal.commit, stage.turn, broker.acknowledge, broker.reconnect, lambda: stage.turn(2.0)
    ]  # fmt: skip
    rng = np.random.default_rng(11)
    stage.turn(10.0)
    for number in range(300):
        stage.cry(number=number) if rng.random() < 0.3 else acts[rng.integers(len(acts))]()
        for sent in stage.broker.sent:
            kept = any((sent["alarm_id"], sent["seq"]) == entry.key for entry in stage.journal.committed)
            assert kept or sent["not_durable"]
    stage.settle()
    assert {entry.key for entry in stage.journal.committed} <= {
        (sent["alarm_id"], sent["seq"]) for sent in stage.broker.sent
    }
