"""The alarm state machine: events, faults, decisions, commands and ticks in, transitions out.

In the spirit of IEC 60601-1-8: three priorities, sounds apart from technical alarms, latching, acknowledgement,
a timed pause, reminders. It has no effect but what its methods return, and no clock but the `now_s` they are
given (monotonic seconds; one that goes back is taken to stand still): the same calls give the same transitions.
Knows no journal, broker or pin.

At most one alarm is open for each label of each model, and one for each kind of fault of each model; a new one
takes the old one's place. docs/alarms.md tells the rules as people meet them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from device.alarms.quiet_hours import QuietHours
from device.commands import Acknowledge, Pause, Resume
from device.fault_info import FAULTS
from device.messages import Alarm, Transition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from device.commands import Command
    from device.config.settings import AlarmSettings
    from device.messages import AlarmChange, AlarmKind, Decision, Event, Fault, Priority

AFTER_RESTART_SEQ = 1000
"""A restored alarm's changes count on from this much further: some may have been told that were not kept."""

FOUND_AGAIN_S = 60.0
"""A fault that was open when the daemon died is found again within this time after the start, or held to be over."""

QUIET = "quiet"
"""The one reason of an event's end that says the sound is over."""

INTERRUPTED = "interrupted"
"""The cause of all that a restart changes."""

_TOLERANCE_S = 1e-6
_URGENCY: Mapping[Priority, int] = MappingProxyType({"high": 0, "medium": 1, "low": 2})
_LOWERED: Mapping[Priority, Priority] = MappingProxyType({"high": "medium", "medium": "low", "low": "low"})
_KNOWN_BY_TRIAL: frozenset[str] = frozenset({"self_test"})
"""Faults that nobody watches for: the next trial, a day later, finds them again, not the next minute."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What lights and buzzer show.

    Attributes:
        priority: of the most urgent alarm that nobody acknowledged; where all are acknowledged, of the most
            urgent one; None where no alarm is open.
        silent: nothing may sound: people paused it, or acknowledged all there is.
        acknowledged: all that is open is acknowledged.
    """

    priority: Priority | None
    silent: bool
    acknowledged: bool = False


