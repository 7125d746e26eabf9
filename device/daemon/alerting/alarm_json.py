"""A transition as a journal entry, and an alarm read back from one after a restart. Pure.

The entry also holds when the alarm's cause began, so that a transition after a restart can still report it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from device.alarms.journal.entries import Entry
from device.alarms.machine import acknowledger
from device.messages import Alarm, AlarmKind, AlarmState, Priority

if TYPE_CHECKING:
    from device.messages import Transition

_START = "start_utc_s"
_TEXTS = ("alarm_id", "name", "model", "detail")


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """An alarm as the journal holds it.

    Attributes:
        alarm: after its last journalled transition.
        seq: of that transition.
        start_utc_s: when the alarm's cause began; None if unknown.
    """

    alarm: Alarm
    seq: int
    start_utc_s: float | None


def entry_of(transition: Transition, *, body: str, start_utc_s: float | None, decided_utc_s: float) -> Entry:
    """Make the journal entry of a transition.

    Args:
        transition: to be journalled.
        body: JSON as it is published.
        start_utc_s: when the alarm's cause began; None if unknown.
        decided_utc_s: when this transition was decided.
    """
    alarm = transition.alarm
    text = json.dumps({**dataclasses.asdict(alarm), _START: start_utc_s})
    urgent = "high" in {alarm.priority, alarm.lowered_from}
    return Entry(alarm.alarm_id, transition.seq, decided_utc_s, urgent, text, body)


def read_alarm(text: str, seq: int) -> StoredAlarm:
    """Parse the alarm JSON of a journal entry.

    Raises:
        ValueError: it is not an alarm, or was written by an incompatible version.
    """
    members = json.loads(text)
    if not isinstance(members, dict):
        raise ValueError("what was kept of an alarm is no object")  # noqa: TRY004 - of JSON, not of Python, it is a value
    start_utc_s = members.pop(_START, None)
    names = {field.name for field in dataclasses.fields(Alarm)}
    if members.keys() != names or not _is_valid(members):
        raise ValueError("what was kept of an alarm has other members than an alarm")
    return StoredAlarm(Alarm(**members), seq, start_utc_s if _is_number(start_utc_s) else None)


def read_acknowledger(body: str) -> str | None:
    """Who acknowledged an alarm, by what was published of that; None if it says nothing of the kind."""
    try:
        members = json.loads(body)
    except ValueError:
        return None
    match members:
        case {"change": "acknowledged", "cause": str(cause)}:
            return acknowledger(cause)
    return None


def _is_valid(members: dict[str, Any]) -> bool:
    return (
        all(isinstance(members[name], str) for name in _TEXTS)
        and members["kind"] in get_args(AlarmKind)
        and members["state"] in get_args(AlarmState)
        and members["priority"] in get_args(Priority)
        and members["lowered_from"] in {None, *get_args(Priority)}
        and isinstance(members["acknowledged"], bool)
        and (members["score"] is None or _is_number(members["score"]))
    )


def _is_number(value: Any) -> bool:
    return type(value) in {int, float} and math.isfinite(value)
