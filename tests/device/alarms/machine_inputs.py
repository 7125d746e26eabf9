"""Machines, events, faults and decisions to test the alarm machine with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.alarms.machine import Machine
from device.config.settings import AlarmSettings
from device.messages import Alarm, Decision, Event, Fault, FaultKind, Transition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
    """The time of day as the machine reads it."""

    minute: int | None = NOON

    def __call__(self) -> int | None:
        return self.minute


def make_machine(settings: AlarmSettings | None = None, *, boot: str = "b0", clock: Clock | None = None) -> Machine:
    return Machine(settings or AlarmSettings(), boot_id=boot, holds=HOLDS, local_minute=clock or Clock())


def make_event(
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


def make_fault(kind: FaultKind = "silence", *, begins: bool = True, model: str = "") -> Fault:
    return Fault(kind, begins=begins, since_s=0.0, at_s=1.0, detail="as measured" if begins else "over", model=model)


def make_decision(end_s: float, state: LabelState = "off", *, trusted: bool = True, label: str = "cry") -> Decision:
    return Decision("ears", label, state, "a rule", 0.1, end_s - 2.0, end_s, trusted=trusted)


def changes(transitions: Iterable[Transition]) -> list[tuple[str, str, str]]:
    return [(transition.alarm.alarm_id, transition.change, transition.cause) for transition in transitions]


def only_alarm(machine: Machine) -> Alarm:
    (alarm,) = machine.alarms
    return alarm


def restarted(
    transitions: Iterable[Transition], settings: AlarmSettings | None = None
) -> tuple[Machine, list[Transition]]:
    """A machine that restored what a journal of these transitions holds open, and its transitions."""
    machine = make_machine(settings, boot="b1")
    return machine, machine.restore(held_open(transitions), 0.0)


def held_open(transitions: Iterable[Transition]) -> list[tuple[Alarm, int]]:
    newest = {transition.alarm.alarm_id: (transition.alarm, transition.seq) for transition in transitions}
    return [(alarm, seq) for alarm, seq in newest.values() if alarm.state != "ended"]


def ends_at(machine: Machine, decisions: Iterable[Decision]) -> float | None:
    """End of the window whose decision ended the cry; None if none did."""
    for decision in decisions:
        transitions = machine.decision(decision, 2.0)
        if transitions:
            assert changes(transitions) == [("s-ears-cry-0", "ended", "quiet")]
            return decision.end_s
    return None