class _Key(NamedTuple):
    """What there is at most one open alarm of."""

    kind: AlarmKind
    model: str
    name: str


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Why a latched alarm may end unseen: its cause was lost from sight, and may show to be over.

    Attributes:
        since_s: by the machine's clock.
        off_from_s: end of the first of the trusted windows, without a gap up to the newest, that were decided off.
        off_to_s: end of the newest of them; second of the stream, as `off_from_s`.
    """

    since_s: float
    off_from_s: float = math.inf
    off_to_s: float = -math.inf

    @property
    def off_s(self) -> float:
        """How long decisions have been off; negative where the newest was not."""
        return self.off_to_s - self.off_from_s

    def after(self, decision: Decision) -> _Doubt:
        """What one more decision leaves of it."""
        if decision.state != "off" or not decision.trusted:
            return _Doubt(self.since_s)
        goes_on = decision.start_s <= self.off_to_s <= decision.end_s
        return _Doubt(self.since_s, self.off_from_s if goes_on else decision.end_s, decision.end_s)


@dataclass(frozen=True, slots=True)
class _Kept:
    """An alarm as the machine keeps it.

    Attributes:
        alarm: as it was told last.
        next_seq: of its next change.
        told_s: when it was told last.
        doubt: of a latched one whose cause is not known to be over.
        restored: it is from before the start; its event's stream is over and reopens nothing.
    """

    alarm: Alarm
    next_seq: int
    told_s: float
    doubt: _Doubt | None = None
    restored: bool = False

    @property
    def key(self) -> _Key:
        return _Key(self.alarm.kind, self.alarm.model, self.alarm.name)

    @property
    def usual(self) -> Priority:
        """Its priority outside quiet hours."""
        return self.alarm.lowered_from or self.alarm.priority

    @property
    def is_active(self) -> bool:
        return self.alarm.state == "active"

    def ended(self) -> _Kept:
        return replace(self, alarm=replace(self.alarm, state="ended"), doubt=None)

    def latched(self, doubt: _Doubt | None) -> _Kept:
        return replace(self, alarm=replace(self.alarm, state="latched"), doubt=doubt)

    def acknowledged(self) -> _Kept:
        return replace(self, alarm=replace(self.alarm, acknowledged=True))


class Machine:
    """Steps through what happens; each step returns what became of alarms, in the order to be told.

    Args:
        settings: how alarms behave.
        boot_id: what ids of technical alarms begin with; never used by a machine before.
        holds: (model, label) -> seconds that its decisions must be off before it is quiet; an alarm of a label
            that has none is ended by no decision.
        local_minute: minutes since local midnight; None while the time of day is not known for sure.
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
        self._open: dict[_Key, _Kept] = {}  # oldest first
        self._ended: dict[_Key, _Kept] = {}  # of each label the newest, which its event may reopen
        self._faults = count()
        self._now_s = -math.inf
        self._paused_until_s = -math.inf
        self.configure(settings, holds=holds)

    def __repr__(self) -> str:
        return f"Machine({self._boot_id!r}, {len(self._open)} open, {self.signal})"

    def configure(self, settings: AlarmSettings, *, holds: Mapping[tuple[str, str], float]) -> None:
        """Go on with other settings: what is open stays open, what is latched stays latched.

        Raises:
            ConfigError: the quiet hours are none; all is then as before.
        """
        self._quiet_hours = None if settings.quiet_hours is None else QuietHours.parse(settings.quiet_hours)
        self._settings = settings
        self._holds = dict(holds)
        self._ended = {key: kept for key, kept in self._ended.items() if (key.model, key.name) in self._holds}

    # --- what is the case

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Those that are open, most urgent first.

        Of one priority: what nobody acknowledged before what somebody did, sounds before faults, oldest first.
        """
        return tuple(kept.alarm for kept in self._most_urgent_first())

    @property
    def paused_until_s(self) -> float | None:
        """When signals sound again; None where they are not paused."""
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

    # --- what happens

    def event(self, event: Event, priority: Priority, now_s: float) -> list[Transition]:
        """A sound begins, begins again or ends.

        An event id belongs to one sound of one label, and may reopen until another one of that label was told.

        Args:
            event: of a label that people must know about.
            priority: of the label, outside quiet hours.
            now_s: monotonic.
        """
        self._pass_to(now_s)
        if event.phase == "end":
            return self._event_ends(event)
        return self._event_begins(event, priority)

    def fault(self, fault: Fault, now_s: float) -> list[Transition]:
        """A fault begins or is over; one that ends without having begun, or begins twice, changes nothing."""
        self._pass_to(now_s)
        priority = FAULTS[fault.kind].priority
        if priority is None:
            return []
        kept = self._open.get(_Key("technical", fault.model, fault.kind))
        if fault.begins:
            return [] if kept is not None and kept.is_active else self._fault_begins(fault, priority)
        if kept is None or not (kept.is_active or kept.doubt):
            return []
        return self._cause_over(kept, fault.detail)

    def decision(self, decision: Decision, now_s: float) -> list[Transition]:
        """A label's decision about one window, in stream order: off for its hold, it ends what was lost from sight."""
        self._pass_to(now_s)
        kept = self._open.get(_Key("sound", decision.model, decision.label))
        if kept is None or kept.doubt is None:
            return []
        kept = replace(kept, doubt=kept.doubt.after(decision))
        self._open[kept.key] = kept
        hold_s = self._holds.get((decision.model, decision.label), math.inf)
        is_quiet = kept.doubt is not None and kept.doubt.off_s >= hold_s - _TOLERANCE_S
        return self._cause_over(kept, QUIET) if is_quiet else []

    def command(self, command: Command, now_s: float) -> list[Transition]:
        """People acknowledge, pause or resume; a self-test concerns no alarm.

        A pause silences signals, from now on and for at most `longest_pause_s`: alarms are raised, told and reminded
        of even so, those of high priority too. A second pause takes the first one's place.
        """
        self._pass_to(now_s)
        match command:
            case Acknowledge():
                return self._acknowledge(command)
            case Pause():
                self._paused_until_s = self._now_s + min(command.duration_s, self._settings.longest_pause_s)
            case Resume():
                self._paused_until_s = -math.inf
        return []

    def tick(self, now_s: float) -> list[Transition]:
        """Time passes: quiet hours begin or end, people are reminded, faults are not found again."""
        self._pass_to(now_s)
        return [transition for kept in tuple(self._open.values()) for transition in self._look_at(kept)]

    def restore(self, kept: Iterable[tuple[Alarm, int]], now_s: float) -> list[Transition]:
        """Take over the alarms that a journal holds open, once, after a restart; each is told again.

        Events ended with the daemon (`interrupted`): their alarms are latched until somebody acknowledges them,
        the sound is heard anew, or its label was off for its hold. Faults that are not found again within
        `FOUND_AGAIN_S` are over. What was acknowledged ends. A failed self-test stays until one succeeds.

        Args:
            kept: each alarm as it was told last, and that change's seq.
            now_s: monotonic.
        """
        self._pass_to(now_s)
        return [transition for alarm, seq in kept for transition in self._restore_one(alarm, seq)]

    # --- sounds

    def _event_begins(self, event: Event, priority: Priority) -> list[Transition]:
        key = _Key("sound", event.model, event.label)
        same = [past for past in (self._open.get(key), self._ended.get(key)) if _is_of(past, event)]
        past = same[0] if same else None
        if past is not None and past.is_active:
            return []
        reopened_here = past is not None and past.alarm.state == "latched"
        before = [] if reopened_here else self._give_way(key, event.event_id)
        kept = _Kept(self._sounding(event, priority, past), 0 if past is None else past.next_seq, self._now_s)
        return [*before, self._tell(kept, "raised" if past is None else "reopened", event.reason, event)]

    def _sounding(self, event: Event, priority: Priority, past: _Kept | None) -> Alarm:
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
        return self._graded(alarm, priority)

    def _event_ends(self, event: Event) -> list[Transition]:
        kept = self._open.get(_Key("sound", event.model, event.label))
        if kept is None or not _is_of(kept, event) or not kept.is_active:
            return []
        kept = replace(kept, alarm=replace(kept.alarm, score=max(event.score, kept.alarm.score or 0.0)))
        if event.reason == QUIET:
            return self._cause_over(kept, QUIET, event)
        return self._cause_lost(kept, event.reason, event)

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
        kept = _Kept(alarm, 0, self._now_s)
        return [*self._give_way(kept.key, alarm.alarm_id), self._tell(kept, "raised", fault.detail)]

    # --- where a cause ends

    def _cause_over(self, kept: _Kept, cause: str, event: Event | None = None) -> list[Transition]:
        """It is known to be over: the alarm ends, unless it must be seen by somebody first."""
        if kept.is_active and self._must_be_seen(kept):
            return [self._tell(kept.latched(doubt=None), "latched", cause, event)]
        return [self._tell(kept.ended(), "ended", cause, event)]

    def _cause_lost(self, kept: _Kept, cause: str, event: Event | None = None) -> list[Transition]:
        """It may go on, but is followed no more: only what somebody has seen ends."""
        if kept.alarm.acknowledged:
            return [self._tell(kept.ended(), "ended", cause, event)]
        return [self._tell(kept.latched(self._doubt(kept)), "latched", cause, event)]

    def _doubt(self, kept: _Kept) -> _Doubt | None:
        """None where no proof that its cause is over would end it."""
        return None if self._must_be_seen(kept) else _Doubt(self._now_s)

    def _give_way(self, key: _Key, alarm_id: str) -> list[Transition]:
        """The alarm that is open there, if any, ends for a new one."""
        kept = self._open.get(key)
        return [] if kept is None else [self._tell(kept.ended(), "ended", _taken_over(alarm_id))]

    def _must_be_seen(self, kept: _Kept) -> bool:
        """Whether it stays until somebody acknowledges it; quiet hours change nothing of that."""
        latch = self._settings.latch
        latches = latch == "all" or (latch == "high" and kept.usual == "high")
        return latches and not kept.alarm.acknowledged

    # --- what people do

    def _acknowledge(self, command: Acknowledge) -> list[Transition]:
        meant = [kept for kept in self._most_urgent_first() if command.alarm_id in {None, kept.alarm.alarm_id}]
        return [transition for kept in meant for transition in self._acknowledge_one(kept, command.by)]

    def _acknowledge_one(self, kept: _Kept, by: str) -> list[Transition]:
        if kept.alarm.acknowledged:
            return []
        cause = f"acknowledged by {by}"
        told = [self._tell(kept.acknowledged(), "acknowledged", cause)]
        if not kept.is_active:
            told.append(self._tell(self._open[kept.key].ended(), "ended", cause))
        return told

    # --- what time does

    def _pass_to(self, now_s: float) -> None:
        self._now_s = max(self._now_s, now_s)

    def _look_at(self, kept: _Kept) -> list[Transition]:
        if self._is_not_found_again(kept):
            return self._cause_over(kept, "it was not found again after the restart")
        graded = self._graded(kept.alarm, kept.usual)
        if graded != kept.alarm:
            return [self._tell(replace(kept, alarm=graded), "priority", self._why_graded(graded))]
        if self._is_reminder_due(kept):
            return [self._tell(kept, "reminded", "nobody has acknowledged it")]
        return []

    def _is_not_found_again(self, kept: _Kept) -> bool:
        return (
            kept.alarm.kind == "technical"
            and kept.doubt is not None
            and self._now_s - kept.doubt.since_s >= FOUND_AGAIN_S
        )

    def _is_reminder_due(self, kept: _Kept) -> bool:
        remind_s = self._settings.remind_s
        return remind_s is not None and not kept.alarm.acknowledged and self._now_s - kept.told_s >= remind_s

    def _graded(self, alarm: Alarm, usual: Priority) -> Alarm:
        """With the priority of this minute; that of a technical alarm never changes."""
        is_quiet = self._quiet_hours is not None and self._quiet_hours.is_quiet(self._local_minute())
        told = _LOWERED[usual] if is_quiet and alarm.kind == "sound" else usual
        return replace(alarm, priority=told, lowered_from=None if told == usual else usual)

    def _why_graded(self, alarm: Alarm) -> str:
        if alarm.lowered_from is not None:
            return "quiet hours have begun"
        if self._quiet_hours is not None and self._local_minute() is None:
            return "quiet hours are not kept while the clock is not synchronized"
        return "quiet hours are over"

    # --- after a restart

    def _restore_one(self, alarm: Alarm, seq: int) -> list[Transition]:
        kept = _Kept(alarm, seq + AFTER_RESTART_SEQ, self._now_s, restored=True)
        there = self._open.get(kept.key)
        if alarm.state == "ended" or (there is not None and there.alarm.alarm_id == alarm.alarm_id):
            return []
        if there is not None:
            return [self._transition(kept.ended(), "ended", _taken_over(there.alarm.alarm_id))]
        if kept.is_active and alarm.name in _KNOWN_BY_TRIAL and alarm.kind == "technical":
            return self._tell_again(kept)
        if kept.is_active or alarm.acknowledged:
            return self._cause_lost(kept, INTERRUPTED)
        return self._tell_again(replace(kept, doubt=self._doubt(kept)))

    def _tell_again(self, kept: _Kept) -> list[Transition]:
        """It is as it was before."""
        if not kept.alarm.acknowledged:
            return [self._tell(kept, "reminded", INTERRUPTED)]
        self._open[kept.key] = kept
        return []

    # --- what is kept and told

    def _most_urgent_first(self) -> list[_Kept]:
        return sorted(self._open.values(), key=_urgency)

    def _tell(self, kept: _Kept, change: AlarmChange, cause: str, event: Event | None = None) -> Transition:
        """Keep what became of an alarm, or forget it where it ended."""
        told = replace(kept, next_seq=kept.next_seq + 1, told_s=self._now_s)
        if kept.alarm.state != "ended":
            self._open[kept.key] = told
        else:
            self._open.pop(kept.key, None)
            if kept.alarm.kind == "sound" and not kept.restored:
                self._ended[kept.key] = told
        return self._transition(kept, change, cause, event)

    def _transition(self, kept: _Kept, change: AlarmChange, cause: str, event: Event | None = None) -> Transition:
        return Transition(kept.alarm, kept.next_seq, change, cause, self._now_s, event)


def _is_of(kept: _Kept | None, event: Event) -> bool:
    """Whether it is the alarm of this event."""
    return kept is not None and kept.alarm.alarm_id == event.event_id


def _taken_over(alarm_id: str) -> str:
    return f"taken over by {alarm_id}"


def _urgency(kept: _Kept) -> tuple[int, bool, bool]:
    alarm = kept.alarm
    return _URGENCY[alarm.priority], alarm.acknowledged, alarm.kind == "technical"
