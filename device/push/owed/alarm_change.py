"""A change of an alarm as push needs it: parsed from an entry of the journal. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from device.messages import AlarmChange as ChangeKind
from device.messages import AlarmKind, AlarmState, Priority

if TYPE_CHECKING:
    from device.alarms.journal.entries import Entry

_TEXTS = ("alarm_id", "name", "model", "detail", "cause")
_WORDS = {"kind": AlarmKind, "state": AlarmState, "priority": Priority, "change": ChangeKind}


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """A change of an alarm, and the alarm after it.

    Attributes:
        alarm_id: of the alarm.
        seq: orders the changes of one alarm.
        utc_s: when it was decided.
        change: what changed.
        kind: sound or technical.
        name: the label, or the fault's kind.
        model: that detected it, or that fails.
        state: whether its cause is present.
        priority: the current one.
        acknowledged: whether somebody has acknowledged the alarm.
        score: of a sound; None for a fault.
        detail: one sentence: the rule that decided, or the measured value.
        cause: why it changed, or who acknowledged it.
        start_utc: when the cause of the alarm began, as ISO 8601; empty if that is unknown.
    """

    alarm_id: str
    seq: int
    utc_s: float
    change: ChangeKind
    kind: AlarmKind
    name: str
    model: str
    state: AlarmState
    priority: Priority
    acknowledged: bool
    score: float | None
    detail: str
    cause: str
    start_utc: str = ""

    @property
    def is_closing(self) -> bool:
        """Whether nobody needs to come any more: it is acknowledged, or over."""
        return self.acknowledged or self.state == "ended"

    @property
    def is_urgent(self) -> bool:
        """Whether somebody must come at once."""
        return self.priority == "high" and not self.is_closing


def parse_change(entry: Entry) -> AlarmChange | None:
    """The change that an entry holds; None if it was written by an incompatible version."""
    return parse_body(entry.body, entry.utc_s)


def parse_body(body: str, utc_s: float) -> AlarmChange | None:
    """As `parse_change`, from the body of an entry and its time."""
    try:
        members = json.loads(body)
    except ValueError:
        return None
    if not isinstance(members, dict) or not _is_valid(members):
        return None
    start_utc = members.get("start_utc")
    names = ("alarm_id", "seq", "change", "kind", "name", "model", "state", "priority", "acknowledged", "score")
    kept: dict[str, Any] = {name: members.get(name) for name in (*names, "detail", "cause")}
    return AlarmChange(**kept, utc_s=utc_s, start_utc=start_utc if isinstance(start_utc, str) else "")


def body_of(change: AlarmChange) -> str:
    """A body that `parse_body` reads back."""
    members = {name: getattr(change, name) for name in AlarmChange.__slots__ if name != "utc_s"}
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def _is_valid(members: dict[str, Any]) -> bool:
    score = members.get("score")
    return (
        all(isinstance(members.get(name), str) for name in _TEXTS)
        and all(members.get(name) in get_args(words) for name, words in _WORDS.items())
        and type(members.get("seq")) is int
        and isinstance(members.get("acknowledged"), bool)
        and (score is None or type(score) in {int, float})
    )
