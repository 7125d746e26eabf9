"""Commands that people send, applied to the machine, the self-test, the sensitivities and the schedule, and noted.

Knows no way by which a command arrives. What became of a command is a sentence for whoever sent it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from device.alarms.journal.command_notes import CommandLog, CommandNote
from device.commands import (
    Acknowledge,
    ListenIn,
    MeasureRoom,
    Outcome,
    Pause,
    PushReport,
    Reload,
    Resume,
    SelfTest,
    SetMode,
    SetSensitivity,
)
from device.config.wording import listed, shown
from device.daemon.alerting.restore import PAUSED_UNTIL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from device.commands import Command
    from device.daemon.alerting.label_schedule import LabelSchedule
    from device.daemon.alerting.machine_driver import MachineDriver
    from device.daemon.alerting.sensitivities import Sensitivities
    from device.daemon.delivery.channels import AlarmJournal
    from device.messages import Alarm, Transition
    from device.runtime.clocks import Timekeeper


MODEL_UPDATE = "model_update"
"""Key of the journal note on the last reload that said why: a time in UTC, and a sentence."""


class CommandHandler:
    """Applies commands.

    Args:
        driver: steps the machine.
        timekeeper: both clocks, and the zone of the times in sentences.
        note: records one sentence about what people asked for.
        self_test: starts a self-test; None if the daemon has none.
        sensitivities: of the models that listen.
        schedule: of the labels.
        reload: has configuration and models read again; None if the daemon cannot.
    """

    def __init__(
        self,
        driver: MachineDriver,
        *,
        timekeeper: Timekeeper,
        note: Callable[[str], None],
        self_test: Callable[[SelfTest], None] | None,
        sensitivities: Sensitivities,
        schedule: LabelSchedule,
        reload: Callable[[], None] | None = None,
    ) -> None:
        self._driver = driver
        self._timekeeper = timekeeper
        self._note = note
        self._self_test = self_test
        self._sensitivities = sensitivities
        self._schedule = schedule
        self._reload = reload
        self._log = CommandLog()

    def __repr__(self) -> str:
        return f"CommandHandler({'without' if self._self_test is None else 'with'} a self-test)"

    def handle(self, command: Command, journal: AlarmJournal) -> Outcome:
        """Apply a command, and return what became of it.

        A pause, a sensitivity and a mode are kept in the journal, and outlive a restart. Every command is noted there
        with who, when and outcome.
        """
        outcome = self._applied(command, journal)
        utc_s = self._timekeeper.clocks.utc()
        self._log.add(CommandNote(0, utc_s, command.by, _verb(command), outcome.done, outcome.sentence), journal)
        return outcome

    def restore(self, count: str | None, journal: AlarmJournal) -> None:
        """Go on counting commands where a journal that was just opened has stopped; None if it counts none."""
        self._log.restore(count, journal)

    def _applied(self, command: Command, journal: AlarmJournal) -> Outcome:
        before, was_paused = self._driver.machine.alarms, self._driver.machine.paused_until_s is not None
        transitions = self._driver.step(partial(self._driver.machine.command, command))
        match command:
            case Pause():
                outcome = self._paused(command, journal)
            case Resume():
                journal.set_note(PAUSED_UNTIL, "0")
                self._note(f"{command.by} lets signals sound again")
                outcome = Outcome(done=True, sentence=f"signals {'sound again' if was_paused else 'were not paused'}")
            case Acknowledge():
                outcome = _acknowledged(command, before, transitions)
                in_vain = "" if outcome.done else f": {outcome.sentence}"
                self._note(f"{command.by} acknowledges {command.alarm_id or 'all that is open'}{in_vain}")
            case SelfTest():
                outcome = self._start_self_test(command)
            case Reload():
                outcome = self._start_reload(command, journal)
            case SetSensitivity():
                is_known = (command.model, command.label) in self._sensitivities.values
                outcome = Outcome(is_known, self._sensitivities.set(command, journal))
                self._note(outcome.sentence)
            case MeasureRoom() | PushReport():
                outcome = Outcome(done=False, sentence="this is no command to the machine of alarms")
            case ListenIn():
                outcome = Outcome(done=True, sentence=_listening(command))
                self._note(f"{command.by} {outcome.sentence}")
            case SetMode():
                outcome = self._schedule.set(command, journal)
                self._note(outcome.sentence)
        self._driver.publish_alarms()
        return outcome

    def _paused(self, command: Pause, journal: AlarmJournal) -> Outcome:
        clocks = self._timekeeper.clocks
        until_s = self._driver.machine.paused_until_s
        left_s = 0.0 if until_s is None else until_s - clocks.monotonic()
        until_utc_s = clocks.utc() + left_s
        journal.set_note(PAUSED_UNTIL, repr(until_utc_s))
        self._note(f"{command.by} pauses signals for {left_s:.0f} s")
        until = datetime.fromtimestamp(until_utc_s, UTC).astimezone(self._timekeeper.zone)
        shortened = f" (longest_pause_s in [alarms] allows {left_s:.0f} s)" if left_s < command.duration_s - 1.0 else ""
        return Outcome(done=True, sentence=f"nothing sounds until {until:%H:%M:%S}{shortened}; alarms are still sent")

    def _start_reload(self, command: Reload, journal: AlarmJournal) -> Outcome:
        if self._reload is None:
            return Outcome(done=False, sentence="this daemon cannot reload")
        self._note(f"{command.by} asks for a reload{command.why and f': {command.why}'}")
        if command.why:
            when = datetime.fromtimestamp(self._timekeeper.clocks.utc(), UTC)
            journal.set_note(MODEL_UPDATE, f"{when:%Y-%m-%dT%H:%M:%SZ} {command.by}: {command.why}")
        self._reload()
        return Outcome(done=True, sentence="configuration and models are read again; auricle status has the result")

    def _start_self_test(self, command: SelfTest) -> Outcome:
        if self._self_test is None:
            self._note(f"{command.by} asks for a self-test, of which this daemon has none")
            return Outcome(done=False, sentence="this daemon has no self-test")
        self._note(f"{command.by} asks for a self-test")
        self._self_test(command)
        return Outcome(done=True, sentence="a self-test begins; console and log have its result in a minute")


def _verb(command: Command) -> str:
    match command:
        case SelfTest():
            return "self_test"
        case SetSensitivity():
            return "sensitivity"
        case SetMode():
            return "mode"
        case ListenIn():
            return "listen_in"
    return type(command).__name__.lower()


def _listening(command: ListenIn) -> str:
    if command.begins:
        return "listens in"
    lost = f", and lost {command.lost_s:.1f} s of it" if command.lost_s >= 0.05 else ""
    return f"has listened in for {command.for_s:.0f} s{lost}"


def _acknowledged(command: Acknowledge, before: Sequence[Alarm], transitions: Sequence[Transition]) -> Outcome:
    """What became of an acknowledgement.

    Args:
        command: the acknowledgement.
        before: the alarms that were open.
        transitions: that it made.
    """
    seen = [_name(transition.alarm) for transition in transitions if transition.change == "acknowledged"]
    if seen:
        return Outcome(done=True, sentence=f"acknowledged: {listed(seen)}")
    if command.alarm_id is None:
        return Outcome(done=True, sentence="no alarm waits to be acknowledged")
    if any(alarm.alarm_id == command.alarm_id for alarm in before):
        return Outcome(done=True, sentence="it was acknowledged before")
    there = f"open: {listed([_name(alarm) for alarm in before])}" if before else "no alarm is open"
    return Outcome(done=False, sentence=f"no open alarm is {shown(command.alarm_id)}; {there}")


def _name(alarm: Alarm) -> str:
    return f"{alarm.name} ({alarm.model})" if alarm.model else alarm.name
