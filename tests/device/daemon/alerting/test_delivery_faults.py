"""A problem of journal or broker becomes one fault once it lasts, and is over once all has been well for a while."""

from __future__ import annotations

from device.daemon.alerting.faults.delivery_faults import (
    BROKER_CLEAR_AFTER_S,
    BROKER_RAISE_AFTER_S,
    HUNG_AFTER_S,
    JOURNAL_CLEAR_AFTER_S,
    DeliveryFaults,
    FaultChange,
)
from device.daemon.delivery.journal_messages import JournalFailure
from device.sinks.mqtt.link import Link

DOWN = Link("lost", 100.0, "nothing listens there")
UP = Link("connected", 0.0, "connected")


def update(
    faults: DeliveryFaults,
    at_s: float,
    *,
    journal: JournalFailure | None = None,
    link: Link | None = UP,
    stuck_s: float = 0.0,
) -> list[FaultChange]:
    return faults.update(at_s, journal=journal, link=link, stuck_s=stuck_s)


def test_a_broker_out_of_reach_for_half_a_minute_is_told_once_with_its_reason() -> None:
    faults = DeliveryFaults()
    changes = [change for second in range(200) for change in update(faults, 100.0 + second, link=DOWN)]
    assert [(change.kind, change.begins, change.since_s) for change in changes] == [("broker", True, 100.0)]
    assert changes[0].detail == "nothing listens there"
    assert update(faults, 100.0 + BROKER_RAISE_AFTER_S + 170) == []
    (over,) = update(faults, 400.0 + BROKER_CLEAR_AFTER_S)
    assert (over.begins, over.detail) == (False, "the broker accepts messages again, after 199 s")


def test_a_broker_that_restarts_is_no_news() -> None:
    faults = DeliveryFaults()
    assert all(update(faults, 100.0 + second, link=DOWN) == [] for second in range(30))
    assert update(faults, 130.0) == []
    assert update(faults, 140.0, link=Link("lost", 130.5, "again")) == []


def test_a_refused_login_and_a_topic_that_may_not_be_written_say_what_they_are() -> None:
    for state, since_s in (("refused", 0.0), ("denied", 0.0)):
        faults = DeliveryFaults()
        link = Link(state, since_s, f"{state}: look at the rights")  # type: ignore[arg-type]
        changes = [change for second in range(60) for change in update(faults, float(second), link=link)]
        assert [change.detail for change in changes] == [f"{state}: look at the rights"]


def test_a_refused_login_is_told_at_once() -> None:
    faults = DeliveryFaults()
    (begin,) = update(faults, 100.25, link=Link("refused", 100.0, "wrong password"))
    assert (begin.kind, begin.begins, begin.since_s, begin.detail) == ("broker", True, 100.0, "wrong password")
    assert update(faults, 101.0, link=Link("refused", 100.0, "wrong password")) == []
    assert not update(faults, 103.0, link=UP)[0].begins


def test_connections_that_are_lost_again_and_again_are_told_though_there_is_one_now() -> None:
    faults = DeliveryFaults()
    (begin,) = update(faults, 50.0, link=Link("connected", 49.0, "connected", "taken over"))
    assert (begin.begins, begin.detail) == (True, "taken over")
    assert update(faults, 51.0, link=Link("lost", 51.0, "lost", "taken over")) == []
    assert update(faults, 60.0, link=Link("connected", 52.0, "connected", "taken over")) == []
    assert not update(faults, 120.0, link=UP)[0].begins


def test_a_thread_that_hangs_is_told_as_what_it_is() -> None:
    (change,) = update(DeliveryFaults(), 500.0, stuck_s=HUNG_AFTER_S)
    assert (change.kind, change.since_s) == ("broker", 500.0 - HUNG_AFTER_S)
    assert "has hung" in change.detail


def test_a_disk_that_refuses_is_told_at_once_and_one_that_comes_and_goes_once() -> None:
    faults = DeliveryFaults()
    (begin,) = update(faults, 10.0, journal=JournalFailure(9.0, "the disk is full"))
    assert (begin.kind, begin.begins, begin.detail) == ("journal", True, "the disk is full")
    for second in range(15, 60, 5):
        assert update(faults, float(second), journal=JournalFailure(second, "again") if second % 2 else None) == []
    (over,) = update(faults, 55.0 + JOURNAL_CLEAR_AFTER_S)
    assert (over.kind, over.begins) == ("journal", False)


def test_a_journal_that_was_damaged_is_told_though_it_is_whole_again() -> None:
    faults = DeliveryFaults()
    (begin,) = faults.update(5.0, journal=None, link=None, stuck_s=0.0, damaged="3 rows were lost")
    assert (begin.kind, begin.detail) == ("journal", "3 rows were lost")
    (over,) = update(faults, 5.0 + JOURNAL_CLEAR_AFTER_S, link=None)
    assert not over.begins


def test_without_a_broker_there_is_none_to_miss() -> None:
    faults = DeliveryFaults()
    assert all(update(faults, float(second), link=None) == [] for second in range(100))
