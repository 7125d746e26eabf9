"""From a transition to its journal entry: when the alarm's cause began, and how far the clocks can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from device.alarms.machine import QUIET, acknowledger
from device.daemon.alerting.alarm_json import entry_of
from device.messages import AlarmHistory
from device.sinks.payloads import alarm_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.alarms.journal.entries import Entry
    from device.messages import Event, Transition
    from device.runtime.clocks import Timekeeper


@dataclass(frozen=True, slots=True)
class _Start:
    """Of an open alarm.

    Attributes:
        start_utc_s: when its cause began; None if unknown.
        offset_s: between both clocks when it was raised; a later difference is a clock step.
        acknowledged_by: who acknowledged it; None if nobody has, or if the journal does not say.
    """

    start_utc_s: float | None
    offset_s: float
    acknowledged_by: str | None = None


class EntryMaker:
    """Makes journal entries, and remembers when the cause of each open alarm began.

    Args:
        instance: name of the daemon.
        timekeeper: both clocks.
    """

    def __init__(self, instance: str, timekeeper: Timekeeper) -> None:
        self._instance = instance
        self._timekeeper = timekeeper
        self._starts: dict[str, _Start] = {}

    def __repr__(self) -> str:
        return f"EntryMaker({self._instance!r}, {len(self._starts)} open)"

    def remember_start(self, alarm_id: str, start_utc_s: float | None, *, acknowledged_by: str | None = None) -> None:
        """Note when the cause of an alarm began, None if unknown; and who acknowledged it, None for nobody."""
        self._starts[alarm_id] = _Start(start_utc_s, self._timekeeper.offset_s, acknowledged_by)

    def histories(self) -> Mapping[str, AlarmHistory]:
        """By alarm, what is remembered of those that are open."""
        return {key: AlarmHistory(start.start_utc_s, start.acknowledged_by) for key, start in self._starts.items()}

    def entry(self, transition: Transition, *, utc_s: float, newest_s: float, since_s: float | None) -> Entry:
        """Make the entry of a transition that was decided now.

        Args:
            transition: to be journalled.
            utc_s: now.
            newest_s: second of the stream that is captured now.
            since_s: second of the stream at which a fault began; None if unknown, or if an event made the transition.
        """
        event = transition.event
        if transition.change in {"raised", "reopened"}:
            start_s = since_s if event is None else event.began_s
            start_utc_s = None if start_s is None else utc_s - self._timekeeper.ago_s(start_s, newest_s)
            self.remember_start(transition.alarm.alarm_id, start_utc_s)
        start = self._start_of(transition)
        if transition.change == "acknowledged":
            self._starts[transition.alarm.alarm_id] = replace(start, acknowledged_by=acknowledger(transition.cause))
        body = alarm_body(
            transition,
            instance=self._instance,
            start_utc_s=start.start_utc_s,
            end_utc_s=self._end_utc_s(event, utc_s=utc_s, newest_s=newest_s),
            decided_utc_s=utc_s,
            time_quality=self._timekeeper.quality(start.offset_s),
            captured_to_decided_s=None if event is None else self._timekeeper.ago_s(event.decided_s, newest_s),
        )
        return entry_of(transition, body=body, start_utc_s=start.start_utc_s, decided_utc_s=utc_s)

    def _start_of(self, transition: Transition) -> _Start:
        """Of the transition's alarm; forgotten when the alarm ends."""
        alarm = transition.alarm
        if alarm.alarm_id not in self._starts:
            self.remember_start(alarm.alarm_id, None)
        return self._starts.pop(alarm.alarm_id) if alarm.state == "ended" else self._starts[alarm.alarm_id]

    def _end_utc_s(self, event: Event | None, *, utc_s: float, newest_s: float) -> float | None:
        """When the sound ended; None if it has not, or if it was only followed no more."""
        if event is None or event.reason != QUIET or event.ended_s is None:
            return None
        return utc_s - self._timekeeper.ago_s(event.ended_s, newest_s)
