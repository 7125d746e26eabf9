"""The alarm state machine: each rule by a story, the laws by hypothesis over whatever may happen in whatever order."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from device.alarms.machine import FOUND_AGAIN_S, Machine, Signal
from device.alarms.quiet_hours import QuietHours
from device.commands import Acknowledge, Pause, Resume, SelfTest
from device.config.settings import AlarmSettings, Latch
from device.errors import ConfigError
from device.fault_info import FAULTS
from device.messages import Alarm, Decision, Event, Fault, FaultKind, Transition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from device.commands import Command
from device.messages import LabelState, Phase, Priority

NOON, MIDNIGHT = 720, 0
HOLD_S = 4.0
HOLDS = {("ears", "cry"): HOLD_S, ("ears", "murmur"): 2.0}
PRIORITIES: Mapping[str, Priority] = {"cry": "high", "murmur": "medium"}
URGENCY = {"high": 0, "medium": 1, "low": 2}
LOWER: Mapping[Priority, Priority] = {"high": "medium", "medium": "low", "low": "low"}
NIGHT = AlarmSettings(quiet_hours="22:00-06:00")


@dataclass
class Clock:
    """The time of day as the machine is told it."""

    minute: int | None = NOON

    def __call__(self) -> int | None:
        return self.minute


def _machine(settings: AlarmSettings | None = None, *, boot: str = "b0", clock: Clock | None = None) -> Machine:
    return Machine(settings or AlarmSettings(), boot_id=boot, holds=HOLDS, local_minute=clock or Clock())


def _event(
    phase: Phase = "begin", number: int = 0, *, label: str = "cry", reason: str = "3 of 3", score: float = 0.9
) -> Event:
    return Event(
        event_id=f"s-ears-{label}-{number}",
        seq=0,
        model="ears",
        label=label,
        phase=phase,
        score=score,
        start_s=0.0,
        end_s=1.0 if phase == "end" else None,
        decided_s=1.0,
        reason=reason,
    )


def _fault(kind: FaultKind = "silence", *, begins: bool = True, model: str = "") -> Fault:
    return Fault(kind, begins=begins, since_s=0.0, at_s=1.0, detail="as measured" if begins else "over", model=model)


def _decision(end_s: float, state: LabelState = "off", *, trusted: bool = True, label: str = "cry") -> Decision:
    return Decision("ears", label, state, "a rule", 0.1, end_s - 2.0, end_s, trusted=trusted)


def _changes(transitions: Iterable[Transition]) -> list[tuple[str, str, str]]:
    return [(told.alarm.alarm_id, told.change, told.cause) for told in transitions]


def _only(machine: Machine) -> Alarm:
    (alarm,) = machine.alarms
    return alarm


# --- sounds


def test_a_cry_is_raised_and_ends_where_it_is_quiet() -> None:
    machine, event = _machine(), _event()
    (raised,) = machine.event(event, "high", 10.0)
    alarm = Alarm("s-ears-cry-0", "sound", "cry", "ears", "high", "active", False, 0.9, "3 of 3")
    assert raised == Transition(alarm, 0, "raised", "3 of 3", 10.0, event)
    assert _only(machine) == alarm
    end = _event("end", reason="quiet", score=0.97)
    (ended,) = machine.event(end, "high", 20.0)
    assert ended == Transition(replace(alarm, state="ended", score=0.97), 1, "ended", "quiet", 20.0, end)
    assert machine.alarms == ()


@pytest.mark.parametrize(
    "reason", ["end_of_file", "no_audio", "gap", "rate", "deaf", "reload", "stopped", "interrupted"]
)
def test_a_cry_that_is_lost_from_sight_stays_open(reason: str) -> None:
    """Only `quiet` says that a sound is over; a pulled plug does not."""
    machine = _machine()
    machine.event(_event(), "high", 0.0)
    (latched,) = machine.event(_event("end", reason=reason), "high", 1.0)
    assert (latched.change, latched.cause, latched.alarm.state) == ("latched", reason, "latched")
    assert machine.signal == Signal("high", silent=False)
    assert _changes(machine.command(Acknowledge(None, "button"), 2.0)) == [
        ("s-ears-cry-0", "acknowledged", "acknowledged by button"),
        ("s-ears-cry-0", "ended", "acknowledged by button"),
    ]


def test_a_new_cry_takes_over_the_one_that_was_lost_from_sight() -> None:
    machine = _machine()
    machine.event(_event(), "high", 0.0)
    machine.event(_event("end", reason="gap"), "high", 1.0)
    assert _changes(machine.event(_event(number=1), "high", 2.0)) == [
        ("s-ears-cry-0", "ended", "taken over by s-ears-cry-1"),
        ("s-ears-cry-1", "raised", "3 of 3"),
    ]
    assert _only(machine).alarm_id == "s-ears-cry-1"


def test_another_label_takes_nothing_over() -> None:
    machine = _machine()
    machine.event(_event(), "high", 0.0)
    machine.event(_event("end", reason="gap"), "high", 1.0)
    assert len(machine.event(_event(label="murmur"), "medium", 2.0)) == 1
    assert [alarm.name for alarm in machine.alarms] == ["cry", "murmur"]


def _lost() -> Machine:
    """A machine whose one cry was lost from sight."""
    machine = _machine()
    machine.event(_event(), "high", 0.0)
    machine.event(_event("end", reason="gap"), "high", 1.0)
    return machine


def _ends_at(machine: Machine, decisions: Iterable[Decision]) -> float | None:
    """End of the window with which the cry was held to be over."""
    for decision in decisions:
        told = machine.decision(decision, 2.0)
        if told:
            assert _changes(told) == [("s-ears-cry-0", "ended", "quiet")]
            return decision.end_s
    return None


def test_what_was_lost_from_sight_ends_once_its_label_was_off_for_the_hold() -> None:
    assert _ends_at(_lost(), (_decision(10.0 + 0.5 * i) for i in range(20))) == 10.0 + HOLD_S


def test_what_may_be_an_onset_begins_the_hold_afresh() -> None:
    decisions = [_decision(10.0 + 0.5 * i, "pending" if i == 6 else "off") for i in range(30)]
    assert _ends_at(_lost(), decisions) == 13.5 + HOLD_S


def test_a_deaf_microphone_shows_no_quiet() -> None:
    """Zeros score low; without this a cry that a microphone's death cut off would end as quiet within its hold."""
    machine = _lost()
    assert _ends_at(machine, (_decision(10.0 + 0.5 * i, trusted=False) for i in range(50))) is None
    assert _ends_at(machine, (_decision(40.0 + 0.5 * i) for i in range(50))) == 40.0 + HOLD_S


