"""Whether alarms reach phones, as the daemon knows it: from what `auricle push` reports, and from its silence. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.daemon.alerting.faults.delivery_faults import DebouncedFault
from device.quantity import quantity

if TYPE_CHECKING:
    from device.commands import PushReport
    from device.daemon.alerting.faults.delivery_faults import FaultChange

SILENT_AFTER_S = 60.0
"""`auricle push` reports every 5 s; a restart is over by then."""

CLEAR_AFTER_S = 10.0


class PushWatch:
    """Judges the reports of one push process.

    Args:
        now_s: monotonic; silence counts from here.
    """

    def __init__(self, now_s: float) -> None:
        self._report: PushReport | None = None
        self._heard_s = now_s
        self._is_wanted = False
        self._fault = DebouncedFault(
            "push", raise_after_s=0.0, clear_after_s=CLEAR_AFTER_S, cleared="alarms reach phones again"
        )

    def __repr__(self) -> str:
        return f"PushWatch({self._report!r})"

    def receive(self, report: PushReport, now_s: float) -> None:
        """A report has come."""
        self._report, self._heard_s = report, now_s

    def update(self, now_s: float, *, is_wanted: bool) -> FaultChange | None:
        """The fault, if it begins or is over now.

        Args:
            now_s: monotonic.
            is_wanted: whether the configuration has somebody to notify.
        """
        if is_wanted and not self._is_wanted:
            self._heard_s = now_s  # a reload has just asked for it
        self._is_wanted = is_wanted
        problem = self._problem(now_s) if is_wanted else ""
        return self._fault.update(now_s, now_s if problem else None, problem)

    def summary(self, now_s: float) -> str | None:
        """One line for the status; None if nobody is to be notified."""
        if not self._is_wanted:
            return None
        if self._is_silent(now_s):
            return f"NOT running: auricle push has not reported for {now_s - self._heard_s:.0f} s"
        if self._report is None:
            return "auricle push has not reported yet"
        owed = quantity(self._report.owed, "change of an alarm is", "changes of alarms are")
        state = f"{quantity(self._report.rules, 'rule')}, {owed if self._report.owed else 'nothing is'} owed"
        return f"{state}; {self._report.fault}" if self._report.fault else state

    def _problem(self, now_s: float) -> str:
        if self._is_silent(now_s):
            return f"auricle push has not reported for {now_s - self._heard_s:.0f} s: it does not run, or hangs"
        return "" if self._report is None else self._report.fault

    def _is_silent(self, now_s: float) -> bool:
        return now_s - self._heard_s >= SILENT_AFTER_S
