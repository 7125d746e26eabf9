"""An alarm's change as the journal keeps it, and an alarm as it is read back after a restart. Pure.

Beside the alarm itself stands when what it is about began, so that a change after a restart can still say so.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from device.alarms.journal.entries import Entry
from device.messages import Alarm, AlarmKind, AlarmState, Priority

if TYPE_CHECKING:
    from device.messages import Transition

_START = "start_utc_s"
_TEXTS = ("alarm_id", "name", "model", "detail")


@dataclass(frozen=True, slots=True)
class Recorded:
    """An alarm as it was kept.

    Attributes:
        alarm: as it was told last.
        seq: of that change.
        start_utc_s: when what it is about began; None where nobody knew.
    """

    alarm: Alarm
    seq: int
    start_utc_s: float | None


def entry_of(transition: Transition, *, body: str, start_utc_s: float | None, decided_utc_s: float) -> Entry:
    """What the journal keeps of a change.

    Args:
        transition: the change.
        body: as it is published.
        start_utc_s: when what is alarmed about began; None where nobody knows.
        decided_utc_s: when this change was decided.
    """
    alarm = transition.alarm
    text = json.dumps({**dataclasses.asdict(alarm), _START: start_utc_s})
    urgent = "high" in {alarm.priority, alarm.lowered_from}
    return Entry(alarm.alarm_id, transition.seq, decided_utc_s, urgent, text, body)


def recorded(text: str, seq: int) -> Recorded:
    """What was kept, read back.

    Raises:
        ValueError: that is no alarm, or one of another version.
    """
    kept = json.loads(text)
    if not isinstance(kept, dict):
        raise ValueError("what was kept of an alarm is no object")  # noqa: TRY004 - of JSON, not of Python, it is a value
    start_utc_s = kept.pop(_START, None)
    names = {field.name for field in dataclasses.fields(Alarm)}
    if kept.keys() != names or not _holds(kept):
        raise ValueError("what was kept of an alarm has other members than an alarm")
    return Recorded(Alarm(**kept), seq, start_utc_s if _is_number(start_utc_s) else None)


def _holds(kept: dict[str, Any]) -> bool:
    return (
        all(isinstance(kept[name], str) for name in _TEXTS)
        and kept["kind"] in get_args(AlarmKind)
        and kept["state"] in get_args(AlarmState)
        and kept["priority"] in get_args(Priority)
        and kept["lowered_from"] in {None, *get_args(Priority)}
        and isinstance(kept["acknowledged"], bool)
        and (kept["score"] is None or _is_number(kept["score"]))
    )


def _is_number(value: Any) -> bool:
    return type(value) in {int, float} and math.isfinite(value)