def test_windows_before_a_gap_do_not_count_with_those_behind() -> None:
    decisions = [_decision(10.0 + 0.5 * i + (7.0 if i > 5 else 0.0)) for i in range(30)]
    assert _ends_at(_lost(), decisions) == 20.0 + HOLD_S


def test_a_stream_that_begins_again_at_zero_begins_the_hold_afresh() -> None:
    decisions = [_decision(1000.0 + 0.5 * i) for i in range(7)] + [_decision(2.0 + 0.5 * i) for i in range(30)]
    assert _ends_at(_lost(), decisions) == 2.0 + HOLD_S


def test_decisions_end_no_cry_that_is_followed() -> None:
    machine = _machine()
    machine.event(_event(), "high", 0.0)
    assert _ends_at(machine, (_decision(10.0 + 0.5 * i) for i in range(50))) is None


def test_a_label_without_a_hold_is_ended_by_no_decision() -> None:
    machine = _lost()
    machine.configure(AlarmSettings(), holds={})
    assert _ends_at(machine, (_decision(10.0 + 0.5 * i) for i in range(50))) is None


def test_a_reopened_cry_keeps_its_id_and_counts_on() -> None:
    machine = _machine()
    machine.event(_event(score=0.95), "high", 0.0)
    machine.event(_event("end", reason="quiet"), "high", 5.0)
    (again,) = machine.event(_event("reopen", score=0.8), "high", 8.0)
    assert (again.alarm.alarm_id, again.seq, again.change) == ("s-ears-cry-0", 2, "reopened")
    assert again.alarm.score == 0.95


def test_a_reopened_cry_must_be_acknowledged_anew() -> None:
    machine = _machine()
    machine.event(_event(), "high", 0.0)
    machine.command(Acknowledge("s-ears-cry-0", "mqtt"), 1.0)
    machine.event(_event("end", reason="quiet"), "high", 2.0)
    machine.event(_event("reopen"), "high", 3.0)
    assert machine.signal == Signal("high", silent=False)


def test_a_reopened_cry_that_was_latched_is_active_again() -> None:
    machine = _machine(AlarmSettings(latch="all"))
    machine.event(_event(), "high", 0.0)
    machine.event(_event("end", reason="quiet"), "high", 2.0)
    (again,) = machine.event(_event("reopen"), "high", 3.0)
    assert (again.change, again.alarm.state, again.seq) == ("reopened", "active", 2)


def test_what_makes_no_sense_changes_nothing() -> None:
    machine = _machine()
    assert machine.event(_event("end", reason="quiet"), "high", 0.0) == []
    assert machine.fault(_fault(begins=False), 0.0) == []
    assert len(machine.event(_event(), "high", 0.0)) == 1
    assert machine.event(_event(), "high", 0.0) == []
    assert machine.event(_event("reopen"), "high", 0.0) == []
    assert machine.event(_event("end", 7, reason="quiet"), "high", 0.0) == []
    assert machine.command(Acknowledge("nobody", "mqtt"), 0.0) == []
    assert machine.command(SelfTest("mqtt"), 0.0) == []
    assert len(machine.alarms) == 1


# --- latching


@pytest.mark.parametrize(
    ("latch", "label", "latches"),
    [("off", "cry", False), ("high", "cry", True), ("high", "murmur", False), ("all", "murmur", True)],
)
def test_latching_alarms_stay_after_their_cause(latch: Latch, label: str, latches: bool) -> None:  # noqa: FBT001 - pytest hands it in
    machine = _machine(AlarmSettings(latch=latch))
    machine.event(_event(label=label), PRIORITIES[label], 0.0)
    (told,) = machine.event(_event("end", label=label, reason="quiet"), PRIORITIES[label], 1.0)
    assert told.change == ("latched" if latches else "ended")
    assert bool(machine.alarms) == latches


def test_a_latched_alarm_is_ended_by_no_decision() -> None:
    machine = _machine(AlarmSettings(latch="high"))
    machine.event(_event(), "high", 0.0)
    machine.event(_event("end", reason="gap"), "high", 1.0)
    assert _ends_at(machine, (_decision(10.0 + 0.5 * i) for i in range(50))) is None
    assert _only(machine).state == "latched"


