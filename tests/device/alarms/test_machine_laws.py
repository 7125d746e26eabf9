"""The laws of the alarm machine, by hypothesis over any input in any order."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, get_args

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from device.alarms.quiet_hours import QuietHours
from device.commands import Acknowledge, Pause, Resume, SelfTest
from device.config.settings import AlarmSettings, Latch
from device.fault_info import FAULTS
from device.messages import Alarm, FaultKind, Transition
from tests.device.alarms.machine_inputs import (
    HOLDS,
    LOWER,
    NOON,
    PRIORITIES,
    URGENCY,
    Clock,
    held_open,
    make_decision,
    make_event,
    make_fault,
    make_machine,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from device.commands import Command
from device.messages import LabelState, Phase, Priority


@dataclass
class World:
    """The true state outside the machine, as its inputs describe it."""

    sounding: dict[str, str] = field(default_factory=dict)  # label -> id of its event that is on
    newest: dict[str, str] = field(default_factory=dict)  # label -> id of its newest event, while that may reopen
    failing: set[tuple[str, str]] = field(default_factory=set)  # (kind, model)
    lost: set[str] = field(default_factory=set)  # alarms whose cause is no longer monitored


@dataclass
class Life:
    """One machine's inputs, from its start to a crash: what a replay needs."""

    boot_id: str
    steps: list[tuple[str, tuple[Any, ...], int | None]] = field(default_factory=list)

    def replay(self, settings: AlarmSettings) -> list[Transition]:
        clock = Clock()
        machine = make_machine(settings, boot=self.boot_id, clock=clock)
        made: list[Transition] = []
        for name, arguments, clock.minute in self.steps:
            made += getattr(machine, name)(*arguments)
        return made


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
        self.transitions: list[Transition] = []
        self.unchanged_since_restart: set[str] = set()
        self.now_s = 1000.0
        self.stream_s = 0.0
        self.events = 0
        self._begin_life()

    def _begin_life(self) -> None:
        self.lives.append(Life(f"b{len(self.lives)}"))
        self.machine = make_machine(self.settings, boot=self.lives[-1].boot_id, clock=self.clock)
        self.latest_pause_end_s = -math.inf
        self.last_transition_s = -math.inf

    def _step(self, name: str, *arguments: Any) -> list[Transition]:
        self.lives[-1].steps.append((name, (*arguments, self.now_s), self.clock.minute))
        made: list[Transition] = getattr(self.machine, name)(*arguments, self.now_s)
        for transition in made:
            self._check_transition(transition)
        return made

    def _check_transition(self, transition: Transition) -> None:
        """Ids and numbers are unique and in order, and a life is raised, lived and ended."""
        alarm_id = transition.alarm.alarm_id
        before = self.newest.get(alarm_id)
        if before is None:
            assert (transition.change, transition.seq) == ("raised", 0)
        else:
            assert transition.seq == before.seq + (1000 if alarm_id in self.unchanged_since_restart else 1)
            assert (before.change == "ended") <= (transition.change == "reopened")
            assert transition.change != "raised"
        assert (transition.change == "ended") == (transition.alarm.state == "ended")
        assert transition.at_s >= self.last_transition_s
        self.last_transition_s = transition.at_s
        self.unchanged_since_restart.discard(alarm_id)
        self.newest[alarm_id] = transition
        self.transitions.append(transition)

    # --- inputs

    @rule(label=_labels, again=st.booleans(), score=st.floats(0.5, 1.0))
    def a_sound_begins(self, label: str, again: bool, score: float) -> None:  # noqa: FBT001 - hypothesis hands it in
        if label in self.world.sounding:
            return
        reopens = again and label in self.world.newest
        if not reopens:
            self.events += 1
            self.world.newest[label] = f"{len(self.lives)}-ears-{label}-{self.events}"
        self.world.sounding[label] = alarm_id = self.world.newest[label]
        event = replace(make_event("reopen" if reopens else "begin", label=label, score=score), event_id=alarm_id)
        assert self._step("event", event, PRIORITIES[label])[-1].change in {"raised", "reopened"}

    @rule(label=_labels, reason=_reasons)
    def a_sound_ends(self, label: str, reason: str) -> None:
        if label not in self.world.sounding:
            return
        alarm_id = self.world.sounding.pop(label)
        if reason != "quiet":
            self.world.lost.add(alarm_id)
            del self.world.newest[label]
        event = replace(make_event("end", label=label, reason=reason), event_id=alarm_id)
        assert len(self._step("event", event, PRIORITIES[label])) == 1

    @rule(label=_labels, phase=st.sampled_from(["begin", "reopen"]))
    def a_sound_begins_twice(self, label: str, phase: Phase) -> None:
        if label in self.world.sounding:
            event = replace(make_event(phase, label=label), event_id=self.world.sounding[label])
            assert self._step("event", event, PRIORITIES[label]) == []

    @rule(label=_labels, reason=_reasons)
    def a_sound_ends_that_is_not_on(self, label: str, reason: str) -> None:
        past = "unheard-of" if label in self.world.sounding else self.world.newest.get(label, "unheard-of")
        event = replace(make_event("end", label=label, reason=reason), event_id=past)
        assert self._step("event", event, PRIORITIES[label]) == []

    @rule(kind=_kinds, model=st.sampled_from(["", "ears"]), begins=st.booleans())
    def a_fault(self, kind: FaultKind, model: str, begins: bool) -> None:  # noqa: FBT001 - hypothesis hands it in
        is_new = begins != ((kind, model) in self.world.failing)
        made = self._step("fault", make_fault(kind, begins=begins, model=model))
        if kind == "gap" or (begins and not is_new):
            assert made == []
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
            made = self._step("decision", make_decision(self.stream_s, state, trusted=trusted, label=label))
            assert not made or (state == "off" and trusted)
        if state == "off" and trusted and (windows - 1) * 0.5 >= HOLDS["ears", label]:
            left = [alarm for alarm in self.machine.alarms if alarm.name == label and alarm.state == "latched"]
            assert all(self._needs_acknowledgement(alarm) for alarm in left)

    @rule(which=st.integers(0, 5), by=st.sampled_from(["mqtt", "button"]))
    def one_is_acknowledged(self, which: int, by: str) -> None:
        alarms = self.machine.alarms
        alarm_id = alarms[which].alarm_id if which < len(alarms) else "unheard-of"
        made = self._step("command", Acknowledge(alarm_id, by))
        assert {transition.alarm.alarm_id for transition in made} <= {alarm_id}
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
        made = self._step("tick")
        assert all(transition.alarm.kind == "technical" for transition in made if transition.change == "ended")
        for alarm in self.machine.alarms:
            assert (alarm.priority, alarm.lowered_from) == self._expected_priority(alarm)
            since_change_s = self.now_s - self.newest[alarm.alarm_id].at_s
            if self.settings.remind_s is not None and not alarm.acknowledged:
                assert since_change_s < self.settings.remind_s
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
        self._step("restore", held_open(self.transitions))
        trials = {name for name, alarm in before.items() if alarm.name == "self_test" and alarm.state == "active"}
        after = {alarm.alarm_id: alarm for alarm in self.machine.alarms}
        assert set(after) == trials | {name for name, alarm in before.items() if not alarm.acknowledged}
        for name, alarm in after.items():
            assert alarm == (before[name] if name in trials else replace(before[name], state="latched"))
        self.world.lost |= set(after) - trials
        self.world.failing = {(before[name].name, before[name].model) for name in trials}
        self.world.sounding.clear()
        self.world.newest.clear()

    # --- invariants

    @invariant()
    def what_was_told_is_what_is_open(self) -> None:
        """Every alarm that was raised is open, or made a transition to its end."""
        made = {name: newest.alarm for name, newest in self.newest.items() if newest.alarm.state != "ended"}
        assert made == {alarm.alarm_id: alarm for alarm in self.machine.alarms}

    @invariant()
    def nothing_is_open_without_cause_or_latch(self) -> None:
        sounding, failing = set(self.world.sounding.values()), self.world.failing
        for alarm in self.machine.alarms:
            if alarm.state == "active":
                assert alarm.alarm_id in sounding or (alarm.name, alarm.model) in failing
            else:
                assert not alarm.acknowledged
                assert alarm.alarm_id in self.world.lost or self._needs_acknowledgement(alarm)

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
        unacknowledged = [alarm for alarm in alarms if not alarm.acknowledged]
        most_urgent = min((alarm.priority for alarm in unacknowledged or alarms), key=URGENCY.__getitem__, default=None)
        assert signal.priority == most_urgent
        assert signal.acknowledged == (bool(alarms) and not unacknowledged)
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
        assert [made for life in self.lives for made in life.replay(self.settings)] == self.transitions
        if len(self.lives) == 1:
            by_day = self.lives[0].replay(replace(self.settings, quiet_hours=None))
            assert _lives(by_day) == _lives(self.transitions)

    def _needs_acknowledgement(self, alarm: Alarm) -> bool:
        return self.settings.latch == "all" or (self.settings.latch == "high" and self._usual(alarm) == "high")

    def _usual(self, alarm: Alarm) -> Priority:
        if alarm.kind == "sound":
            return PRIORITIES[alarm.name]
        priority = FAULTS[_as_kind(alarm.name)].priority
        assert priority is not None
        return priority

    def _expected_priority(self, alarm: Alarm) -> tuple[Priority, Priority | None]:
        usual, hours = self._usual(alarm), self.settings.quiet_hours
        is_quiet = hours is not None and QuietHours.parse(hours).is_quiet(self.clock.minute)
        return (LOWER[usual], usual) if is_quiet and alarm.kind == "sound" else (usual, None)


def _as_kind(name: str) -> FaultKind:
    return next(kind for kind in get_args(FaultKind) if kind == name)


def _lives(made: Iterable[Transition]) -> dict[str, list[tuple[str, str]]]:
    """Alarm id -> its transitions, but for those that quiet hours may change: priorities and reminders."""
    lives: dict[str, list[tuple[str, str]]] = {}
    for transition in made:
        if transition.change not in {"priority", "reminded"}:
            lives.setdefault(transition.alarm.alarm_id, []).append((transition.change, transition.cause))
    return lives


TestAlarmLaws = AlarmLaws.TestCase
TestAlarmLaws.settings = hypothesis_settings(max_examples=200, stateful_step_count=40, deadline=None)
