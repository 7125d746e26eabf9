"""Which alarms somebody is notified of. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from device.config.push.notify_settings import NotifySettings
    from device.push.owed.alarm_change import AlarmChange

ABSENCE = "daemon"
"""Name of the fault that push raises itself: the daemon does not answer. Whoever wants any fault is notified of it."""


@dataclass(frozen=True, slots=True)
class NotifyRule:
    """One `[[notify]]` table, as a question about changes of alarms."""

    settings: NotifySettings

    @property
    def name(self) -> str:
        """Of the table."""
        return self.settings.name

    @property
    def after_s(self) -> float:
        """How long an alarm must have gone unacknowledged."""
        return 60.0 * self.settings.after_min

    def matches(self, change: AlarmChange) -> bool:
        """Whether an alarm in this state is one to be notified of; quiet hours have lowered its priority already."""
        if change.priority not in self.settings.priorities:
            return False
        if change.kind == "sound":
            return self.settings.labels is None or change.name in self.settings.labels
        faults = self.settings.faults
        return faults is None or change.name in faults or (change.name == ABSENCE and bool(faults))