def test_quiet_hours_take_no_latch_away() -> None:
    machine = _machine(replace(NIGHT, latch="high"), clock=Clock(MIDNIGHT))
    machine.event(_event(), "high", 0.0)
    (told,) = machine.event(_event("end", reason="quiet"), "high", 1.0)
    assert (told.change, told.alarm.priority) == ("latched", "medium")


def test_faults_latch_where_all_do() -> None:
    machine = _machine(AlarmSettings(latch="all"))
    machine.fault(_fault(), 0.0)
    (latched,) = machine.fault(_fault(begins=False), 1.0)
    assert (latched.change, latched.cause) == ("latched", "over")
    assert machine.fault(_fault(begins=False), 2.0) == []
    assert [change for _, change, _ in _changes(machine.fault(_fault(), 3.0))] == ["ended", "raised"]


# --- faults


def test_a_gap_raises_no_alarm() -> None:
    """A gap is over when it is known: it stands in the log, and where gaps are many, coverage is the alarm."""
    machine = _machine()
    assert machine.fault(_fault("gap"), 0.0) == []
    assert machine.alarms == ()


def test_a_fault_is_raised_and_ends_with_what_was_measured() -> None:
    machine = _machine()
    (raised,) = machine.fault(_fault("broker"), 1.0)
    alarm = Alarm("b0-broker-0", "technical", "broker", "", "medium", "active", False, None, "as measured")
    assert raised == Transition(alarm, 0, "raised", "as measured", 1.0)
    (ended,) = machine.fault(_fault("broker", begins=False), 2.0)
    assert ended == Transition(replace(alarm, state="ended"), 1, "ended", "over", 2.0)


def test_each_model_fails_on_its_own() -> None:
    machine = _machine()
    machine.fault(_fault("classifier", model="ears"), 0.0)
    machine.fault(_fault("classifier", model="lung"), 0.0)
    machine.fault(_fault("classifier", model="ears", begins=False), 1.0)
    assert _only(machine).model == "lung"


def test_a_fault_that_comes_back_has_a_new_id() -> None:
    machine = _machine()
    ids = []
    for _ in range(3):
        ids += [told.alarm.alarm_id for told in machine.fault(_fault(), 0.0)]
        machine.fault(_fault(begins=False), 1.0)
    assert len(set(ids)) == 3


# --- what people do


def test_acknowledging_twice_is_acknowledging_once() -> None:
    machine = _machine()
    machine.event(_event(), "high", 0.0)
    (told,) = machine.command(Acknowledge("s-ears-cry-0", "mqtt"), 1.0)
    assert (told.change, told.cause, told.alarm.acknowledged) == ("acknowledged", "acknowledged by mqtt", True)
    assert machine.command(Acknowledge("s-ears-cry-0", "button"), 2.0) == []
    assert machine.command(Acknowledge(None, "button"), 2.0) == []
    assert machine.signal == Signal("high", silent=True, acknowledged=True)


def test_an_acknowledged_cry_ends_even_where_it_is_lost_from_sight() -> None:
    machine = _machine(AlarmSettings(latch="all"))
    machine.event(_event(), "high", 0.0)
    machine.command(Acknowledge(None, "mqtt"), 1.0)
    (ended,) = machine.event(_event("end", reason="gap"), "high", 2.0)
    assert (ended.change, ended.cause) == ("ended", "gap")


def test_one_is_acknowledged_and_the_other_still_shows() -> None:
    machine = _machine()
    machine.event(_event(), "high", 0.0)
    machine.fault(_fault("journal"), 0.0)
    machine.command(Acknowledge("s-ears-cry-0", "mqtt"), 1.0)
    assert machine.signal == Signal("low", silent=False)
    assert [alarm.name for alarm in machine.alarms] == ["cry", "journal"]


def test_a_pause_silences_the_signal_and_nothing_else() -> None:
    """Also of a new alarm of high priority: it is raised, told and shown; only the buzzer waits."""
    machine = _machine()
    assert machine.command(Pause(60.0, "button"), 0.0) == []
    assert machine.signal == Signal(None, silent=True)
    assert _changes(machine.event(_event(), "high", 1.0)) == [("s-ears-cry-0", "raised", "3 of 3")]
    assert machine.signal == Signal("high", silent=True)
    machine.tick(59.9)
    assert (machine.signal.silent, machine.paused_until_s) == (True, 60.0)
    machine.tick(60.0)
    assert (machine.signal.silent, machine.paused_until_s) == (False, None)


def test_a_pause_is_bounded_and_a_second_one_takes_its_place() -> None:
    machine = _machine(AlarmSettings(longest_pause_s=100.0))
    machine.command(Pause(7200.0, "mqtt"), 50.0)
    assert machine.paused_until_s == 150.0
    machine.command(Pause(10.0, "mqtt"), 60.0)
    assert machine.paused_until_s == 70.0
    machine.command(Resume("mqtt"), 61.0)
    assert machine.paused_until_s is None


# --- what time does


