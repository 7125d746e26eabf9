"""From detected sounds and faults to delivered alarms: the main loop's side of machine, journal, broker and pins.

Owns the alarm machine. Every transition goes the same way: pins at once, from memory; then the journal; then the
broker, once the journal has committed it or, if the disk takes longer than a second, without that. A journal or
broker that fails becomes a fault itself. Whatever may block runs in a thread of its own and is handed in; nothing
here waits but `flush`, at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from device.alarms.journal.command_notes import COUNT_KEY
from device.alarms.label_gate import Sifted
from device.commands import CertificateReport, Outcome, PushReport
from device.daemon.alerting.alarm_summary import AlarmSummary
from device.daemon.alerting.command_handler import CommandHandler
from device.daemon.alerting.deferred_faults import DeferredFaults
from device.daemon.alerting.delivery_losses import DeliveryLosses
from device.daemon.alerting.faults.certificate_watch import CertificateWatch
from device.daemon.alerting.faults.delivery_faults import RESTART_AFTER_S, DeliveryFaults
from device.daemon.alerting.faults.push_watch import PushWatch
from device.daemon.alerting.label_schedule import SWITCHES, LabelSchedule
from device.daemon.alerting.machine_driver import MachineDriver
from device.daemon.alerting.restore import JournalRestore
from device.daemon.alerting.sensitivities import SENSITIVITIES
from device.daemon.delivery.alarm_delivery import AlarmDelivery
from device.daemon.delivery.broker_notes import BrokerNotes
from device.daemon.delivery.journal_messages import CommitReceipt, EntriesRead, JournalOpened
from device.daemon.delivery.reply_queue import BrokerAcknowledged, CommandReceived
from device.daemon.publishing.night_coverage import NIGHT, NightCoverage
from device.daemon.publishing.state_publisher import ANNOUNCED
from device.messages import Fault, Heard, OperationNote
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from device.alarms.journal.salvage import Salvage
    from device.alarms.machine import Machine
    from device.commands import SelfTest
    from device.config.alerting.schedule_settings import ScheduleSettings
    from device.config.settings import AlarmSettings
    from device.daemon.alerting.alarm_labels import AlarmLabels
    from device.daemon.alerting.epoch import Epoch
    from device.daemon.alerting.sensitivities import Sensitivities
    from device.daemon.delivery.channels import Channels
    from device.daemon.delivery.reply_queue import Reply, ReplyQueue
    from device.messages import AudioBlock, Event, NoAudio, OperationKind
    from device.runtime.clocks import Timekeeper
    from device.runtime.daemon_state import DaemonState

FLUSH_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class OperationReport:
    """What the controller found out about the daemon itself since the last poll, and what its schedule let through."""

    faults: list[Fault] = field(default_factory=list)
    notes: list[OperationNote] = field(default_factory=list)
    released: Sifted = field(default_factory=lambda: Sifted(Heard()))


class AlarmController:
    """Everything about alarms that the main loop does.

    Attributes:
        sensitivities: of the models that listen.
        schedule: of the labels.
        night: how much of it was listened to.

    Args:
        machine: stepped by nobody else.
        labels: of the models that listen.
        channels: journal, pins, broker and clips.
        replies: from other threads.
        timekeeper: both clocks.
        instance: name of the daemon.
        sensitivities: of the models that listen.
        epoch: of this start.
        schedule: for each label that is scheduled.
        self_test: starts a self-test; None if the daemon has none.
        reload: has configuration and models read again; None if the daemon cannot.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        labels: AlarmLabels,
        channels: Channels,
        replies: ReplyQueue,
        timekeeper: Timekeeper,
        instance: str,
        sensitivities: Sensitivities,
        epoch: Epoch,
        schedule: Sequence[ScheduleSettings] = (),
        self_test: Callable[[SelfTest], None] | None = None,
        reload: Callable[[], None] | None = None,
    ) -> None:
        self._labels = labels
        self._replies = replies
        self._clocks, self._timekeeper = timekeeper.clocks, timekeeper
        self._delivery = AlarmDelivery(channels)
        self._driver = driver = MachineDriver(machine, self._delivery, timekeeper=timekeeper, instance=instance)
        self._restore = JournalRestore(driver, clocks=self._clocks, epoch=epoch, note=partial(self._note, "journal"))
        self.schedule = LabelSchedule(schedule, week_minute=timekeeper.week_minute)
        self._commands = CommandHandler(
            driver,
            timekeeper=timekeeper,
            note=partial(self._note, "asked"),
            self_test=self_test,
            sensitivities=sensitivities,
            schedule=self.schedule,
            reload=reload,
        )
        self.sensitivities = sensitivities
        self.night = NightCoverage(timekeeper)
        self._deferred = DeferredFaults()
        self._faults = DeliveryFaults()
        self._push = PushWatch(self._clocks.monotonic())
        self._certificates = CertificateWatch()
        self._losses = DeliveryLosses()
        self._broker_notes = BrokerNotes()
        self._salvage: Salvage | None = None  # until it is raised as a fault
        self._report = OperationReport()

    def __repr__(self) -> str:
        return f"AlarmController({self.machine!r}, {self._delivery!r})"

    # --- input from the main loop

    def process(self, item: AudioBlock | NoAudio, heard: Heard, newest_s: float) -> Sifted:
        """Raise and end alarms for what the listener detected; returns what the schedule lets through of it.

        Args:
            item: from the source.
            heard: what the listener returned for it.
            newest_s: second of the stream that is captured now.
        """
        self._driver.newest_s = newest_s
        self._driver.clips.push(item)
        return self._process_heard(heard)

    def finish_stream(self, heard: Heard) -> Sifted:
        """Process the last output of a listener that is closed: faults that it ends may in fact go on.

        Returns what the schedule lets through of it.
        """
        now_s = self._clocks.monotonic()
        sifted = self._process_heard(replace(heard, faults=[fault for fault in heard.faults if fault.begins]))
        for fault in heard.faults:
            if not fault.begins:
                self._deferred.defer(fault, now_s)
        self._driver.clips.finish()
        return replace(sifted, visible=replace(sifted.visible, faults=heard.faults))

    def report_fault(self, fault: Fault) -> None:
        """Raise or end an alarm for a fault that no listener detects.

        One that is over but was not open is only noted: a self-test succeeded.
        """
        if fault.begins or any(alarm.name == fault.kind for alarm in self.machine.alarms):
            self._report.faults.append(fault)
        else:
            self._note("asked", fault.detail)
        self._driver.step(partial(self.machine.fault, fault), since_s=fault.since_s)

    def report_pin(self, line: str) -> None:
        """Note what a pin would do on a machine that has one."""
        self._note("pins", line)

    def poll(self, newest_s: float) -> OperationReport:
        """Do all that is due between two blocks; return what was found out about the daemon itself.

        Args:
            newest_s: second of the stream that is captured now.
        """
        self._driver.newest_s = newest_s
        now_s = self._clocks.monotonic()
        self.process_replies()
        self._step_schedule(newest_s)
        self._check_delivery(now_s)
        for fault in self._deferred.pop_due(now_s):
            self._driver.step(partial(self.machine.fault, fault))
        self._driver.step(self.machine.tick)
        self._publish(overdue_at_s=now_s)
        self._report.notes.extend(self._losses.check(self.channels))
        self._report.notes.extend(self._broker_notes.check(self.channels.broker, now_s))
        self._driver.show_signal()
        report, self._report = self._report, OperationReport()
        return report

    def beat(self) -> None:
        """Keep the fail-safe output alive; called while all is well."""
        self.channels.pins.beat()

    def publish_state(self, state: DaemonState) -> None:
        """Publish the daemon's state to the broker; called periodically."""
        self._driver.publish_alarms()  # a pause ends by itself
        self._keep_night(self.night.pop_note(self._clocks.monotonic()))
        if self.channels.state_publisher is not None:
            self.channels.state_publisher.publish_sensitivities(self.sensitivities.values)
            self._publish_modes()
            self.channels.state_publisher.publish_state(state, self._clocks.monotonic())

    def flush(self, deadline_s: float) -> None:
        """Before the end, wait at most this long until what was just decided is committed and acknowledged."""
        if self.channels.state_publisher is not None:
            self.channels.state_publisher.publish_microphone_offline()
        self._keep_night(self.night.note)
        began_s = self._clocks.monotonic()
        while True:
            self.process_replies()
            now_s = self._clocks.monotonic()
            is_urgent = now_s - began_s >= deadline_s / 2 or self.channels.journal.failure(now_s) is not None
            self._publish(overdue_at_s=math.inf if is_urgent else now_s)
            if self._delivery.is_settled(now_s) or now_s - began_s >= deadline_s:
                return
            self._replies.wait(FLUSH_POLL_S)

    def reconfigure(
        self,
        settings: AlarmSettings,
        labels: AlarmLabels,
        channels: Channels,
        schedule: Sequence[ScheduleSettings] = (),
    ) -> None:
        """Use another configuration from now on; open alarms stay open."""
        self.schedule.configure(schedule)
        self.machine.configure(settings, holds=labels.hold_s)
        self._labels = labels
        self._delivery.channels = channels
        self._driver.clips.store = channels.clips
        self._driver.publish_alarms()

    # --- state

    @property
    def machine(self) -> Machine:
        """The alarm machine; to be read only."""
        return self._driver.machine

    @property
    def channels(self) -> Channels:
        """Journal, pins, broker and clips in use."""
        return self._delivery.channels

    @property
    def is_hung(self) -> bool:
        """Whether the broker's thread has hung for so long that only a restart helps."""
        broker = self.channels.broker
        return broker is not None and broker.stuck_for_s(self._clocks.monotonic()) > RESTART_AFTER_S

    @property
    def summary(self) -> AlarmSummary:
        """Open alarms, and whether they are kept and delivered."""
        broker = self.channels.broker
        now_s, until_s = self._clocks.monotonic(), self.machine.paused_until_s
        failure = self.channels.journal.failure(now_s)
        return AlarmSummary(
            alarms=self.machine.alarms,
            paused=until_s is not None,
            paused_for_s=0.0 if until_s is None else max(0.0, until_s - now_s),
            owed=self._delivery.owed,
            broker=None if broker is None else broker.link.state,
            journal="" if failure is None else failure.reason,
            commands_rejected=self._broker_notes.rejected,
            broker_reason="" if broker is None else broker.link.trouble,
            push=self._push.summary(self._clocks.monotonic()),
            delivered=self._delivery.delivered,
            delivered_late=self._delivery.delivered_late,
        )

    # --- replies from other threads

    def process_replies(self) -> None:
        """Process what journal, broker and button have sent since the last call."""
        self._delivery.observe()
        for reply in self._replies.pop_all():
            self._process_reply(reply)

    def _process_reply(self, reply: Reply) -> None:
        match reply:
            case JournalOpened():
                self._process_opened(reply)
            case CommitReceipt() | EntriesRead():
                pass  # it wakes the loop: there is something to publish
            case BrokerAcknowledged():
                self._delivery.process_acknowledged(reply.key)
            case CommandReceived(command=PushReport() as report):
                self._push.receive(report, self._clocks.monotonic())
                reply.answer(Outcome(done=True, sentence="noted"))
            case CommandReceived(command=CertificateReport() as report):
                self._certificates.receive(report, self._clocks.monotonic())
                reply.answer(Outcome(done=True, sentence="noted"))
            case CommandReceived():
                reply.answer(self._commands.handle(reply.command, self.channels.journal))
            case _:
                self._salvage = reply.salvage
                self._note("journal", str(reply.salvage))

    def _process_opened(self, opened: JournalOpened) -> None:
        if self.channels.state_publisher is not None:
            self.channels.state_publisher.restore_announced(opened.notes.get(ANNOUNCED))
        self.sensitivities.restore(opened.notes.get(SENSITIVITIES))
        self.schedule.restore(opened.notes.get(SWITCHES))
        self.night.restore(opened.notes.get(NIGHT))
        self._commands.restore(opened.notes.get(COUNT_KEY), self.channels.journal)
        if opened.pruned_undelivered:
            changes = quantity(opened.pruned_undelivered, "change of an alarm was", "changes of alarms were")
            self._note("journal", f"{changes} dropped for want of room, since it began")
        self._restore.restore(opened, self.channels.journal)

    def _publish(self, *, overdue_at_s: float) -> None:
        malformed = self._delivery.publish(overdue_at_s=overdue_at_s)
        if malformed:
            changes = quantity(malformed, "change of an alarm was", "changes of alarms were")
            self._note("journal", f"{changes} kept by another version and cannot be published")

    # --- sounds and faults

    def _process_heard(self, heard: Heard) -> Sifted:
        """Faults and decisions reach the machine whatever is scheduled: they raise no alarm for a sound."""
        sifted = self.schedule.sift(heard)
        for fault in heard.faults:
            self._deferred.cancel(fault)
            self._driver.step(partial(self.machine.fault, fault), since_s=fault.since_s)
        self._process_events(sifted.alarming)
        for decision in heard.decisions:
            self._driver.step(partial(self.machine.decision, decision))
        if self.channels.state_publisher is not None:
            self.channels.state_publisher.publish_heard(sifted.visible)
        return sifted

    def _process_events(self, events: Iterable[Event]) -> None:
        for event in events:
            priority = self._labels.priorities.get((event.model, event.label))
            if priority is not None:
                self._driver.step(partial(self.machine.event, event, priority))

    def _step_schedule(self, newest_s: float) -> None:
        """Let labels do what the hour or a command says; a sound that goes on may raise its alarm now."""
        change = self.schedule.step(newest_s)
        if change is None:
            return
        self._process_events(change.sifted.alarming)
        self._report.released.alarming.extend(change.sifted.alarming)
        self._report.released.visible.events.extend(change.sifted.visible.events)
        for sentence in change.sentences:
            self._note("schedule", sentence)
        if self.channels.state_publisher is not None:
            self.channels.state_publisher.publish_heard(change.sifted.visible)
        self._publish_modes()

    def _publish_modes(self) -> None:
        publisher = self.channels.state_publisher
        if publisher is not None:
            publisher.publish_modes(self.schedule.modes, self.schedule.hidden(self._labels.hold_s))

    def _check_delivery(self, now_s: float) -> None:
        """Raise and end the faults of journal, broker, push and certificates."""
        broker, newest_s = self.channels.broker, self._driver.newest_s
        salvage, self._salvage = self._salvage, None
        changes = self._faults.update(
            now_s,
            journal=self.channels.journal.failure(now_s),
            link=None if broker is None else broker.link,
            stuck_s=0.0 if broker is None else broker.stuck_for_s(now_s),
            unanswered_since_s=None if broker is None else broker.unanswered_since_s,
            damaged=None if salvage is None else str(salvage),
        )
        of_push = self._push.update(now_s, is_wanted=self.channels.wants_push)
        of_certificates = self._certificates.update(
            self.channels.expiries,
            now_s=now_s,
            utc_s=self._clocks.utc(),
            is_synchronized=self._timekeeper.is_synchronized,
        )
        for change in [*changes, *([of_push] if of_push else []), *of_certificates]:
            since_s = newest_s - (now_s - change.since_s) * self._timekeeper.stream_speed
            self.report_fault(Fault(change.kind, change.begins, since_s, newest_s, change.detail))

    def _keep_night(self, note: str | None) -> None:
        if note is not None:
            self.channels.journal.set_note(NIGHT, note)

    def _note(self, kind: OperationKind, detail: str) -> None:
        self._report.notes.append(OperationNote(kind, detail))
