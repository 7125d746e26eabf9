"""The alarm state machine: each rule by an example."""

from __future__ import annotations

from dataclasses import replace

import pytest

from device.alarms.machine import Machine, Signal
from device.commands import Acknowledge, Pause, Resume, SelfTest
from device.config.settings import AlarmSettings, Latch
from device.errors import ConfigError
from device.messages import Alarm, Transition
from tests.device.alarms.machine_inputs import (
    HOLD_S,
    HOLDS,
    MIDNIGHT,
    NIGHT,
    NOON,
    PRIORITIES,
    Clock,
    changes,
    ends_at,
    make_decision,
    make_event,
    make_fault,
    make_machine,
    only_alarm,
)

# --- sounds


def test_a_cry_is_raised_and_ends_where_it_is_quiet() -> None:
    machine, event = make_machine(), make_event()
    (raised,) = machine.event(event, "high", 10.0)
    alarm = Alarm("s-ears-cry-0", "sound", "cry", "ears", "high", "active", False, 0.9, "3 of 3")
    assert raised == Transition(alarm, 0, "raised", "3 of 3", 10.0, event)
    assert only_alarm(machine) == alarm
    end = make_event("end", reason="quiet", score=0.97)
    (ended,) = machine.event(end, "high", 20.0)
    assert ended == Transition(replace(alarm, state="ended", score=0.97), 1, "ended", "quiet", 20.0, end)
    assert machine.alarms == ()


@pytest.mark.parametrize(
    "reason", ["end_of_file", "no_audio", "gap", "rate", "deaf", "reload", "stopped", "interrupted"]
)
def test_a_cry_that_is_lost_from_sight_stays_open(reason: str) -> None:
    """Only `quiet` says that a sound is over; a pulled plug does not."""
    machine = make_machine()
    machine.event(make_event(), "high", 0.0)
    (latched,) = machine.event(make_event("end", reason=reason), "high", 1.0)
    assert (latched.change, latched.cause, latched.alarm.state) == ("latched", reason, "latched")
    assert machine.signal == Signal("high", silent=False)
    assert changes(machine.command(Acknowledge(None, "button"), 2.0)) == [
        ("s-ears-cry-0", "acknowledged", "acknowledged by button"),
        ("s-ears-cry-0", "ended", "acknowledged by button"),
    ]


def test_a_new_cry_takes_over_the_one_that_was_lost_from_sight() -> None:
    machine = make_machine()
    machine.event(make_event(), "high", 0.0)
    machine.event(make_event("end", reason="gap"), "high", 1.0)
    assert changes(machine.event(make_event(number=1), "high", 2.0)) == [
        ("s-ears-cry-0", "ended", "taken over by s-ears-cry-1"),
        ("s-ears-cry-1", "raised", "3 of 3"),
    ]
    assert only_alarm(machine).alarm_id == "s-ears-cry-1"


def test_another_label_takes_nothing_over() -> None:
    machine = make_machine()
    machine.event(make_event(), "high", 0.0)
    machine.event(make_event("end", reason="gap"), "high", 1.0)
    assert len(machine.event(make_event(label="murmur"), "medium", 2.0)) == 1
    assert [alarm.name for alarm in machine.alarms] == ["cry", "murmur"]


def _lost() -> Machine:
    """A machine whose one cry was lost from sight."""
    machine = make_machine()
    machine.event(make_event(), "high", 0.0)
    machine.event(make_event("end", reason="gap"), "high", 1.0)
    return machine


def test_what_was_lost_from_sight_ends_once_its_label_was_off_for_the_hold() -> None:
    assert ends_at(_lost(), (make_decision(10.0 + 0.5 * i) for i in range(20))) == 10.0 + HOLD_S


def test_what_may_be_an_onset_begins_the_hold_afresh() -> None:
    decisions = [make_decision(10.0 + 0.5 * i, "pending" if i == 6 else "off") for i in range(30)]
    assert ends_at(_lost(), decisions) == 13.5 + HOLD_S


def test_a_deaf_microphone_shows_no_quiet() -> None:
    """Zeros score low; without this a cry that a microphone's death cut off would end as quiet within its hold."""
    machine = _lost()
    assert ends_at(machine, (make_decision(10.0 + 0.5 * i, trusted=False) for i in range(50))) is None
    assert ends_at(machine, (make_decision(40.0 + 0.5 * i) for i in range(50))) == 40.0 + HOLD_S


def test_windows_before_a_gap_do_not_count_with_those_behind() -> None:
    decisions = [make_decision(10.0 + 0.5 * i + (7.0 if i > 5 else 0.0)) for i in range(30)]
    assert ends_at(_lost(), decisions) == 20.0 + HOLD_S