def test_people_are_reminded_until_somebody_acknowledges() -> None:
    machine = _machine(AlarmSettings(remind_s=120.0))
    machine.event(_event(), "high", 0.0)
    told = [transition for second in range(1, 400) for transition in machine.tick(float(second))]
    assert [(reminder.change, reminder.at_s) for reminder in told] == [("reminded", at) for at in (120.0, 240.0, 360.0)]
    machine.command(Acknowledge(None, "mqtt"), 400.0)
    assert machine.tick(4000.0) == []


def test_a_clock_that_leaps_reminds_once() -> None:
    machine = _machine(AlarmSettings(remind_s=10.0))
    machine.event(_event(), "high", 0.0)
    assert len(machine.tick(100_000.0)) == 1
    assert machine.tick(100_000.0) == []


def test_nobody_is_reminded_where_that_is_off() -> None:
    machine = _machine(AlarmSettings(remind_s=None))
    machine.event(_event(), "high", 0.0)
    assert machine.tick(1e6) == []


def test_a_time_that_goes_back_stands_still() -> None:
    machine = _machine()
    machine.event(_event(), "high", 100.0)
    (ended,) = machine.event(_event("end", reason="quiet"), "high", 40.0)
    assert ended.at_s == 100.0


def test_quiet_hours_lower_a_sound_by_one_and_tell_where_they_begin_and_end() -> None:
    clock = Clock(NOON)
    machine = _machine(NIGHT, clock=clock)
    machine.event(_event(), "high", 0.0)
    clock.minute = 22 * 60
    (lowered,) = machine.tick(1.0)
    assert (lowered.change, lowered.cause) == ("priority", "quiet hours have begun")
    assert (lowered.alarm.priority, lowered.alarm.lowered_from) == ("medium", "high")
    assert machine.tick(2.0) == []
    clock.minute = 6 * 60
    (raised,) = machine.tick(3.0)
    assert (raised.cause, raised.alarm.priority, raised.alarm.lowered_from) == ("quiet hours are over", "high", None)


def test_quiet_hours_never_touch_a_fault_and_hide_nothing() -> None:
    machine = _machine(NIGHT, clock=Clock(MIDNIGHT))
    machine.fault(_fault("microphone"), 0.0)
    (told,) = machine.event(_event(label="murmur"), "low", 0.0)
    assert (told.change, told.alarm.priority, told.alarm.lowered_from) == ("raised", "low", None)
    assert [alarm.priority for alarm in machine.alarms] == ["medium", "low"]


def test_quiet_hours_are_not_kept_while_nobody_knows_the_time() -> None:
    clock = Clock(MIDNIGHT)
    machine = _machine(NIGHT, clock=clock)
    machine.event(_event(), "high", 0.0)
    clock.minute = None
    (told,) = machine.tick(1.0)
    assert (told.alarm.priority, told.cause) == (
        "high",
        "quiet hours are not kept while the clock is not synchronized",
    )


def test_settings_that_do_not_hold_leave_all_as_it_was() -> None:
    machine = _machine(NIGHT, clock=Clock(MIDNIGHT))
    with pytest.raises(ConfigError):
        machine.configure(replace(NIGHT, quiet_hours="late"), holds={})
    machine.event(_event(), "high", 0.0)
    assert _only(machine).priority == "medium"


def test_other_settings_leave_open_what_is_open_and_go_on_counting() -> None:
    machine = _machine()
    machine.event(_event(), "high", 0.0)
    machine.event(_event("end", reason="quiet"), "high", 1.0)
    machine.event(_event(label="murmur"), "medium", 2.0)
    machine.configure(AlarmSettings(latch="all"), holds=HOLDS)
    assert _only(machine).name == "murmur"
    assert [(told.change, told.seq) for told in machine.event(_event("reopen"), "high", 3.0)] == [("reopened", 2)]


def test_labels_that_are_configured_away_are_forgotten() -> None:
    machine = _machine()
    machine.event(_event(), "high", 0.0)
    machine.event(_event("end", reason="quiet"), "high", 1.0)
    machine.configure(AlarmSettings(), holds={})
    assert not machine._ended


def test_a_latch_that_is_set_later_holds_nothing_that_waits_for_quiet() -> None:
    machine = _lost()
    machine.configure(AlarmSettings(latch="all"), holds=HOLDS)
    assert _ends_at(machine, (_decision(10.0 + 0.5 * i) for i in range(20))) == 10.0 + HOLD_S


def test_sounds_stand_before_faults_and_the_unseen_before_the_seen() -> None:
    machine = _machine()
    machine.fault(_fault("silence"), 0.0)
    machine.fault(_fault("broker"), 0.0)
    machine.event(_event(label="murmur"), "medium", 0.0)
    machine.event(_event(), "high", 0.0)
    assert [alarm.name for alarm in machine.alarms] == ["cry", "murmur", "silence", "broker"]
    machine.command(Acknowledge("s-ears-murmur-0", "mqtt"), 1.0)
    assert [alarm.name for alarm in machine.alarms] == ["cry", "silence", "broker", "murmur"]


# --- restarts


def _restarted(told: Iterable[Transition], settings: AlarmSettings | None = None) -> tuple[Machine, list[Transition]]:
    """A machine with what a journal of these transitions holds open, and what it says of it."""
    machine = _machine(settings, boot="b1")
    return machine, machine.restore(_held_open(told), 0.0)


def _held_open(told: Iterable[Transition]) -> list[tuple[Alarm, int]]:
    newest = {transition.alarm.alarm_id: (transition.alarm, transition.seq) for transition in told}
    return [(alarm, seq) for alarm, seq in newest.values() if alarm.state != "ended"]


