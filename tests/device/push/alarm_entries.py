"""Entries of a journal as the daemon writes them, for tests of what push makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.daemon.alerting.alarm_json import entry_of
from device.messages import Alarm, Transition
from device.push.owed.alarm_change import AlarmChange, parse_change
from device.sinks.payloads import alarm_body

if TYPE_CHECKING:
    from device.alarms.journal.entries import Entry
    from device.messages import AlarmChange as ChangeKind
    from device.messages import AlarmKind, AlarmState, Priority

UTC_S = 1_795_227_247.0
"""2026-11-21T02:14:07Z."""

STATES: dict[str, AlarmState] = {"latched": "latched", "ended": "ended"}


def entry(
    alarm_id: str = "s-cry-cry-0",
    seq: int = 0,
    change: ChangeKind = "raised",
    *,
    name: str = "cry",
    kind: AlarmKind = "sound",
    priority: Priority = "high",
    acknowledged: bool = False,
    utc_s: float = UTC_S,
    cause: str = "3 of 5 windows at 0.60 or above",
) -> Entry:
    """A change of an alarm."""
    model, score = ("cry", 0.91) if kind == "sound" else ("", None)
    state = STATES.get(change, "active")
    is_seen = acknowledged or change == "acknowledged"
    alarm = Alarm(alarm_id, kind, name, model, priority, state, is_seen, score, "3 of 5 windows at 0.60 or above")
    transition = Transition(alarm, seq, change, cause, 0.0)
    body = alarm_body(
        transition,
        instance="anna",
        start_utc_s=UTC_S - 3.0,
        decided_utc_s=utc_s,
        time_quality="synchronized",
        captured_to_decided_s=None,
    )
    return entry_of(transition, body=body, start_utc_s=UTC_S - 3.0, decided_utc_s=utc_s)


def change_of(written: Entry) -> AlarmChange:
    """An entry as push reads it."""
    change = parse_change(written)
    assert change is not None
    return change