def test_a_stream_that_begins_again_at_zero_begins_the_hold_afresh() -> None:
    decisions = [make_decision(1000.0 + 0.5 * i) for i in range(7)] + [make_decision(2.0 + 0.5 * i) for i in range(30)]
    assert ends_at(_lost(), decisions) == 2.0 + HOLD_S


def test_decisions_end_no_cry_that_is_followed() -> None:
    machine = make_machine()
    machine.event(make_event(), "high", 0.0)
    assert ends_at(machine, (make_decision(10.0 + 0.5 * i) for i in range(50))) is None


def test_a_label_without_a_hold_is_ended_by_no_decision() -> None:
    machine = _lost()
    machine.configure(AlarmSettings(), holds={})
    assert ends_at(machine, (make_decision(10.0 + 0.5 * i) for i in range(50))) is None


def test_a_reopened_cry_keeps_its_id_and_counts_on() -> None:
    machine = make_machine()
    machine.event(make_event(score=0.95), "high", 0.0)
    machine.event(make_event("end", reason="quiet"), "high", 5.0)
    (again,) = machine.event(make_event("reopen", score=0.8), "high", 8.0)
    assert (again.alarm.alarm_id, again.seq, again.change) == ("s-ears-cry-0", 2, "reopened")
    assert again.alarm.score == 0.95


def test_a_reopened_cry_must_be_acknowledged_anew() -> None:
    machine = make_machine()
    machine.event(make_event(), "high", 0.0)
    machine.command(Acknowledge("s-ears-cry-0", "mqtt"), 1.0)
    machine.event(make_event("end", reason="quiet"), "high", 2.0)
    machine.event(make_event("reopen"), "high", 3.0)
    assert machine.signal == Signal("high", silent=False)


def test_a_reopened_cry_that_was_latched_is_active_again() -> None:
    machine = make_machine(AlarmSettings(latch="all"))
    machine.event(make_event(), "high", 0.0)
    machine.event(make_event("end", reason="quiet"), "high", 2.0)
    (again,) = machine.event(make_event("reopen"), "high", 3.0)
    assert (again.change, again.alarm.state, again.seq) == ("reopened", "active", 2)


def test_what_makes_no_sense_changes_nothing() -> None:
    machine = make_machine()
    assert machine.event(make_event("end", reason="quiet"), "high", 0.0) == []
    assert machine.fault(make_fault(begins=False), 0.0) == []
    assert len(machine.event(make_event(), "high", 0.0)) == 1
    assert machine.event(make_event(), "high", 0.0) == []
    assert machine.event(make_event("reopen"), "high", 0.0) == []
    assert machine.event(make_event("end", 7, reason="quiet"), "high", 0.0) == []
    assert machine.command(Acknowledge("nobody", "mqtt"), 0.0) == []
    assert machine.command(SelfTest("mqtt"), 0.0) == []
    assert len(machine.alarms) == 1


# --- latching


@pytest.mark.parametrize(
    ("latch", "label", "latches"),
    [("off", "cry", False), ("high", "cry", True), ("high", "murmur", False), ("all", "murmur", True)],
)
def test_latching_alarms_stay_after_their_cause(latch: Latch, label: str, latches: bool) -> None:  # noqa: FBT001 - pytest hands it in
    machine = make_machine(AlarmSettings(latch=latch))
    machine.event(make_event(label=label), PRIORITIES[label], 0.0)
    (transition,) = machine.event(make_event("end", label=label, reason="quiet"), PRIORITIES[label], 1.0)
    assert transition.change == ("latched" if latches else "ended")
    assert bool(machine.alarms) == latches


def test_a_latched_alarm_is_ended_by_no_decision() -> None:
    machine = make_machine(AlarmSettings(latch="high"))
    machine.event(make_event(), "high", 0.0)
    machine.event(make_event("end", reason="gap"), "high", 1.0)
    assert ends_at(machine, (make_decision(10.0 + 0.5 * i) for i in range(50))) is None
    assert only_alarm(machine).state == "latched"


def test_quiet_hours_take_no_latch_away() -> None:
    machine = make_machine(replace(NIGHT, latch="high"), clock=Clock(MIDNIGHT))
    machine.event(make_event(), "high", 0.0)
    (transition,) = machine.event(make_event("end", reason="quiet"), "high", 1.0)
    assert (transition.change, transition.alarm.priority) == ("latched", "medium")


def test_faults_latch_where_all_do() -> None:
    machine = make_machine(AlarmSettings(latch="all"))
    machine.fault(make_fault(), 0.0)
    (latched,) = machine.fault(make_fault(begins=False), 1.0)
    assert (latched.change, latched.cause) == ("latched", "over")
    assert machine.fault(make_fault(begins=False), 2.0) == []
    assert [change for _, change, _ in changes(machine.fault(make_fault(), 3.0))] == ["ended", "raised"]