def test_a_cry_that_a_crash_cut_off_stays_until_it_is_known_to_be_over() -> None:
    machine, (told,) = _restarted(_machine().event(_event(), "high", 500.0))
    assert (told.change, told.cause, told.seq, told.alarm.state) == ("latched", "interrupted", 1000, "latched")
    assert _ends_at(machine, (_decision(2.0 + 0.5 * i) for i in range(50))) == 2.0 + HOLD_S


def test_a_cry_that_goes_on_after_a_restart_is_raised_anew() -> None:
    machine, _ = _restarted(_machine().event(_event(), "high", 500.0))
    assert _changes(machine.event(_event(number=9), "high", 3.0)) == [
        ("s-ears-cry-0", "ended", "taken over by s-ears-cry-9"),
        ("s-ears-cry-9", "raised", "3 of 3"),
    ]


def test_a_cry_that_was_acknowledged_ends_with_the_restart() -> None:
    before = _machine()
    told = [*before.event(_event(), "high", 0.0), *before.command(Acknowledge(None, "mqtt"), 1.0)]
    machine, (ended,) = _restarted(told)
    assert (ended.change, ended.cause, ended.seq) == ("ended", "interrupted", 1001)
    assert machine.alarms == ()


def test_a_latched_alarm_survives_and_is_told_again() -> None:
    settings = AlarmSettings(latch="high")
    before = _machine(settings)
    told = [*before.event(_event(), "high", 0.0), *before.event(_event("end", reason="quiet"), "high", 1.0)]
    machine, (again,) = _restarted(told, settings)
    assert (again.change, again.cause, again.seq, again.alarm) == ("reminded", "interrupted", 1001, before.alarms[0])
    assert _ends_at(machine, (_decision(2.0 + 0.5 * i) for i in range(50))) is None
    assert len(machine.command(Acknowledge(None, "mqtt"), 9.0)) == 2


def test_a_fault_that_is_not_found_again_is_over() -> None:
    machine, (told,) = _restarted(_machine().fault(_fault(), 0.0))
    assert (told.change, told.cause) == ("latched", "interrupted")
    assert machine.tick(FOUND_AGAIN_S - 0.1) == []
    (ended,) = machine.tick(FOUND_AGAIN_S)
    assert (ended.change, ended.seq) == ("ended", 1001)


def test_a_fault_that_is_found_again_takes_the_place_of_the_one_before_the_restart() -> None:
    machine, _ = _restarted(_machine().fault(_fault(), 0.0))
    assert _changes(machine.fault(_fault(), 2.0)) == [
        ("b0-silence-0", "ended", "taken over by b1-silence-0"),
        ("b1-silence-0", "raised", "as measured"),
    ]


def test_a_fault_that_is_told_to_be_over_after_a_restart_is_over_at_once() -> None:
    machine, _ = _restarted(_machine().fault(_fault("broker"), 0.0))
    assert [told.change for told in machine.fault(_fault("broker", begins=False), 1.0)] == ["ended"]


def test_a_failed_self_test_stays_until_one_succeeds() -> None:
    """The next one is a day away: after a minute without a failure nobody knows more than before."""
    machine, (told,) = _restarted(_machine().fault(_fault("self_test"), 0.0))
    assert (told.change, told.alarm.state) == ("reminded", "active")
    machine.command(Acknowledge(None, "mqtt"), 1.0)
    assert machine.tick(80_000.0) == []
    assert [over.change for over in machine.fault(_fault("self_test", begins=False), 86_400.0)] == ["ended"]


def test_a_failed_self_test_that_was_acknowledged_stays_acknowledged() -> None:
    before = _machine()
    told = [*before.fault(_fault("self_test"), 0.0), *before.command(Acknowledge(None, "mqtt"), 1.0)]
    machine, again = _restarted(told)
    assert again == []
    assert machine.signal == Signal("medium", silent=True, acknowledged=True)


def test_a_restart_at_night_lowers_nothing_twice_and_forgets_no_morning() -> None:
    clock = Clock(MIDNIGHT)
    told = _machine(NIGHT, clock=clock).event(_event(), "high", 0.0)
    machine = _machine(NIGHT, boot="b1", clock=clock)
    machine.restore(_held_open(told), 0.0)
    assert machine.tick(1.0) == []
    assert _only(machine).priority == "medium"
    clock.minute = NOON
    machine.tick(2.0)
    assert _only(machine).priority == "high"


def test_a_journal_that_opens_late_takes_nothing_from_what_is_open() -> None:
    """The disk hung at the start; a cry and its end came first, and may come again."""
    old = _machine().event(_event(number=5), "high", 0.0)
    machine = _machine(boot="b1")
    machine.event(_event(), "high", 0.0)
    assert _changes(machine.restore(_held_open(old), 1.0)) == [("s-ears-cry-5", "ended", "taken over by s-ears-cry-0")]
    machine.event(_event("end", reason="quiet"), "high", 2.0)
    assert _changes(machine.restore([*_held_open(old), (old[0].alarm, 7)], 3.0)) == [
        ("s-ears-cry-5", "latched", "interrupted")
    ]
    again = machine.event(_event("reopen"), "high", 4.0)
    assert [(told.alarm.alarm_id, told.change, told.seq) for told in again] == [
        ("s-ears-cry-5", "ended", 1001),
        ("s-ears-cry-0", "reopened", 2),
    ]


