"""When the daily self-test is due, however the clock is set."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, tzinfo


class DailyClock:
    """Reports once a day that the self-test is due.

    Args:
        at: HH:MM; None for never.
        zone: of the time; None for the machine's own.
        utc_s: now; if today's time has passed, tomorrow's is the first.
    """

    def __init__(self, at: str | None, zone: tzinfo | None, utc_s: float) -> None:
        self._at = None if at is None else time.fromisoformat(at)
        self._zone = zone
        now = self._local(utc_s)
        self._last_due: date | None = now.date() if self._at is not None and now.time() >= self._at else None

    def __repr__(self) -> str:
        return f"DailyClock({self._at}, {self._zone or 'local'})"

    def due(self, utc_s: float) -> bool:
        """Whether the test is due: true once a day, also if the clock is set forward past the time."""
        if self._at is None:
            return False
        now = self._local(utc_s)
        if now.time() < self._at or now.date() == self._last_due:
            return False
        self._last_due = now.date()
        return True

    def _local(self, utc_s: float) -> datetime:
        """Local time, in the machine's own zone if none is given."""
        return datetime.fromtimestamp(utc_s, UTC).astimezone(self._zone)
