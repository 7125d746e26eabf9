"""The alarm state machine: events, faults, decisions, commands and ticks in, transitions out.

In the spirit of IEC 60601-1-8: three priorities, sounds apart from technical alarms, latching, acknowledgement,
a timed pause, reminders. Its methods have no effect but their return value, and no clock but the `now_s` that they
receive (monotonic seconds; time that goes back counts as standing still): the same calls return the same transitions.
Knows no journal, broker or pin.

At most one alarm is open for each label of each model, and one for each kind of fault of each model; a new one
replaces the old one. docs/alarms.md describes the rules for users.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING

from device.alarms.alarm_record import AlarmKey, AlarmRecord, LostCause, urgency
from device.alarms.quiet_hours import QuietHours
from device.commands import Acknowledge, Pause, Resume
from device.fault_info import FAULTS
from device.messages import Alarm, Transition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from device.commands import Command
    from device.config.settings import AlarmSettings
    from device.messages import AlarmChange, Decision, Event, Fault, Priority

AFTER_RESTART_SEQ = 1000
"""The seq of a restored alarm continues this much further: some transitions may be published but not journalled."""

FOUND_AGAIN_S = 60.0
"""A fault that was open when the daemon died is detected again within this time after the start, or is over."""

QUIET = "quiet"
"""The one reason of an event's end that means that the sound is over."""

INTERRUPTED = "interrupted"
"""The cause of every transition that a restart makes."""

_ACKNOWLEDGED_BY = "acknowledged by "
_TOLERANCE_S = 1e-6
_LOWERED: Mapping[Priority, Priority] = MappingProxyType({"high": "medium", "medium": "low", "low": "low"})
_FOUND_BY_SELF_TEST: frozenset[str] = frozenset({"self_test"})
"""Faults that are not monitored: the next self-test, a day later, detects them again, not the next minute."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What lights and buzzer show.

    Attributes:
        priority: of the most urgent unacknowledged alarm; if all are acknowledged, of the most urgent one; None
            if no alarm is open.
        silent: nothing may sound: signals are paused, or every alarm is acknowledged.
        acknowledged: every open alarm is acknowledged.
    """

    priority: Priority | None
    silent: bool
    acknowledged: bool = False