def test_what_a_restart_took_from_nobody_reopens_nothing() -> None:
    machine = _machine(boot="b1")
    machine.event(_event(), "high", 0.0)
    machine.event(_event("end", reason="quiet"), "high", 1.0)
    machine.restore([(replace(_old_cry(), state="latched"), 7)], 2.0)
    machine.command(Acknowledge(None, "mqtt"), 3.0)
    (again,) = machine.event(_event("reopen"), "high", 4.0)
    assert (again.alarm.alarm_id, again.change, again.seq) == ("s-ears-cry-0", "reopened", 2)


def test_a_journal_that_was_cut_between_acknowledgement_and_end_is_put_right() -> None:
    machine = _machine(boot="b1")
    (ended,) = machine.restore([(replace(_old_cry(), state="latched", acknowledged=True), 7)], 0.0)
    assert (ended.change, ended.seq) == ("ended", 1007)


def test_what_ended_before_a_restart_stays_ended() -> None:
    machine = _machine(boot="b1")
    assert machine.restore([(replace(_old_cry(), state="ended"), 7)], 0.0) == []
    assert machine.alarms == ()


def _old_cry() -> Alarm:
    """Of a daemon that crashed."""
    (told,) = _machine().event(_event(number=5), "high", 0.0)
    return told.alarm


# --- the laws, over whatever may happen in whatever order


@dataclass
class World:
    """What is the case outside the machine, as whoever tells the machine of it knows."""

    sounding: dict[str, str] = field(default_factory=dict)  # label -> id of its event that is on
    newest: dict[str, str] = field(default_factory=dict)  # label -> id of its newest event, while that may reopen
    failing: set[tuple[str, str]] = field(default_factory=set)  # (kind, model)
    lost: set[str] = field(default_factory=set)  # alarms whose cause was lost from sight


@dataclass
class Life:
    """One machine's inputs, from its start to a crash: what a replay needs."""

    boot_id: str
    steps: list[tuple[str, tuple[Any, ...], int | None]] = field(default_factory=list)

    def lived_again(self, settings: AlarmSettings) -> list[Transition]:
        clock = Clock()
        machine = _machine(settings, boot=self.boot_id, clock=clock)
        told: list[Transition] = []
        for name, arguments, clock.minute in self.steps:
            told += getattr(machine, name)(*arguments)
        return told


_labels = st.sampled_from(sorted(PRIORITIES))
_kinds: st.SearchStrategy[FaultKind] = st.sampled_from(
    ["silence", "classifier", "broker", "delivery", "journal", "self_test", "gap"]
)
_states: st.SearchStrategy[LabelState] = st.sampled_from(["off", "off", "off", "pending", "on", "holding"])
_reasons = st.sampled_from(["quiet", "quiet", "gap", "deaf", "no_audio", "stopped"])
_settings = st.builds(
    AlarmSettings,
    latch=st.sampled_from(get_args(Latch)),
    remind_s=st.sampled_from([None, 10.0, 120.0]),
    longest_pause_s=st.sampled_from([10.0, 600.0]),
    quiet_hours=st.sampled_from([None, "22:00-06:00"]),
)