# --- faults


def test_a_gap_raises_no_alarm() -> None:
    """A gap is over when it is known: it is logged, and if there are many, coverage raises the alarm."""
    machine = make_machine()
    assert machine.fault(make_fault("gap"), 0.0) == []
    assert machine.alarms == ()


def test_a_fault_is_raised_and_ends_with_what_was_measured() -> None:
    machine = make_machine()
    (raised,) = machine.fault(make_fault("broker"), 1.0)
    alarm = Alarm("b0-broker-0", "technical", "broker", "", "medium", "active", False, None, "as measured")
    assert raised == Transition(alarm, 0, "raised", "as measured", 1.0)
    (ended,) = machine.fault(make_fault("broker", begins=False), 2.0)
    assert ended == Transition(replace(alarm, state="ended"), 1, "ended", "over", 2.0)


def test_each_model_fails_on_its_own() -> None:
    machine = make_machine()
    machine.fault(make_fault("classifier", model="ears"), 0.0)
    machine.fault(make_fault("classifier", model="lung"), 0.0)
    machine.fault(make_fault("classifier", model="ears", begins=False), 1.0)
    assert only_alarm(machine).model == "lung"


def test_a_fault_that_comes_back_has_a_new_id() -> None:
    machine = make_machine()
    ids = []
    for _ in range(3):
        ids += [transition.alarm.alarm_id for transition in machine.fault(make_fault(), 0.0)]
        machine.fault(make_fault(begins=False), 1.0)
    assert len(set(ids)) == 3


# --- what people do


def test_acknowledging_twice_is_acknowledging_once() -> None:
    machine = make_machine()
    machine.event(make_event(), "high", 0.0)
    (transition,) = machine.command(Acknowledge("s-ears-cry-0", "mqtt"), 1.0)
    assert (transition.change, transition.cause, transition.alarm.acknowledged) == (
        "acknowledged",
        "acknowledged by mqtt",
        True,
    )
    assert machine.command(Acknowledge("s-ears-cry-0", "button"), 2.0) == []
    assert machine.command(Acknowledge(None, "button"), 2.0) == []
    assert machine.signal == Signal("high", silent=True, acknowledged=True)


def test_an_acknowledged_cry_ends_even_where_it_is_lost_from_sight() -> None:
    machine = make_machine(AlarmSettings(latch="all"))
    machine.event(make_event(), "high", 0.0)
    machine.command(Acknowledge(None, "mqtt"), 1.0)
    (ended,) = machine.event(make_event("end", reason="gap"), "high", 2.0)
    assert (ended.change, ended.cause) == ("ended", "gap")


def test_one_is_acknowledged_and_the_other_still_shows() -> None:
    machine = make_machine()
    machine.event(make_event(), "high", 0.0)
    machine.fault(make_fault("journal"), 0.0)
    machine.command(Acknowledge("s-ears-cry-0", "mqtt"), 1.0)
    assert machine.signal == Signal("low", silent=False)
    assert [alarm.name for alarm in machine.alarms] == ["cry", "journal"]


def test_a_pause_silences_the_signal_and_nothing_else() -> None:
    """Also of a new alarm of high priority: it is raised, published and shown; only the buzzer waits."""
    machine = make_machine()
    assert machine.command(Pause(60.0, "button"), 0.0) == []
    assert machine.signal == Signal(None, silent=True)
    assert changes(machine.event(make_event(), "high", 1.0)) == [("s-ears-cry-0", "raised", "3 of 3")]
    assert machine.signal == Signal("high", silent=True)
    machine.tick(59.9)
    assert (machine.signal.silent, machine.paused_until_s) == (True, 60.0)
    machine.tick(60.0)
    assert (machine.signal.silent, machine.paused_until_s) == (False, None)


def test_a_pause_is_bounded_and_a_second_one_takes_its_place() -> None:
    machine = make_machine(AlarmSettings(longest_pause_s=100.0))
    machine.command(Pause(7200.0, "mqtt"), 50.0)
    assert machine.paused_until_s == 150.0
    machine.command(Pause(10.0, "mqtt"), 60.0)
    assert machine.paused_until_s == 70.0
    machine.command(Resume("mqtt"), 61.0)
    assert machine.paused_until_s is None


# --- what time does


def test_people_are_reminded_until_somebody_acknowledges() -> None:
    machine = make_machine(AlarmSettings(remind_s=120.0))
    machine.event(make_event(), "high", 0.0)
    transitions = [transition for second in range(1, 400) for transition in machine.tick(float(second))]
    assert [(reminder.change, reminder.at_s) for reminder in transitions] == [
        ("reminded", at) for at in (120.0, 240.0, 360.0)
    ]
    machine.command(Acknowledge(None, "mqtt"), 400.0)
    assert machine.tick(4000.0) == []


