"""What a journal that was just opened brings back after a restart: open alarms, and a pause of signals."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from device.commands import Pause
from device.daemon.alerting.alarm_json import read_acknowledger, read_alarm
from device.daemon.alerting.epoch import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from device.daemon.alerting.alarm_json import StoredAlarm
    from device.daemon.alerting.epoch import Epoch
    from device.daemon.alerting.machine_driver import MachineDriver
    from device.daemon.delivery.channels import AlarmJournal
    from device.daemon.delivery.journal_messages import JournalOpened
    from device.runtime.clocks import Clocks

PAUSED_UNTIL = "paused_until_utc_s"
"""Key of the journal note that makes a pause outlive a restart."""


class JournalRestore:
    """Restores alarms and pause once, from the first journal that is opened.

    Args:
        driver: steps the machine.
        clocks: both.
        epoch: of this start.
        note: records one sentence about an alarm that cannot be restored.

    Attributes:
        is_done: a journal opened later, after a reload, holds nothing that the machine does not.
    """

    def __init__(self, driver: MachineDriver, *, clocks: Clocks, epoch: Epoch, note: Callable[[str], None]) -> None:
        self.is_done = False
        self._driver = driver
        self._epoch = epoch
        self._clocks = clocks
        self._note = note

    def __repr__(self) -> str:
        return f"JournalRestore({'done' if self.is_done else 'pending'})"

    def restore(self, opened: JournalOpened, journal: AlarmJournal) -> None:
        """Restore the open alarms, then the pause; nothing if that was done before.

        Args:
            opened: what the journal holds.
            journal: to note the epoch in.
        """
        if self.is_done:
            return
        self.is_done = True
        utc_s = self._clocks.utc()
        epoch = self._epoch.after(opened.notes.get(EPOCH))
        journal.set_note(EPOCH, str(epoch.number))
        seen = {key: read_acknowledger(body) for key, body in opened.acknowledgements.items()}
        self._restore_alarms(list(self._readable(opened.open_alarms, epoch)), seen)
        self._restore_pause(pause_left_s(opened.notes.get(PAUSED_UNTIL), utc_s))

    def _readable(self, texts: Iterable[tuple[str, int]], epoch: Epoch) -> Iterator[StoredAlarm]:
        """Each alarm with a seq that no transition before the restart can have used."""
        for text, seq in texts:
            try:
                stored = read_alarm(text, seq)
            except ValueError as error:
                self._note(f"an alarm that was open cannot be taken up: {error}")
                continue
            yield replace(stored, seq=epoch.continue_seq(seq))

    def _restore_alarms(self, restored: list[StoredAlarm], seen: Mapping[str, str | None]) -> None:
        for stored in restored:
            by = seen.get(stored.alarm.alarm_id) if stored.alarm.acknowledged else None
            self._driver.entries.remember_start(stored.alarm.alarm_id, stored.start_utc_s, acknowledged_by=by)
        alarms = [(stored.alarm, stored.seq) for stored in restored]
        self._driver.step(partial(self._driver.machine.restore, alarms))
        self._driver.publish_alarms()  # one that was acknowledged may be open without a transition

    def _restore_pause(self, left_s: float) -> None:
        if left_s > 0:
            self._driver.step(partial(self._driver.machine.command, Pause(left_s, "restart")))
            self._driver.publish_alarms()


def pause_left_s(note: str | None, utc_s: float) -> float:
    """How long signals stay paused, from the journal's note; 0 or less if they are not, or the note is malformed."""
    try:
        return float(note or 0.0) - utc_s
    except ValueError:
        return 0.0