class AlarmLaws(RuleBasedStateMachine):
    """Any order of events, faults, decisions, commands, ticks, steps of the time of day, and crashes."""

    @initialize(settings=_settings)
    def start(self, settings: AlarmSettings) -> None:
        self.settings = settings
        self.clock = Clock()
        self.world = World()
        self.lives: list[Life] = []
        self.newest: dict[str, Transition] = {}
        self.told: list[Transition] = []
        self.unchanged_since_restart: set[str] = set()
        self.now_s = 1000.0
        self.stream_s = 0.0
        self.events = 0
        self._begin_life()

    def _begin_life(self) -> None:
        self.lives.append(Life(f"b{len(self.lives)}"))
        self.machine = _machine(self.settings, boot=self.lives[-1].boot_id, clock=self.clock)
        self.latest_pause_end_s = -math.inf
        self.life_told_s = -math.inf

    def _step(self, name: str, *arguments: Any) -> list[Transition]:
        self.lives[-1].steps.append((name, (*arguments, self.now_s), self.clock.minute))
        told: list[Transition] = getattr(self.machine, name)(*arguments, self.now_s)
        for transition in told:
            self._take(transition)
        return told

    def _take(self, told: Transition) -> None:
        """Ids and numbers are unique and in order, and a life is raised, lived and ended."""
        alarm_id = told.alarm.alarm_id
        before = self.newest.get(alarm_id)
        if before is None:
            assert (told.change, told.seq) == ("raised", 0)
        else:
            assert told.seq == before.seq + (1000 if alarm_id in self.unchanged_since_restart else 1)
            assert (before.change == "ended") <= (told.change == "reopened")
            assert told.change != "raised"
        assert (told.change == "ended") == (told.alarm.state == "ended")
        assert told.at_s >= self.life_told_s
        self.life_told_s = told.at_s
        self.unchanged_since_restart.discard(alarm_id)
        self.newest[alarm_id] = told
        self.told.append(told)

    # --- what may happen

    @rule(label=_labels, again=st.booleans(), score=st.floats(0.5, 1.0))
    def a_sound_begins(self, label: str, again: bool, score: float) -> None:  # noqa: FBT001 - hypothesis hands it in
        if label in self.world.sounding:
            return
        reopens = again and label in self.world.newest
        if not reopens:
            self.events += 1
            self.world.newest[label] = f"{len(self.lives)}-ears-{label}-{self.events}"
        self.world.sounding[label] = alarm_id = self.world.newest[label]
        event = replace(_event("reopen" if reopens else "begin", label=label, score=score), event_id=alarm_id)
        assert self._step("event", event, PRIORITIES[label])[-1].change in {"raised", "reopened"}

    @rule(label=_labels, reason=_reasons)
    def a_sound_ends(self, label: str, reason: str) -> None:
        if label not in self.world.sounding:
            return
        alarm_id = self.world.sounding.pop(label)
        if reason != "quiet":
            self.world.lost.add(alarm_id)
            del self.world.newest[label]
        event = replace(_event("end", label=label, reason=reason), event_id=alarm_id)
        assert len(self._step("event", event, PRIORITIES[label])) == 1

    @rule(label=_labels, phase=st.sampled_from(["begin", "reopen"]))
    def a_sound_begins_twice(self, label: str, phase: Phase) -> None:
        if label in self.world.sounding:
            event = replace(_event(phase, label=label), event_id=self.world.sounding[label])
            assert self._step("event", event, PRIORITIES[label]) == []

    @rule(label=_labels, reason=_reasons)
    def a_sound_ends_that_is_not_on(self, label: str, reason: str) -> None:
        past = "unheard-of" if label in self.world.sounding else self.world.newest.get(label, "unheard-of")
        event = replace(_event("end", label=label, reason=reason), event_id=past)
        assert self._step("event", event, PRIORITIES[label]) == []

    @rule(kind=_kinds, model=st.sampled_from(["", "ears"]), begins=st.booleans())
    def a_fault(self, kind: FaultKind, model: str, begins: bool) -> None:  # noqa: FBT001 - hypothesis hands it in
        is_new = begins != ((kind, model) in self.world.failing)
        told = self._step("fault", _fault(kind, begins=begins, model=model))
        if kind == "gap" or (begins and not is_new):
            assert told == []
        elif begins:
            self.world.failing.add((kind, model))
        else:
            self.world.failing.discard((kind, model))

    @rule(
        label=_labels, state=_states, trusted=st.booleans(), windows=st.integers(1, 12), gap_s=st.sampled_from([0, 9])
    )
    def decisions(self, label: str, state: LabelState, trusted: bool, windows: int, gap_s: float) -> None:  # noqa: FBT001 - hypothesis hands it in
        self.stream_s += gap_s
        for _ in range(windows):
            self.stream_s += 0.5
            told = self._step("decision", _decision(self.stream_s, state, trusted=trusted, label=label))
            assert not told or (state == "off" and trusted)
        if state == "off" and trusted and (windows - 1) * 0.5 >= HOLDS["ears", label]:
            left = [alarm for alarm in self.machine.alarms if alarm.name == label and alarm.state == "latched"]
            assert all(self._must_be_seen(alarm) for alarm in left)

    @rule(which=st.integers(0, 5), by=st.sampled_from(["mqtt", "button"]))
    def one_is_acknowledged(self, which: int, by: str) -> None:
        alarms = self.machine.alarms
        alarm_id = alarms[which].alarm_id if which < len(alarms) else "unheard-of"
        told = self._step("command", Acknowledge(alarm_id, by))
        assert {transition.alarm.alarm_id for transition in told} <= {alarm_id}
        assert self._step("command", Acknowledge(alarm_id, by)) == []

    @rule()
    def all_are_acknowledged(self) -> None:
        self._step("command", Acknowledge(None, "button"))
        assert all(alarm.acknowledged and alarm.state == "active" for alarm in self.machine.alarms)
        assert self._step("command", Acknowledge(None, "button")) == []

    @rule(command=st.builds(Pause, st.floats(1, 7200), st.just("mqtt")) | st.sampled_from([Resume("m"), SelfTest("m")]))
    def a_pause_or_its_end(self, command: Command) -> None:
        assert self._step("command", command) == []
        if isinstance(command, Pause):
            self.latest_pause_end_s = self.now_s + self.settings.longest_pause_s
        assert not (isinstance(command, Resume) and self.machine.paused_until_s)

    @rule(passed_s=st.sampled_from([0.0, 0.25, 3.0, 30.0, 61.0, 700.0]))
    def time_passes(self, passed_s: float) -> None:
        self.now_s += passed_s
        told = self._step("tick")
        assert all(transition.alarm.kind == "technical" for transition in told if transition.change == "ended")
        for alarm in self.machine.alarms:
            assert (alarm.priority, alarm.lowered_from) == self._as_it_must_be_told(alarm)
            untold_s = self.now_s - self.newest[alarm.alarm_id].at_s
            if self.settings.remind_s is not None and not alarm.acknowledged:
                assert untold_s < self.settings.remind_s
        assert self._step("tick") == []

    @rule(minute=st.none() | st.sampled_from([0, NOON, 22 * 60 - 1, 22 * 60, 6 * 60 - 1, 6 * 60]))
    def the_time_of_day_steps(self, minute: int | None) -> None:
        self.clock.minute = minute

    @rule()
    def it_crashes_and_starts_again(self) -> None:
        before = {alarm.alarm_id: alarm for alarm in self.machine.alarms}
        self.unchanged_since_restart = set(before)
        self.now_s, self.stream_s = 5.0, 0.0  # another boot, another stream
        self._begin_life()
        self._step("restore", _held_open(self.told))
        trials = {name for name, alarm in before.items() if alarm.name == "self_test" and alarm.state == "active"}
        after = {alarm.alarm_id: alarm for alarm in self.machine.alarms}
        assert set(after) == trials | {name for name, alarm in before.items() if not alarm.acknowledged}
        for name, alarm in after.items():
            assert alarm == (before[name] if name in trials else replace(before[name], state="latched"))
        self.world.lost |= set(after) - trials
        self.world.failing = {(before[name].name, before[name].model) for name in trials}
        self.world.sounding.clear()
        self.world.newest.clear()

    # --- what must hold whatever happened

    @invariant()
    def what_was_told_is_what_is_open(self) -> None:
        """Every alarm that was raised is open, or was ended and told so."""
        told = {name: newest.alarm for name, newest in self.newest.items() if newest.alarm.state != "ended"}
        assert told == {alarm.alarm_id: alarm for alarm in self.machine.alarms}

    @invariant()
    def nothing_is_open_without_cause_or_latch(self) -> None:
        sounding, failing = set(self.world.sounding.values()), self.world.failing
        for alarm in self.machine.alarms:
            if alarm.state == "active":
                assert alarm.alarm_id in sounding or (alarm.name, alarm.model) in failing
            else:
                assert not alarm.acknowledged
                assert alarm.alarm_id in self.world.lost or self._must_be_seen(alarm)

    @invariant()
    def nothing_that_happens_is_without_its_alarm(self) -> None:
        active = [alarm for alarm in self.machine.alarms if alarm.state == "active"]
        sounds = {alarm.name: alarm.alarm_id for alarm in active if alarm.kind == "sound"}
        assert sounds == self.world.sounding
        faults = {(alarm.name, alarm.model) for alarm in active if alarm.kind == "technical"}
        assert faults == self.world.failing

    @invariant()
    def the_signal_is_the_most_urgent_that_nobody_acknowledged(self) -> None:
        signal, alarms = self.machine.signal, self.machine.alarms
        unseen = [alarm for alarm in alarms if not alarm.acknowledged]
        most_urgent = min((alarm.priority for alarm in unseen or alarms), key=URGENCY.__getitem__, default=None)
        assert signal.priority == most_urgent
        assert signal.acknowledged == (bool(alarms) and not unseen)
        assert signal.silent == (signal.acknowledged or self.machine.paused_until_s is not None)

    @invariant()
    def quiet_hours_lower_by_one_and_only_sounds(self) -> None:
        for alarm in self.machine.alarms:
            usual = self._usual(alarm)
            lowered = (LOWER[usual], usual) if alarm.kind == "sound" and self.settings.quiet_hours else (usual, None)
            assert (alarm.priority, alarm.lowered_from) in {(usual, None), lowered}

    @invariant()
    def a_pause_never_outlasts_its_bound(self) -> None:
        until_s = self.machine.paused_until_s
        assert until_s is None or self.now_s < until_s <= self.latest_pause_end_s

    @invariant()
    def memory_is_bounded_by_what_can_be_wrong_at_once(self) -> None:
        assert len(self.machine._open) <= len(PRIORITIES) + 2 * len(FAULTS)
        assert len(self.machine._ended) <= len(PRIORITIES)

    def teardown(self) -> None:
        """The same inputs give the same transitions; without quiet hours the same alarms live the same lives."""
        if not hasattr(self, "lives"):
            return
        assert [told for life in self.lives for told in life.lived_again(self.settings)] == self.told
        if len(self.lives) == 1:
            by_day = self.lives[0].lived_again(replace(self.settings, quiet_hours=None))
            assert _lives(by_day) == _lives(self.told)

    def _must_be_seen(self, alarm: Alarm) -> bool:
        return self.settings.latch == "all" or (self.settings.latch == "high" and self._usual(alarm) == "high")

    def _usual(self, alarm: Alarm) -> Priority:
        if alarm.kind == "sound":
            return PRIORITIES[alarm.name]
        priority = FAULTS[_as_kind(alarm.name)].priority
        assert priority is not None
        return priority

    def _as_it_must_be_told(self, alarm: Alarm) -> tuple[Priority, Priority | None]:
        usual, hours = self._usual(alarm), self.settings.quiet_hours
        is_quiet = hours is not None and QuietHours.parse(hours).is_quiet(self.clock.minute)
        return (LOWER[usual], usual) if is_quiet and alarm.kind == "sound" else (usual, None)


def _as_kind(name: str) -> FaultKind:
    return next(kind for kind in get_args(FaultKind) if kind == name)


def _lives(told: Iterable[Transition]) -> dict[str, list[tuple[str, str]]]:
    """Alarm id -> what became of it, but for what quiet hours may change: its priority, and when it is told again."""
    lives: dict[str, list[tuple[str, str]]] = {}
    for transition in told:
        if transition.change not in {"priority", "reminded"}:
            lives.setdefault(transition.alarm.alarm_id, []).append((transition.change, transition.cause))
    return lives


TestAlarmLaws = AlarmLaws.TestCase
TestAlarmLaws.settings = hypothesis_settings(max_examples=200, stateful_step_count=40, deadline=None)
