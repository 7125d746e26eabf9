"""Commands that people send, applied to the alarm machine, to the self-test and to the sensitivities, and noted.

Knows no way by which a command arrives.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from device.commands import Acknowledge, Pause, Resume, SelfTest, SetSensitivity
from device.daemon.alerting.restore import PAUSED_UNTIL

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.commands import Command
    from device.daemon.alerting.machine_driver import MachineDriver
    from device.daemon.alerting.sensitivities import Sensitivities
    from device.daemon.delivery.channels import AlarmJournal
    from device.runtime.clocks import Clocks


class CommandHandler:
    """Applies commands.

    Args:
        driver: steps the machine.
        clocks: both.
        note: records one sentence about what people asked for.
        self_test: starts a self-test; None if the daemon has none.
        sensitivities: of the models that listen.
    """

    def __init__(
        self,
        driver: MachineDriver,
        *,
        clocks: Clocks,
        note: Callable[[str], None],
        self_test: Callable[[SelfTest], None] | None,
        sensitivities: Sensitivities,
    ) -> None:
        self._driver = driver
        self._clocks = clocks
        self._note = note
        self._self_test = self_test
        self._sensitivities = sensitivities

    def __repr__(self) -> str:
        return f"CommandHandler({'without' if self._self_test is None else 'with'} a self-test)"

    def handle(self, command: Command, journal: AlarmJournal) -> None:
        """Apply a command; a pause and a sensitivity are kept in the journal, and outlive a restart."""
        self._driver.step(partial(self._driver.machine.command, command))
        match command:
            case Pause():
                self._note_pause(command, journal)
            case Resume():
                journal.set_note(PAUSED_UNTIL, "0")
                self._note(f"{command.by} lets signals sound again")
            case Acknowledge():
                self._note(f"{command.by} acknowledges {command.alarm_id or 'all that is open'}")
            case SelfTest():
                self._start_self_test(command)
            case SetSensitivity():
                self._note(self._sensitivities.set(command, journal))
        self._driver.publish_alarms()

    def _note_pause(self, command: Pause, journal: AlarmJournal) -> None:
        until_s = self._driver.machine.paused_until_s
        left_s = 0.0 if until_s is None else until_s - self._clocks.monotonic()
        journal.set_note(PAUSED_UNTIL, repr(self._clocks.utc() + left_s))
        self._note(f"{command.by} pauses signals for {left_s:.0f} s")

    def _start_self_test(self, command: SelfTest) -> None:
        if self._self_test is None:
            self._note(f"{command.by} asks for a self-test, of which this daemon has none")
        else:
            self._note(f"{command.by} asks for a self-test")
            self._self_test(command)
