"""What the alarm machine knows about one alarm: its key, its state, and whether its cause is still monitored. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.messages import Alarm, AlarmKind, Decision, Event, Priority

_URGENCY: Mapping[Priority, int] = MappingProxyType({"high": 0, "medium": 1, "low": 2})


class AlarmKey(NamedTuple):
    """What an alarm is about; at most one is open for each key."""

    kind: AlarmKind
    model: str
    name: str


@dataclass(frozen=True, slots=True)
class LostCause:
    """A latched alarm may end unacknowledged: its cause is no longer monitored, and may prove to be over.

    Attributes:
        since_s: by the machine's clock.
        off_from_s: end of the first window of the newest gapless run of trusted windows that were decided off.
        off_to_s: end of the newest of them; second of the stream, as `off_from_s`.
    """

    since_s: float
    off_from_s: float = math.inf
    off_to_s: float = -math.inf

    @property
    def off_s(self) -> float:
        """How long decisions have been off; negative if the newest was not."""
        return self.off_to_s - self.off_from_s

    def after(self, decision: Decision) -> LostCause:
        """Apply one more decision."""
        if decision.state != "off" or not decision.trusted:
            return LostCause(self.since_s)
        goes_on = decision.start_s <= self.off_to_s <= decision.end_s
        return LostCause(self.since_s, self.off_from_s if goes_on else decision.end_s, decision.end_s)


@dataclass(frozen=True, slots=True)
class AlarmRecord:
    """An alarm and what the machine knows about it.

    Attributes:
        alarm: after its last transition.
        next_seq: of its next transition.
        changed_s: when it had its last transition.
        lost_cause: set while it is latched and its cause is not known to be over.
        restored: it is from before the start; its event's stream has ended and reopens nothing.
    """

    alarm: Alarm
    next_seq: int
    changed_s: float
    lost_cause: LostCause | None = None
    restored: bool = False

    @property
    def key(self) -> AlarmKey:
        """What it is about."""
        return AlarmKey(self.alarm.kind, self.alarm.model, self.alarm.name)

    @property
    def usual(self) -> Priority:
        """Its priority outside quiet hours."""
        return self.alarm.lowered_from or self.alarm.priority

    @property
    def is_active(self) -> bool:
        """Whether its cause is present."""
        return self.alarm.state == "active"

    def belongs_to(self, event: Event) -> bool:
        """Whether it is the alarm of this event."""
        return self.alarm.alarm_id == event.event_id

    def ended(self) -> AlarmRecord:
        """A copy that has ended."""
        return replace(self, alarm=replace(self.alarm, state="ended"), lost_cause=None)

    def latched(self, lost_cause: LostCause | None) -> AlarmRecord:
        """A copy that is latched; `lost_cause` is None if only an acknowledgement may end it."""
        return replace(self, alarm=replace(self.alarm, state="latched"), lost_cause=lost_cause)

    def acknowledged(self) -> AlarmRecord:
        """A copy that is acknowledged."""
        return replace(self, alarm=replace(self.alarm, acknowledged=True))


def urgency(record: AlarmRecord) -> tuple[int, bool, bool]:
    """Sort key: the most urgent first, unacknowledged before acknowledged, sounds before faults."""
    alarm = record.alarm
    return _URGENCY[alarm.priority], alarm.acknowledged, alarm.kind == "technical"