class Machine:
    """Applies events, faults, decisions, commands and ticks; each step returns its transitions, in order.

    Args:
        settings: how alarms behave.
        boot_id: prefix of the ids of technical alarms; never used by a machine before.
        holds: seconds that the decisions of a (model, label) must be off before it is quiet; no decision ends an
            alarm of a label that has none.
        local_minute: minutes since local midnight; None while the time of day is uncertain.
    """

    def __init__(
        self,
        settings: AlarmSettings,
        *,
        boot_id: str,
        holds: Mapping[tuple[str, str], float],
        local_minute: Callable[[], int | None],
    ) -> None:
        self._boot_id = boot_id
        self._local_minute = local_minute
        self._open: dict[AlarmKey, AlarmRecord] = {}  # oldest first
        self._ended: dict[AlarmKey, AlarmRecord] = {}  # of each label the newest, which its event may reopen
        self._faults = count()
        self._now_s = -math.inf
        self._paused_until_s = -math.inf
        self.configure(settings, holds=holds)

    def __repr__(self) -> str:
        return f"Machine({self._boot_id!r}, {len(self._open)} open, {self.signal})"

    def configure(self, settings: AlarmSettings, *, holds: Mapping[tuple[str, str], float]) -> None:
        """Apply other settings; open alarms stay open, latched ones stay latched.

        Raises:
            ConfigError: the quiet hours are malformed; nothing has changed then.
        """
        self._quiet_hours = None if settings.quiet_hours is None else QuietHours.parse(settings.quiet_hours)
        self._settings = settings
        self._holds = dict(holds)
        self._ended = {key: record for key, record in self._ended.items() if (key.model, key.name) in self._holds}

    # --- current state

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """The open alarms, most urgent first.

        Within a priority: unacknowledged before acknowledged, sounds before faults, oldest first.
        """
        return tuple(record.alarm for record in self._most_urgent_first())

    @property
    def paused_until_s(self) -> float | None:
        """When signals sound again; None if they are not paused."""
        return self._paused_until_s if self._paused_until_s > self._now_s else None

    @property
    def signal(self) -> Signal:
        """What lights and buzzer show now."""
        alarms, paused = self.alarms, self.paused_until_s is not None
        if not alarms:
            return Signal(None, silent=paused)
        unseen = [alarm for alarm in alarms if not alarm.acknowledged]
        shown = (unseen or alarms)[0]
        return Signal(shown.priority, silent=paused or not unseen, acknowledged=not unseen)

    # --- input

    def event(self, event: Event, priority: Priority, now_s: float) -> list[Transition]:
        """Apply an event: a sound begins, begins again or ends.

        An event id belongs to one sound of one label, and may reopen until that label has another event.

        Args:
            event: of a label that raises alarms.
            priority: of the label, outside quiet hours.
            now_s: monotonic.
        """
        self._advance_clock(now_s)
        if event.phase == "end":
            return self._event_ends(event)
        return self._event_begins(event, priority)

    def fault(self, fault: Fault, now_s: float) -> list[Transition]:
        """Apply a fault that begins or is over; an end without a begin, or a second begin, changes nothing."""
        self._advance_clock(now_s)
        priority = FAULTS[fault.kind].priority
        if priority is None:
            return []
        record = self._open.get(AlarmKey("technical", fault.model, fault.kind))
        if fault.begins:
            return [] if record is not None and record.is_active else self._fault_begins(fault, priority)
        if record is None or not (record.is_active or record.lost_cause):
            return []
        return self._cause_over(record, fault.detail)

    def decision(self, decision: Decision, now_s: float) -> list[Transition]:
        """Apply a label's decision about one window, in stream order.

        Once decisions have been off for the label's hold, an alarm with a lost cause ends.
        """
        self._advance_clock(now_s)
        record = self._open.get(AlarmKey("sound", decision.model, decision.label))
        if record is None or record.lost_cause is None:
            return []
        record = replace(record, lost_cause=record.lost_cause.after(decision))
        self._open[record.key] = record
        hold_s = self._holds.get((decision.model, decision.label), math.inf)
        is_quiet = record.lost_cause is not None and record.lost_cause.off_s >= hold_s - _TOLERANCE_S
        return self._cause_over(record, QUIET) if is_quiet else []

    def command(self, command: Command, now_s: float) -> list[Transition]:
        """Acknowledge, pause or resume; a self-test concerns no alarm.

        A pause silences signals, from now on and for at most `longest_pause_s`. Alarms are raised, published and
        reminded of even so, those of high priority too. A second pause replaces the first.
        """
        self._advance_clock(now_s)
        match command:
            case Acknowledge():
                return self._acknowledge(command)
            case Pause():
                self._paused_until_s = self._now_s + min(command.duration_s, self._settings.longest_pause_s)
            case Resume():
                self._paused_until_s = -math.inf
        return []

    def tick(self, now_s: float) -> list[Transition]:
        """Apply the passing of time: quiet hours begin or end, reminders fall due, faults were not detected again."""
        self._advance_clock(now_s)
        return [transition for record in tuple(self._open.values()) for transition in self._check_time(record)]

    def restore(self, stored: Iterable[tuple[Alarm, int]], now_s: float) -> list[Transition]:
        """Restore the alarms that a journal holds open, once, after a restart; each makes a transition.

        Events ended with the daemon (`interrupted`): their alarms are latched until they are acknowledged, the sound
        is detected again, or its label was off for its hold. Faults that are not detected again within
        `FOUND_AGAIN_S` are over. Acknowledged alarms end. A failed self-test stays until one succeeds.

        Args:
            stored: each alarm after its last transition, and that transition's seq.
            now_s: monotonic.
        """
        self._advance_clock(now_s)
        return [transition for alarm, seq in stored for transition in self._restore_one(alarm, seq)]

    # --- sounds

    def _event_begins(self, event: Event, priority: Priority) -> list[Transition]:
        key = AlarmKey("sound", event.model, event.label)
        same = [
            past for past in (self._open.get(key), self._ended.get(key)) if past is not None and past.belongs_to(event)
        ]
        past = same[0] if same else None
        if past is not None and past.is_active:
            return []
        reopened_here = past is not None and past.alarm.state == "latched"
        before = [] if reopened_here else self._end_replaced(key, event.event_id)
        record = AlarmRecord(
            self._sound_alarm(event, priority, past), 0 if past is None else past.next_seq, self._now_s
        )
        return [*before, self._record_change(record, "raised" if past is None else "reopened", event.reason, event)]

    def _sound_alarm(self, event: Event, priority: Priority, past: AlarmRecord | None) -> Alarm:
        before = 0.0 if past is None else past.alarm.score or 0.0
        alarm = Alarm(
            alarm_id=event.event_id,
            kind="sound",
            name=event.label,
            model=event.model,
            priority=priority,
            state="active",
            acknowledged=False,
            score=max(event.score, before),
            detail=event.reason,
        )
        return self._with_priority_now(alarm, priority)

    def _event_ends(self, event: Event) -> list[Transition]:
        record = self._open.get(AlarmKey("sound", event.model, event.label))
        if record is None or not record.belongs_to(event) or not record.is_active:
            return []
        record = replace(record, alarm=replace(record.alarm, score=max(event.score, record.alarm.score or 0.0)))
        if event.reason == QUIET:
            return self._cause_over(record, QUIET, event)
        return self._cause_lost(record, event.reason, event)

    # --- faults

    def _fault_begins(self, fault: Fault, priority: Priority) -> list[Transition]:
        alarm = Alarm(
            alarm_id=f"{self._boot_id}-{fault.kind}-{next(self._faults)}",
            kind="technical",
            name=fault.kind,
            model=fault.model,
            priority=priority,
            state="active",
            acknowledged=False,
            score=None,
            detail=fault.detail,
        )
        record = AlarmRecord(alarm, 0, self._now_s)
        return [*self._end_replaced(record.key, alarm.alarm_id), self._record_change(record, "raised", fault.detail)]

    # --- the end of a cause

    def _cause_over(self, record: AlarmRecord, cause: str, event: Event | None = None) -> list[Transition]:
        """The cause is known to be over: the alarm ends, unless it must be acknowledged first."""
        if record.is_active and self._needs_acknowledgement(record):
            return [self._record_change(record.latched(lost_cause=None), "latched", cause, event)]
        return [self._record_change(record.ended(), "ended", cause, event)]

    def _cause_lost(self, record: AlarmRecord, cause: str, event: Event | None = None) -> list[Transition]:
        """The cause may go on, but is no longer monitored: the alarm ends only if it is acknowledged."""
        if record.alarm.acknowledged:
            return [self._record_change(record.ended(), "ended", cause, event)]
        return [self._record_change(record.latched(self._new_lost_cause(record)), "latched", cause, event)]

    def _new_lost_cause(self, record: AlarmRecord) -> LostCause | None:
        """None if the alarm would not end even if its cause proved to be over."""
        return None if self._needs_acknowledgement(record) else LostCause(self._now_s)

    def _end_replaced(self, key: AlarmKey, alarm_id: str) -> list[Transition]:
        """End the alarm that is open for this key, if any, in favour of a new one."""
        record = self._open.get(key)
        return [] if record is None else [self._record_change(record.ended(), "ended", _taken_over_by(alarm_id))]

    def _needs_acknowledgement(self, record: AlarmRecord) -> bool:
        """Whether it stays until it is acknowledged; quiet hours do not change that."""
        latch = self._settings.latch
        latches = latch == "all" or (latch == "high" and record.usual == "high")
        return latches and not record.alarm.acknowledged

    # --- commands

    def _acknowledge(self, command: Acknowledge) -> list[Transition]:
        matching = [record for record in self._most_urgent_first() if command.alarm_id in {None, record.alarm.alarm_id}]
        return [transition for record in matching for transition in self._acknowledge_one(record, command.by)]

    def _acknowledge_one(self, record: AlarmRecord, by: str) -> list[Transition]:
        if record.alarm.acknowledged:
            return []
        cause = f"{_ACKNOWLEDGED_BY}{by}"
        transitions = [self._record_change(record.acknowledged(), "acknowledged", cause)]
        if not record.is_active:
            transitions.append(self._record_change(self._open[record.key].ended(), "ended", cause))
        return transitions

    # --- the passing of time

    def _advance_clock(self, now_s: float) -> None:
        self._now_s = max(self._now_s, now_s)

    def _check_time(self, record: AlarmRecord) -> list[Transition]:
        if self._is_not_redetected(record):
            return self._cause_over(record, "it was not found again after the restart")
        updated = self._with_priority_now(record.alarm, record.usual)
        if updated != record.alarm:
            return [
                self._record_change(replace(record, alarm=updated), "priority", self._why_priority_changed(updated))
            ]
        if self._is_reminder_due(record):
            return [self._record_change(record, "reminded", "nobody has acknowledged it")]
        return []

    def _is_not_redetected(self, record: AlarmRecord) -> bool:
        return (
            record.alarm.kind == "technical"
            and record.lost_cause is not None
            and self._now_s - record.lost_cause.since_s >= FOUND_AGAIN_S
        )

    def _is_reminder_due(self, record: AlarmRecord) -> bool:
        remind_s = self._settings.remind_s
        return remind_s is not None and not record.alarm.acknowledged and self._now_s - record.changed_s >= remind_s

    def _with_priority_now(self, alarm: Alarm, usual: Priority) -> Alarm:
        """The alarm with its priority at this minute; that of a technical alarm never changes."""
        is_quiet = self._quiet_hours is not None and self._quiet_hours.is_quiet(self._local_minute())
        priority = _LOWERED[usual] if is_quiet and alarm.kind == "sound" else usual
        return replace(alarm, priority=priority, lowered_from=None if priority == usual else usual)

    def _why_priority_changed(self, alarm: Alarm) -> str:
        if alarm.lowered_from is not None:
            return "quiet hours have begun"
        if self._quiet_hours is not None and self._local_minute() is None:
            return "quiet hours are not kept while the clock is not synchronized"
        return "quiet hours are over"

    # --- after a restart

    def _restore_one(self, alarm: Alarm, seq: int) -> list[Transition]:
        record = AlarmRecord(alarm, seq + AFTER_RESTART_SEQ, self._now_s, restored=True)
        open_record = self._open.get(record.key)
        if alarm.state == "ended" or (open_record is not None and open_record.alarm.alarm_id == alarm.alarm_id):
            return []
        if open_record is not None:
            return [self._transition(record.ended(), "ended", _taken_over_by(open_record.alarm.alarm_id))]
        if record.is_active and alarm.name in _FOUND_BY_SELF_TEST and alarm.kind == "technical":
            return self._announce_restored(record)
        if record.is_active or alarm.acknowledged:
            return self._cause_lost(record, INTERRUPTED)
        return self._announce_restored(replace(record, lost_cause=self._new_lost_cause(record)))

    def _announce_restored(self, record: AlarmRecord) -> list[Transition]:
        """Keep the alarm in the state that it had; a transition announces it unless it is acknowledged."""
        if not record.alarm.acknowledged:
            return [self._record_change(record, "reminded", INTERRUPTED)]
        self._open[record.key] = record
        return []

    # --- records and transitions

    def _most_urgent_first(self) -> list[AlarmRecord]:
        return sorted(self._open.values(), key=urgency)

    def _record_change(
        self, record: AlarmRecord, change: AlarmChange, cause: str, event: Event | None = None
    ) -> Transition:
        """Store an alarm after a change, or remove it if it ended; return the transition."""
        changed = replace(record, next_seq=record.next_seq + 1, changed_s=self._now_s)
        if record.alarm.state != "ended":
            self._open[record.key] = changed
        else:
            self._open.pop(record.key, None)
            if record.alarm.kind == "sound" and not record.restored:
                self._ended[record.key] = changed
        return self._transition(record, change, cause, event)

    def _transition(
        self, record: AlarmRecord, change: AlarmChange, cause: str, event: Event | None = None
    ) -> Transition:
        return Transition(record.alarm, record.next_seq, change, cause, self._now_s, event)


def _taken_over_by(alarm_id: str) -> str:
    return f"taken over by {alarm_id}"


def acknowledger(cause: str) -> str:
    """Who acknowledged an alarm, by the cause of that transition."""
    return cause.removeprefix(_ACKNOWLEDGED_BY)
