"""What is heard becomes alarms, and alarms reach people: the main loop's side of machine, journal, broker and pins.

Owns the machine. Whatever steps it, each change goes the same way: lights at once, from memory; the journal, which
says when it is kept; then the broker, or, where the disk takes longer than a second, the broker even so. What keeps
alarms from being kept or told becomes an alarm itself. Everything that may block has a thread of its own and is
handed in; nothing here waits but `settle`, at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from device.commands import Acknowledge, Pause, Resume, SelfTest
from device.daemon.alerting.alarm_json import entry_of, recorded
from device.daemon.alerting.deferred_faults import DeferredFaults
from device.daemon.alerting.delivery_faults import HOPELESS_AFTER_S, Watch
from device.daemon.delivery.journal_writer import Opened, Owed, Receipt
from device.daemon.delivery.reply_queue import Acknowledged, CommandReceived
from device.messages import AudioBlock, Fault, OperationNote
from device.sinks.payloads import alarm_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from device.alarms.journal.entries import Entry
    from device.alarms.journal.salvage import Salvage
    from device.alarms.machine import Machine
    from device.commands import Command
    from device.config.settings import AlarmSettings
    from device.daemon.alerting.alarm_json import Recorded
    from device.daemon.delivery.channels import Channels
    from device.daemon.delivery.reply_queue import Reply, ReplyQueue
    from device.messages import Alarm, Heard, NoAudio, OperationKind, Priority, Transition
    from device.runtime.clocks import Timekeeper
    from device.runtime.daemon_state import DaemonState
    from device.runtime.model_loader import OpenModels

PAUSED_UNTIL = "paused_until_utc_s"
"""Name of the durable note: a pause outlives a restart."""

SETTLE_TURN_S = 0.05
_CHANGES_A_SECOND = 10


@dataclass(frozen=True, slots=True)
class Labels:
    """What the models say of the labels that raise alarms.

    Attributes:
        priorities: (model, label) -> priority.
        holds: (model, label) -> seconds below the threshold after which it is quiet.
    """

    priorities: Mapping[tuple[str, str], Priority]
    holds: Mapping[tuple[str, str], float]


def labels_of(models: OpenModels) -> Labels:
    """Of the labels of the models that people are to be told of."""
    told = [(model.name, label) for model in models.listening for label in model.labels if label.role == "alarm"]
    return Labels(
        priorities={(model, label.name): models.priorities[model, label.name] for model, label in told},
        holds={(model, label.name): label.point.hold_s for model, label in told},
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What the daemon has to tell of itself after a look around."""

    faults: list[Fault] = field(default_factory=list)
    happenings: list[OperationNote] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Known:
    """Of an open alarm.

    Attributes:
        start_utc_s: when what it is about began; None where nobody knows.
        offset_s: between both clocks when it was raised.
    """

    start_utc_s: float | None
    offset_s: float


@dataclass(frozen=True, slots=True)
class AlarmSummary:
    """How it stands with alarms, for who asks.

    Attributes:
        alarms: that are open, the most urgent first.
        paused: signals are silent for a while.
        owed: changes that no broker has acknowledged; None where there is no broker.
        broker: state of the connection; None where there is no broker.
        journal: why alarms are not kept at present; empty while they are.
    """

    alarms: tuple[Alarm, ...]
    paused: bool
    owed: int | None
    broker: str | None
    journal: str


