"""Monotonic clock, time of day, and the quality of the time of day.

Durations are measured with the monotonic clock. Published times are times of day, with their quality. Knows no alarm.
"""

from __future__ import annotations

import time
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from device.daytime import DAY_MINUTES
from device.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from device.messages import TimeQuality

STEPPED_S = 2.0
"""A time of day that moved by more than this against the monotonic clock was stepped, not slewed."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Both clocks, in seconds: monotonic, and UTC since the epoch."""

    monotonic: Callable[[], float]
    utc: Callable[[], float]


def zone_of(name: str | None) -> tzinfo | None:
    """The configured time zone; None for the machine's own.

    Raises:
        ConfigError: there is no zone of that name.
    """
    if name is None:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        raise ConfigError(
            f'"time_zone" in [alarms] is "{name}", which is no zone; one is "Europe/Berlin", or "UTC"',
            key=("alarms", "time_zone"),
        ) from None


class Timekeeper:
    """The time of day, its quality, and the local minute.

    Args:
        clocks: both clocks.
        is_synchronized: whether the system clock is synchronized; called often, so it must not wait for a disk.
        zone: of the local minute; None for the machine's own.
        stream_speed: seconds of the stream in one second; 1 for a microphone.
    """

    def __init__(
        self,
        clocks: Clocks,
        *,
        is_synchronized: Callable[[], bool],
        zone: tzinfo | None = None,
        stream_speed: float = 1.0,
    ) -> None:
        self.clocks = clocks
        self.zone = zone
        self.stream_speed = stream_speed
        self._is_synchronized = is_synchronized

    def __repr__(self) -> str:
        return f"Timekeeper({'synchronized' if self.is_synchronized else 'unsynchronized'}, {self.zone or 'local'})"

    @property
    def is_synchronized(self) -> bool:
        """Whether the system clock is synchronized, so that the time of day can be trusted."""
        return self._is_synchronized()

    @property
    def offset_s(self) -> float:
        """Time of day minus monotonic time; it changes when the system clock is stepped."""
        return self.clocks.utc() - self.clocks.monotonic()

    def ago_s(self, at_s: float, newest_s: float) -> float:
        """Seconds since a second of the stream was captured.

        Args:
            at_s: second of the stream.
            newest_s: second of the stream that is captured now.
        """
        return max(0.0, newest_s - at_s) / self.stream_speed

    def quality(self, offset_s: float) -> TimeQuality:
        """Quality of a time of day that was read at this offset, as seen now."""
        if abs(self.offset_s - offset_s) > STEPPED_S:
            return "stepped"
        return "synchronized" if self.is_synchronized else "unsynchronized"

    def local_minute(self) -> int | None:
        """Minutes since local midnight; None while the time of day cannot be trusted."""
        week_minute = self.week_minute()
        return None if week_minute is None else week_minute % DAY_MINUTES

    def week_minute(self) -> int | None:
        """Minutes since local midnight of Monday, 0 to 10,079; None while the time of day cannot be trusted."""
        if not self.is_synchronized:
            return None
        utc_s = self.clocks.utc()
        if self.zone is None:
            local = time.localtime(utc_s)
            return DAY_MINUTES * local.tm_wday + 60 * local.tm_hour + local.tm_min
        local_time = datetime.fromtimestamp(utc_s, UTC).astimezone(self.zone)
        return DAY_MINUTES * local_time.weekday() + 60 * local_time.hour + local_time.minute
