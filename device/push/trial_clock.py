"""When the daily trial of a `[[notify]]` table is due; which day it was done is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

    from device.config.push.notify_settings import NotifySettings
    from device.push.owed.receipt_store import ReceiptStore

DUE_FOR_MIN = 60
"""A trial that was missed for longer waits for the next day: nobody is woken by a test."""


class TrialClock:
    """The trials of all rules.

    Args:
        store: keeps the days.
        zone: of the configured times; None for the machine's own.
    """

    def __init__(self, store: ReceiptStore, zone: tzinfo | None) -> None:
        self._store = store
        self._zone = zone
        self._done: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"TrialClock({self._done})"

    def is_due(self, settings: NotifySettings, utc_s: float) -> bool:
        """Whether the trial of a rule is to be sent now."""
        if settings.test_at is None:
            return False
        local = self._local(utc_s)
        hours, minutes = map(int, settings.test_at.split(":"))
        since_min = 60 * (local.hour - hours) + local.minute - minutes
        return 0 <= since_min < DUE_FOR_MIN and self._day(settings.name) != f"{local:%Y-%m-%d}"

    def done(self, settings: NotifySettings, utc_s: float) -> None:
        """The trial of a rule was accepted today."""
        self._done[settings.name] = f"{self._local(utc_s):%Y-%m-%d}"
        self._store.set_note(f"trial {settings.name}", self._done[settings.name])

    def _day(self, name: str) -> str:
        if name not in self._done:
            self._done[name] = self._store.note(f"trial {name}")
        return self._done[name]

    def _local(self, utc_s: float) -> datetime:
        return datetime.fromtimestamp(utc_s, UTC).astimezone(self._zone)