class AlarmController:
    """Everything about alarms that the main loop does.

    Args:
        machine: is stepped by this alone.
        labels: of the models that listen.
        ways: to people.
        mailbox: what other threads say.
        timekeeper: both clocks.
        instance: name of the daemon.
        self_test: tries the whole way where somebody asks for it; None where nothing can.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        labels: Labels,
        ways: Channels,
        mailbox: ReplyQueue,
        timekeeper: Timekeeper,
        instance: str,
        self_test: Callable[[SelfTest], None] | None = None,
    ) -> None:
        self.machine = machine
        self.labels = labels
        self.ways = ways
        self._mailbox = mailbox
        self._timekeeper = timekeeper
        self._instance = instance
        self._self_test = self_test
        self._watch = Watch()
        self._lasting = DeferredFaults()
        self._known: dict[str, _Known] = {}
        self._said = Said()
        self._damaged: str | None = None
        self._restored = False
        self._owed = 0
        self._newest_s = 0.0
        self._counted = 0
        self._clips_dropped = 0
        self._pins_problem: str | None = None

    def __repr__(self) -> str:
        return f"AlarmController({self.machine!r}, {self._owed} owed)"

    # --- what the loop hands in

    def take(self, item: AudioBlock | NoAudio, heard: Heard, newest_s: float) -> None:
        """What came in, and what was heard of it.

        Args:
            item: as it came.
            heard: by the listener.
            newest_s: second of the stream that is captured now.
        """
        self._newest_s = newest_s
        if self.ways.clips is not None and isinstance(item, AudioBlock):
            self.ways.clips.push(item)
        self._hear(heard)

    def leave(self, heard: Heard) -> None:
        """A listener is taken away: what it says is over, of faults, may go on."""
        now_s = self._now_s
        self._hear(replace(heard, faults=[fault for fault in heard.faults if fault.begins]))
        for fault in heard.faults:
            if not fault.begins:
                self._lasting.keep_back(fault, now_s)
        if self.ways.clips is not None:
            self.ways.clips.finish()

    def say_pin(self, line: str) -> None:
        """What a pin would do on a machine that has one."""
        self._note("pins", line)

    def look(self, newest_s: float) -> Said:
        """All that is looked after between two blocks; what the daemon has to tell of itself.

        Args:
            newest_s: second of the stream that is captured now.
        """
        self._newest_s = newest_s
        now_s = self._now_s
        self.read_letters()
        self._find(now_s)
        for fault in self._lasting.over(now_s):
            self._step(partial(self.machine.fault, fault))
        self._step(self.machine.tick)
        self._tell(now_s, overdue_at_s=now_s)
        self._look_at_what_was_lost()
        self.ways.pins.show(self.machine.signal)
        said, self._said = self._said, Said()
        return said

    def beat(self) -> None:
        """All is well: the fail-safe output goes on."""
        self.ways.pins.beat()

    def publish(self, now: DaemonState) -> None:
        """What is the case, for the broker; called once in a while."""
        self._announce()  # a pause is over without anybody's doing
        if self.ways.announcer is not None:
            self.ways.announcer.state(now, self._now_s)

    @property
    def hangs(self) -> bool:
        """Whether a thread that tells people has hung for so long that only a restart helps."""
        broker = self.ways.broker
        return broker is not None and broker.stuck_for_s(self._now_s) > HOPELESS_AFTER_S

    @property
    def standing(self) -> AlarmSummary:
        """How it stands, for who asks."""
        broker = self.ways.broker
        trouble = self.ways.keeper.trouble(self._now_s)
        return AlarmSummary(
            alarms=self.machine.alarms,
            paused=self.machine.paused_until_s is not None,
            owed=None if broker is None else self._owed,
            broker=None if broker is None else broker.link.state,
            journal="" if trouble is None else trouble.reason,
        )

    def settle(self, deadline_s: float) -> None:
        """Before the end: what was just decided is kept and told, if that takes no longer than this."""
        if self.ways.announcer is not None:
            self.ways.announcer.leave()
        began_s = self._now_s
        while True:
            self.read_letters()
            hurries = self._now_s - began_s >= deadline_s / 2 or self.ways.keeper.trouble(self._now_s) is not None
            self._tell(self._now_s, overdue_at_s=math.inf if hurries else self._now_s)
            if self._is_settled() or self._now_s - began_s >= deadline_s:
                return
            self._mailbox.wait(SETTLE_TURN_S)

    def replaced(self, settings: AlarmSettings, labels: Labels, ways: Channels) -> None:
        """The configuration was read again: what is open stays open."""
        self.machine.configure(settings, holds=labels.holds)
        self.labels, self.ways = labels, ways
        self._counted = 0
        self._announce()

    # --- what steps the machine

    def find(self, fault: Fault) -> None:
        """A fault that no listener finds begins, or is over; told to people as those of hearing are.

        One that is over and was not open is no more than noted: that a trial went well.
        """
        if fault.begins or any(alarm.name == fault.kind for alarm in self.machine.alarms):
            self._said.faults.append(fault)
        else:
            self._note("asked", fault.detail)
        self._step(partial(self.machine.fault, fault), since_s=fault.since_s)

    @property
    def _now_s(self) -> float:
        return self._timekeeper.clocks.monotonic()

    def _hear(self, heard: Heard) -> None:
        for fault in heard.faults:
            self._lasting.seen(fault)
            self._step(partial(self.machine.fault, fault), since_s=fault.since_s)
        for event in heard.events:
            priority = self.labels.priorities.get((event.model, event.label))
            if priority is not None:
                self._step(partial(self.machine.event, event, priority))
        for decision in heard.decisions:
            self._step(partial(self.machine.decision, decision))
        if self.ways.announcer is not None:
            self.ways.announcer.heard(heard.events)

    def _step(self, step: Callable[[float], list[Transition]], *, since_s: float | None = None) -> None:
        """Step the machine, and send on its way what became of it.

        Args:
            step: takes the time by the clock that never jumps.
            since_s: second of the stream at which what is alarmed about began.
        """
        transitions = step(self._now_s)
        if transitions:
            self._commit(transitions, since_s)

    def _commit(self, transitions: list[Transition], since_s: float | None) -> None:
        self.ways.pins.show(self.machine.signal)
        utc_s = self._timekeeper.clocks.utc()
        for transition in transitions:
            self._keep_clip(transition, utc_s)
        entries = [self._entry(transition, utc_s, since_s) for transition in transitions]
        if self.ways.dispatch is not None:
            self.ways.dispatch.decided([entry.key for entry in entries], self._now_s)
        self._owed += len(entries)
        self.ways.keeper.submit(entries)
        self._announce()

    def _entry(self, transition: Transition, utc_s: float, since_s: float | None) -> Entry:
        alarm_id, event = transition.alarm.alarm_id, transition.event
        if transition.change in {"raised", "reopened"}:
            start_s = since_s if event is None else event.start_s
            self._know(alarm_id, None if start_s is None else utc_s - max(0.0, self._newest_s - start_s))
        known = self._known.get(alarm_id) or self._know(alarm_id, None)
        if transition.alarm.state == "ended":
            del self._known[alarm_id]
        body = alarm_body(
            transition,
            instance=self._instance,
            start_utc_s=known.start_utc_s,
            decided_utc_s=utc_s,
            time_quality=self._timekeeper.quality(known.offset_s),
            captured_to_decided_s=None if event is None else max(0.0, self._newest_s - event.decided_s),
        )
        return entry_of(transition, body=body, start_utc_s=known.start_utc_s, decided_utc_s=utc_s)

    def _know(self, alarm_id: str, start_utc_s: float | None) -> _Known:
        known = self._known[alarm_id] = _Known(start_utc_s, self._timekeeper.offset_s)
        return known

    def _keep_clip(self, transition: Transition, utc_s: float) -> None:
        event = transition.event
        if self.ways.clips is not None and event is not None and transition.change in {"raised", "reopened"}:
            self.ways.clips.keep(event, utc_s=utc_s - max(0.0, self._newest_s - event.decided_s))

    def _announce(self) -> None:
        if self.ways.announcer is not None:
            paused = self.machine.paused_until_s is not None
            self.ways.announcer.alarms(self.machine.alarms, paused=paused, utc_s=self._timekeeper.clocks.utc())

    # --- what other threads say

    def read_letters(self) -> None:
        """Take what journal, broker and button have to say."""
        for letter in self._mailbox.take():
            self._open(letter)
        if self._mailbox.took_loss():
            self.ways.keeper.owe_again()

    def _open(self, letter: Reply) -> None:
        match letter:
            case Opened():
                self._take_up(letter)
            case Receipt():
                self._take_receipt(letter)
            case Owed():
                self._owe(letter.entries)
            case Acknowledged():
                self._owed = max(0, self._owed - 1)
                if self.ways.dispatch is not None:
                    self.ways.dispatch.acknowledged(letter.key)
                self.ways.keeper.confirm([letter.key])
            case CommandReceived():
                self._obey(letter.command)
            case _:
                self._tell_salvage(letter.salvage)

    def _take_up(self, opened: Opened) -> None:
        """The journal is read for the first time: what was open before goes on. After a reload, nothing was away."""
        self._owed = opened.owed + (0 if self._restored else self._owed)
        if self.ways.announcer is not None:
            self.ways.announcer.remember(opened.notes.get("announced"))
        if opened.shed:
            self._note("journal", f"{opened.shed} changes of alarms had to go untold for want of room, since it began")
        if self._restored:
            return
        self._restored = True
        kept = list(self._readable(opened.open_alarms))
        self._step(partial(self.machine.restore, kept))
        self._restore_pause(opened.notes.get(PAUSED_UNTIL))

    def _readable(self, texts: Iterable[tuple[str, int]]) -> Iterable[tuple[Alarm, int]]:
        offset_s = self._timekeeper.offset_s
        for text, seq in texts:
            try:
                kept = recorded(text, seq)
            except ValueError as error:
                self._note("journal", f"an alarm that was open cannot be taken up: {error}")
                continue
            self._known[kept.alarm.alarm_id] = _Known(kept.start_utc_s, offset_s)
            yield kept.alarm, kept.seq + self._skipped(kept)

    def _skipped(self, kept: Recorded) -> int:
        """Numbers left out beside the machine's own, more with every start.

        What a start tells from memory, while the disk takes nothing, and what damage takes from the journal, leaves
        the next start with the same last number: only time tells them apart. No alarm of before a start changes
        ten times a second.
        """
        if kept.start_utc_s is None:
            return 0
        return max(0, round(_CHANGES_A_SECOND * (self._timekeeper.clocks.utc() - kept.start_utc_s)))

    def _restore_pause(self, note: str | None) -> None:
        try:
            left_s = float(note or 0.0) - self._timekeeper.clocks.utc()
        except ValueError:
            return
        if left_s > 0:
            self._step(partial(self.machine.command, Pause(left_s, "restart")))
            self._announce()

    def _take_receipt(self, receipt: Receipt) -> None:
        keys = [entry.key for entry in receipt.entries]
        if self.ways.dispatch is not None:
            self.ways.dispatch.kept(keys)
        else:
            self.ways.keeper.confirm(keys)  # nobody else is to be told
            self._owed = 0

    def _owe(self, entries: Iterable[Entry]) -> None:
        if self.ways.dispatch is None:
            return
        senseless = self.ways.dispatch.owe(entries)
        if senseless:
            self.ways.keeper.confirm(senseless)
            self._owed = max(0, self._owed - len(senseless))
            self._note("journal", f"{len(senseless)} changes of alarms were kept by another version and cannot be told")

    def _obey(self, command: Command) -> None:
        self._step(partial(self.machine.command, command))
        until_s = self.machine.paused_until_s
        match command:
            case Pause():
                left_s = 0.0 if until_s is None else until_s - self._now_s
                self.ways.keeper.keep_note(PAUSED_UNTIL, repr(self._timekeeper.clocks.utc() + left_s))
                self._note("asked", f"{command.by} pauses signals for {left_s:.0f} s")
            case Resume():
                self.ways.keeper.keep_note(PAUSED_UNTIL, "0")
                self._note("asked", f"{command.by} lets signals sound again")
            case Acknowledge():
                self._note("asked", f"{command.by} acknowledges {command.alarm_id or 'all that is open'}")
            case SelfTest():
                self._try_itself(command)
        self._announce()

    def _try_itself(self, command: SelfTest) -> None:
        if self._self_test is None:
            self._note("asked", f"{command.by} asks for a self-test, of which this daemon has none")
        else:
            self._note("asked", f"{command.by} asks for a self-test")
            self._self_test(command)

    def _tell_salvage(self, salvage: Salvage) -> None:
        self._damaged = str(salvage)
        self._note("journal", self._damaged)

    def _note(self, kind: OperationKind, detail: str) -> None:
        self._said.happenings.append(OperationNote(kind, detail))

    # --- what is told

    def _find(self, now_s: float) -> None:
        broker = self.ways.broker
        damaged, self._damaged = self._damaged, None
        for finding in self._watch.look(
            now_s,
            journal=self.ways.keeper.trouble(now_s),
            link=None if broker is None else broker.link,
            stuck_s=0.0 if broker is None else broker.stuck_for_s(now_s),
            damaged=damaged,
        ):
            since_s = self._newest_s - (now_s - finding.since_s)
            self.find(Fault(finding.kind, finding.begins, since_s, self._newest_s, finding.detail))

    def _tell(self, now_s: float, *, overdue_at_s: float) -> None:
        """What no disk has taken in time is told even so; what is owed is offered.

        Args:
            now_s: monotonic.
            overdue_at_s: as of when it is judged what takes too long; infinite where there is no more time.
        """
        ways = self.ways
        overdue = ways.keeper.take_overdue(overdue_at_s)
        if ways.broker is None or ways.dispatch is None:
            self._owed = 0
            return
        if overdue:
            ways.dispatch.tell_from_memory(overdue)
        if ways.dispatch.is_new_connection(ways.broker):
            ways.keeper.owe_again()
        ways.dispatch.offer(ways.broker, now_s)

    def _is_settled(self) -> bool:
        ways = self.ways
        if ways.keeper.waiting and ways.keeper.trouble(self._now_s) is None:
            return False
        return ways.broker is None or ways.dispatch is None or not ways.broker.link.is_up or not ways.dispatch.waiting

    def _look_at_what_was_lost(self) -> None:
        """Said where it grows: entries that found no room anywhere, and commands that came too thick."""
        dispatch = self.ways.dispatch
        lost = self.ways.keeper.dropped + (0 if dispatch is None else dispatch.lost)
        if lost > self._counted:
            self._note("journal", f"{lost - self._counted} changes of alarms found no room in memory and are lost")
        self._counted = lost
        self._look_at_clips()
        problem = self.ways.pins.problem
        if problem != self._pins_problem and problem is not None:
            self.say_pin(problem)
        self._pins_problem = problem

    def _look_at_clips(self) -> None:
        clips = self.ways.clips
        dropped = 0 if clips is None else clips.dropped
        if clips is not None and dropped > self._clips_dropped:
            why = clips.failure or "too many waited for the disk"
            self._note("dropped", f"{dropped - self._clips_dropped} clips could not be kept: {why}")
        self._clips_dropped = dropped
