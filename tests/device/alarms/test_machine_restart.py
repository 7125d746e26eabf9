"""What a restart makes of open alarms: each rule by an example."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from device.alarms.machine import FOUND_AGAIN_S, Signal
from device.commands import Acknowledge
from device.config.settings import AlarmSettings
from tests.device.alarms.machine_inputs import (
    HOLD_S,
    MIDNIGHT,
    NIGHT,
    NOON,
    Clock,
    changes,
    ends_at,
    held_open,
    make_decision,
    make_event,
    make_fault,
    make_machine,
    only_alarm,
    restarted,
)

if TYPE_CHECKING:
    from device.messages import Alarm


def test_a_cry_that_a_crash_cut_off_stays_until_it_is_known_to_be_over() -> None:
    machine, (transition,) = restarted(make_machine().event(make_event(), "high", 500.0))
    assert (transition.change, transition.cause, transition.seq, transition.alarm.state) == (
        "latched",
        "interrupted",
        1000,
        "latched",
    )
    assert ends_at(machine, (make_decision(2.0 + 0.5 * i) for i in range(50))) == 2.0 + HOLD_S


def test_the_alarm_of_a_cry_that_a_crash_cut_off_never_gets_a_verdict() -> None:
    """Nobody heard how it ended: no change after the restart holds an event, which alone has a verdict."""
    machine, (latched,) = restarted(make_machine().event(make_event(), "high", 500.0))
    over = [each for i in range(50) for each in machine.decision(make_decision(2.0 + 0.5 * i), 2.0 + 0.5 * i)]
    assert [(each.change, each.event) for each in (latched, *over)] == [("latched", None), ("ended", None)]


def test_a_cry_that_goes_on_after_a_restart_is_raised_anew() -> None:
    machine, _ = restarted(make_machine().event(make_event(), "high", 500.0))
    assert changes(machine.event(make_event(number=9), "high", 3.0)) == [
        ("s-ears-cry-0", "ended", "taken over by s-ears-cry-9"),
        ("s-ears-cry-9", "raised", "3 of 3"),
    ]


def test_a_cry_that_was_acknowledged_ends_with_the_restart() -> None:
    before = make_machine()
    transitions = [*before.event(make_event(), "high", 0.0), *before.command(Acknowledge(None, "mqtt"), 1.0)]
    machine, (ended,) = restarted(transitions)
    assert (ended.change, ended.cause, ended.seq) == ("ended", "interrupted", 1001)
    assert machine.alarms == ()


def test_a_latched_alarm_survives_and_is_told_again() -> None:
    settings = AlarmSettings(latch="high")
    before = make_machine(settings)
    transitions = [
        *before.event(make_event(), "high", 0.0),
        *before.event(make_event("end", reason="quiet"), "high", 1.0),
    ]
    machine, (again,) = restarted(transitions, settings)
    assert (again.change, again.cause, again.seq, again.alarm) == ("reminded", "interrupted", 1001, before.alarms[0])
    assert ends_at(machine, (make_decision(2.0 + 0.5 * i) for i in range(50))) is None
    assert len(machine.command(Acknowledge(None, "mqtt"), 9.0)) == 2


def test_a_fault_that_is_not_found_again_is_over() -> None:
    machine, (transition,) = restarted(make_machine().fault(make_fault(), 0.0))
    assert (transition.change, transition.cause) == ("latched", "interrupted")
    assert machine.tick(FOUND_AGAIN_S - 0.1) == []
    (ended,) = machine.tick(FOUND_AGAIN_S)
    assert (ended.change, ended.seq) == ("ended", 1001)


def test_a_fault_that_is_found_again_takes_the_place_of_the_one_before_the_restart() -> None:
    machine, _ = restarted(make_machine().fault(make_fault(), 0.0))
    assert changes(machine.fault(make_fault(), 2.0)) == [
        ("b0-silence-0", "ended", "taken over by b1-silence-0"),
        ("b1-silence-0", "raised", "as measured"),
    ]


def test_a_fault_that_is_told_to_be_over_after_a_restart_is_over_at_once() -> None:
    machine, _ = restarted(make_machine().fault(make_fault("broker"), 0.0))
    assert [transition.change for transition in machine.fault(make_fault("broker", begins=False), 1.0)] == ["ended"]


def test_a_failed_self_test_stays_until_one_succeeds() -> None:
    """The next one is a day away: after a minute without a failure nobody knows more than before."""
    machine, (transition,) = restarted(make_machine().fault(make_fault("self_test"), 0.0))
    assert (transition.change, transition.alarm.state) == ("reminded", "active")
    machine.command(Acknowledge(None, "mqtt"), 1.0)
    assert machine.tick(80_000.0) == []
    assert [over.change for over in machine.fault(make_fault("self_test", begins=False), 86_400.0)] == ["ended"]


def test_a_failed_self_test_that_was_acknowledged_stays_acknowledged() -> None:
    before = make_machine()
    transitions = [*before.fault(make_fault("self_test"), 0.0), *before.command(Acknowledge(None, "mqtt"), 1.0)]
    machine, again = restarted(transitions)
    assert again == []
    assert machine.signal == Signal("medium", silent=True, acknowledged=True)


def test_a_restart_at_night_lowers_nothing_twice_and_forgets_no_morning() -> None:
    clock = Clock(MIDNIGHT)
    transitions = make_machine(NIGHT, clock=clock).event(make_event(), "high", 0.0)
    machine = make_machine(NIGHT, boot="b1", clock=clock)
    machine.restore(held_open(transitions), 0.0)
    assert machine.tick(1.0) == []
    assert only_alarm(machine).priority == "medium"
    clock.minute = NOON
    machine.tick(2.0)
    assert only_alarm(machine).priority == "high"


def test_a_journal_that_opens_late_takes_nothing_from_what_is_open() -> None:
    """The disk hung at the start; a cry and its end came first, and may come again."""
    old = make_machine().event(make_event(number=5), "high", 0.0)
    machine = make_machine(boot="b1")
    machine.event(make_event(), "high", 0.0)
    assert changes(machine.restore(held_open(old), 1.0)) == [("s-ears-cry-5", "ended", "taken over by s-ears-cry-0")]
    machine.event(make_event("end", reason="quiet"), "high", 2.0)
    assert changes(machine.restore([*held_open(old), (old[0].alarm, 7)], 3.0)) == [
        ("s-ears-cry-5", "latched", "interrupted")
    ]
    again = machine.event(make_event("reopen"), "high", 4.0)
    assert [(transition.alarm.alarm_id, transition.change, transition.seq) for transition in again] == [
        ("s-ears-cry-5", "ended", 1001),
        ("s-ears-cry-0", "reopened", 2),
    ]


def test_what_a_restart_took_from_nobody_reopens_nothing() -> None:
    machine = make_machine(boot="b1")
    machine.event(make_event(), "high", 0.0)
    machine.event(make_event("end", reason="quiet"), "high", 1.0)
    machine.restore([(replace(_old_cry(), state="latched"), 7)], 2.0)
    machine.command(Acknowledge(None, "mqtt"), 3.0)
    (again,) = machine.event(make_event("reopen"), "high", 4.0)
    assert (again.alarm.alarm_id, again.change, again.seq) == ("s-ears-cry-0", "reopened", 2)


def test_a_journal_that_was_cut_between_acknowledgement_and_end_is_put_right() -> None:
    machine = make_machine(boot="b1")
    (ended,) = machine.restore([(replace(_old_cry(), state="latched", acknowledged=True), 7)], 0.0)
    assert (ended.change, ended.seq) == ("ended", 1007)


def test_what_ended_before_a_restart_stays_ended() -> None:
    machine = make_machine(boot="b1")
    assert machine.restore([(replace(_old_cry(), state="ended"), 7)], 0.0) == []
    assert machine.alarms == ()


def _old_cry() -> Alarm:
    """Of a daemon that crashed."""
    (transition,) = make_machine().event(make_event(number=5), "high", 0.0)
    return transition.alarm
