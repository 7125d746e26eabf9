"""What a journal that was just opened brings back after a restart: open alarms, and a pause of signals."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from device.commands import Pause
from device.daemon.alerting.alarm_json import read_alarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from device.daemon.alerting.alarm_json import StoredAlarm
    from device.daemon.alerting.machine_driver import MachineDriver
    from device.daemon.delivery.journal_messages import JournalOpened
    from device.runtime.clocks import Clocks

PAUSED_UNTIL = "paused_until_utc_s"
"""Key of the journal note that makes a pause outlive a restart."""

_MAX_CHANGES_PER_S = 10


class JournalRestore:
    """Restores alarms and pause once, from the first journal that is opened.

    Args:
        driver: steps the machine.
        clocks: both.
        note: records one sentence about an alarm that cannot be restored.

    Attributes:
        is_done: a journal opened later, after a reload, holds nothing that the machine does not.
    """

    def __init__(self, driver: MachineDriver, *, clocks: Clocks, note: Callable[[str], None]) -> None:
        self.is_done = False
        self._driver = driver
        self._clocks = clocks
        self._note = note

    def __repr__(self) -> str:
        return f"JournalRestore({'done' if self.is_done else 'pending'})"

    def restore(self, opened: JournalOpened) -> None:
        """Restore the open alarms, then the pause; nothing if that was done before."""
        if self.is_done:
            return
        self.is_done = True
        utc_s = self._clocks.utc()
        self._restore_alarms(list(self._readable(opened.open_alarms, utc_s)))
        self._restore_pause(pause_left_s(opened.notes.get(PAUSED_UNTIL), utc_s))

    def _readable(self, texts: Iterable[tuple[str, int]], utc_s: float) -> Iterator[StoredAlarm]:
        """Each alarm with a seq that no transition before the restart can have used."""
        for text, seq in texts:
            try:
                stored = read_alarm(text, seq)
            except ValueError as error:
                self._note(f"an alarm that was open cannot be taken up: {error}")
                continue
            yield replace(stored, seq=seq + skipped_seqs(stored.start_utc_s, utc_s))

    def _restore_alarms(self, restored: list[StoredAlarm]) -> None:
        for stored in restored:
            self._driver.entries.remember_start(stored.alarm.alarm_id, stored.start_utc_s)
        alarms = [(stored.alarm, stored.seq) for stored in restored]
        self._driver.step(partial(self._driver.machine.restore, alarms))

    def _restore_pause(self, left_s: float) -> None:
        if left_s > 0:
            self._driver.step(partial(self._driver.machine.command, Pause(left_s, "restart")))
            self._driver.publish_alarms()


def skipped_seqs(start_utc_s: float | None, utc_s: float) -> int:
    """Sequence numbers to leave out beside the machine's own, more with every restart.

    Two things leave the next start with the same last seq: transitions that were published from memory while the
    disk accepted nothing, and entries lost to damage. Only time tells such starts apart. No alarm changes ten times
    a second.

    Args:
        start_utc_s: when the alarm's cause began; None if unknown.
        utc_s: now.
    """
    return 0 if start_utc_s is None else max(0, round(_MAX_CHANGES_PER_S * (utc_s - start_utc_s)))


def pause_left_s(note: str | None, utc_s: float) -> float:
    """How long signals stay paused, from the journal's note; 0 or less if they are not, or the note is malformed."""
    try:
        return float(note or 0.0) - utc_s
    except ValueError:
        return 0.0
