"""When the daily self-test is due."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, tzinfo


class DailyClock:
    """Says once a day that it is time.

    Args:
        at: HH:MM; None for never.
        zone: of the time; None for the machine's own.
        utc_s: now; where today's time is over, tomorrow's is the first.
    """

    def __init__(self, at: str | None, zone: tzinfo | None, utc_s: float) -> None:
        self._at = None if at is None else time.fromisoformat(at)
        self._zone = zone
        now = self._local(utc_s)
        self._done: date | None = now.date() if self._at is not None and now.time() >= self._at else None

    def __repr__(self) -> str:
        return f"DailyClock({self._at}, {self._zone or 'local'})"

    def due(self, utc_s: float) -> bool:
        """Whether it is time now; once a day, however the clock is set, and at once where it is set past it."""
        if self._at is None:
            return False
        now = self._local(utc_s)
        if now.time() < self._at or now.date() == self._done:
            return False
        self._done = now.date()
        return True

    def _local(self, utc_s: float) -> datetime:
        """The machine's own zone where none is named."""
        return datetime.fromtimestamp(utc_s, UTC).astimezone(self._zone)