def test_a_clock_that_leaps_reminds_once() -> None:
    machine = make_machine(AlarmSettings(remind_s=10.0))
    machine.event(make_event(), "high", 0.0)
    assert len(machine.tick(100_000.0)) == 1
    assert machine.tick(100_000.0) == []


def test_nobody_is_reminded_where_that_is_off() -> None:
    machine = make_machine(AlarmSettings(remind_s=None))
    machine.event(make_event(), "high", 0.0)
    assert machine.tick(1e6) == []


def test_a_time_that_goes_back_stands_still() -> None:
    machine = make_machine()
    machine.event(make_event(), "high", 100.0)
    (ended,) = machine.event(make_event("end", reason="quiet"), "high", 40.0)
    assert ended.at_s == 100.0


def test_quiet_hours_lower_a_sound_by_one_and_tell_where_they_begin_and_end() -> None:
    clock = Clock(NOON)
    machine = make_machine(NIGHT, clock=clock)
    machine.event(make_event(), "high", 0.0)
    clock.minute = 22 * 60
    (lowered,) = machine.tick(1.0)
    assert (lowered.change, lowered.cause) == ("priority", "quiet hours have begun")
    assert (lowered.alarm.priority, lowered.alarm.lowered_from) == ("medium", "high")
    assert machine.tick(2.0) == []
    clock.minute = 6 * 60
    (raised,) = machine.tick(3.0)
    assert (raised.cause, raised.alarm.priority, raised.alarm.lowered_from) == ("quiet hours are over", "high", None)


def test_quiet_hours_never_touch_a_fault_and_hide_nothing() -> None:
    machine = make_machine(NIGHT, clock=Clock(MIDNIGHT))
    machine.fault(make_fault("microphone"), 0.0)
    (transition,) = machine.event(make_event(label="murmur"), "low", 0.0)
    assert (transition.change, transition.alarm.priority, transition.alarm.lowered_from) == ("raised", "low", None)
    assert [alarm.priority for alarm in machine.alarms] == ["medium", "low"]


def test_quiet_hours_are_not_kept_while_nobody_knows_the_time() -> None:
    clock = Clock(MIDNIGHT)
    machine = make_machine(NIGHT, clock=clock)
    machine.event(make_event(), "high", 0.0)
    clock.minute = None
    (transition,) = machine.tick(1.0)
    assert (transition.alarm.priority, transition.cause) == (
        "high",
        "quiet hours are not kept while the clock is not synchronized",
    )


def test_settings_that_do_not_hold_leave_all_as_it_was() -> None:
    machine = make_machine(NIGHT, clock=Clock(MIDNIGHT))
    with pytest.raises(ConfigError):
        machine.configure(replace(NIGHT, quiet_hours="late"), holds={})
    machine.event(make_event(), "high", 0.0)
    assert only_alarm(machine).priority == "medium"


def test_other_settings_leave_open_what_is_open_and_go_on_counting() -> None:
    machine = make_machine()
    machine.event(make_event(), "high", 0.0)
    machine.event(make_event("end", reason="quiet"), "high", 1.0)
    machine.event(make_event(label="murmur"), "medium", 2.0)
    machine.configure(AlarmSettings(latch="all"), holds=HOLDS)
    assert only_alarm(machine).name == "murmur"
    assert [(transition.change, transition.seq) for transition in machine.event(make_event("reopen"), "high", 3.0)] == [
        ("reopened", 2)
    ]


def test_labels_that_are_configured_away_are_forgotten() -> None:
    machine = make_machine()
    machine.event(make_event(), "high", 0.0)
    machine.event(make_event("end", reason="quiet"), "high", 1.0)
    machine.configure(AlarmSettings(), holds={})
    assert not machine._ended


def test_a_latch_that_is_set_later_holds_nothing_that_waits_for_quiet() -> None:
    machine = _lost()
    machine.configure(AlarmSettings(latch="all"), holds=HOLDS)
    assert ends_at(machine, (make_decision(10.0 + 0.5 * i) for i in range(20))) == 10.0 + HOLD_S


def test_sounds_stand_before_faults_and_the_unseen_before_the_seen() -> None:
    machine = make_machine()
    machine.fault(make_fault("silence"), 0.0)
    machine.fault(make_fault("broker"), 0.0)
    machine.event(make_event(label="murmur"), "medium", 0.0)
    machine.event(make_event(), "high", 0.0)
    assert [alarm.name for alarm in machine.alarms] == ["cry", "murmur", "silence", "broker"]
    machine.command(Acknowledge("s-ears-murmur-0", "mqtt"), 1.0)
    assert [alarm.name for alarm in machine.alarms] == ["cry", "silence", "broker", "murmur"]
