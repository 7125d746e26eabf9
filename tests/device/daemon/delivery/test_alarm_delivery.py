"""Entries reach the broker once the journal has committed them, or without that if the disk is slow."""

from __future__ import annotations

from device.sinks.payloads import LATE_AFTER_S
from tests.device.daemon.alerting.stage import Stage


def test_a_disk_that_takes_longer_than_a_second_holds_nobody_up() -> None:
    stage = Stage()
    stage.turn(10.0)
    stage.cry()
    stage.turn(0.9)
    assert stage.broker.sent == []
    stage.turn(0.2)
    (sent,) = stage.broker.sent
    assert sent["not_durable"]
    stage.broker.acknowledge()
    stage.turn()
    stage.journal.commit()
    stage.turn()
    assert len(stage.broker.sent) == 1
    assert stage.journal.acknowledged == [("s-cry-cry-0", 0)]


def test_without_a_broker_whatever_is_kept_is_told() -> None:
    stage = Stage(broker=False)
    stage.turn(10.0)
    stage.cry()
    stage.journal.commit()
    stage.turn()
    assert stage.journal.acknowledged == [("s-cry-cry-0", 0)]
    assert stage.controller.summary.owed is None
    assert [signal.priority for signal in stage.pins.shown] == [None, "high"]


def test_what_the_broker_acknowledges_is_counted_and_what_comes_late_is_counted_as_late() -> None:
    stage = Stage()
    stage.turn(10.0)
    stage.cry()
    stage.settle()
    assert (stage.controller.summary.delivered, stage.controller.summary.delivered_late) == (1, 0)
    stage.cry("end", reason="quiet")
    stage.cry(number=1)
    stage.journal.commit()
    stage.turn()
    stage.turn(LATE_AFTER_S + 1.0)
    stage.broker.acknowledge()
    stage.turn()
    summary = stage.controller.summary
    assert summary.delivered > 1
    assert summary.delivered_late == summary.delivered - 1
