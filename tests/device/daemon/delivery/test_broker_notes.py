"""The broker's connection is noted once, and each rejected command, but no flood of them."""

from __future__ import annotations

from dataclasses import replace

from device.daemon.delivery.broker_notes import REJECTED_NOTICE_EVERY_S, BrokerNotes
from device.daemon.delivery.reply_queue import ReplyQueue
from device.messages import OperationNote
from device.sinks.mqtt.command_filter import TOO_FAST
from tests.device.daemon.alerting.stage import Stage
from tests.device.daemon.scripted import ScriptedBroker


def _rejecting(broker: ScriptedBroker, count: int, why: str) -> None:
    broker.counts = replace(broker.counts, rejected=count, rejection=why)


def test_the_first_connection_of_a_broker_is_one_line_and_later_ones_are_none() -> None:
    broker, notes = ScriptedBroker(ReplyQueue()), BrokerNotes()
    up = broker.link
    broker.link = replace(up, state="connecting")
    assert list(notes.check(broker, 0.0)) == []
    broker.link = up
    assert list(notes.check(broker, 1.0)) == [OperationNote("broker", up.reason)]
    for link in (replace(up, state="lost"), up, replace(up, state="denied")):
        broker.link = link
        assert list(notes.check(broker, 2.0)) == []
    assert list(notes.check(ScriptedBroker(ReplyQueue()), 3.0)) == [OperationNote("broker", up.reason)]
    assert list(notes.check(None, 4.0)) == []


def test_a_rejected_command_is_one_line_at_once_and_a_flood_is_one_line_in_ten_seconds() -> None:
    broker, notes = ScriptedBroker(ReplyQueue()), BrokerNotes()
    list(notes.check(broker, 0.0))
    _rejecting(broker, 1, "first")
    assert list(notes.check(broker, 1.0)) == [OperationNote("asked", "first")]
    for number in range(2, 500):
        _rejecting(broker, number, f"number {number}")
        assert list(notes.check(broker, 1.5)) == []
    expected = OperationNote("asked", "number 499 (and 497 more before it)")
    assert list(notes.check(broker, 1.0 + REJECTED_NOTICE_EVERY_S)) == [expected]
    assert notes.rejected == 499
    list(notes.check(ScriptedBroker(ReplyQueue()), 60.0))
    assert notes.rejected == 499


def test_a_flood_is_noted_as_one_though_the_newest_command_was_read() -> None:
    """Its topics are subscribed to again after the time between two notes, and then some of it is read."""
    broker, notes = ScriptedBroker(ReplyQueue()), BrokerNotes()
    list(notes.check(broker, 0.0))
    broker.counts = replace(broker.counts, rejected=1000, rejection="it is no number")
    (first,) = notes.check(broker, 1.0)
    assert first.detail == "it is no number (and 999 more before it)"
    broker.counts = replace(broker.counts, rejected=5000, unread=3000, rejection="it is no number")
    (flood,) = notes.check(broker, 1.0 + REJECTED_NOTICE_EVERY_S)
    assert flood.detail == f"{TOO_FAST} (and 3999 more before it)"
    broker.counts = replace(broker.counts, rejected=5001, rejection="it is no number")
    (after,) = notes.check(broker, 1.0 + 2 * REJECTED_NOTICE_EVERY_S)
    assert after.detail == "it is no number"


def test_the_controller_notes_and_counts_rejected_commands() -> None:
    stage = Stage()
    assert [note.kind for note in stage.turn().notes] == ["broker"]
    _rejecting(stage.broker, 2, "a command on auricle/anna/command/pause was rejected: five is no number")
    (note,) = stage.turn().notes
    assert note.kind == "asked"
    assert note.detail.endswith("five is no number (and 1 more before it)")
    assert stage.controller.summary.commands_rejected == 2
