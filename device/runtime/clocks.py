"""Both clocks, and how far the time of day can be believed.

Inside, all is timed by a clock that never jumps; the time of day is attached to what is told, with its quality.
Knows no alarm.
"""

from __future__ import annotations

import time
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from device.errors import ConfigError
from device.runtime.kernel_clock import clock_is_synchronized

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from device.messages import TimeQuality

STEPPED_S = 2.0
"""A time of day that moved by more than this against the clock that never jumps was set, not slewed."""

ASKED_EVERY_S = 5.0
"""The kernel is asked so often whether its time of day is synchronized."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Both clocks, in seconds: one that never jumps, and the time of day."""

    monotonic: Callable[[], float]
    utc: Callable[[], float]


def zone_of(name: str | None) -> tzinfo | None:
    """The zone that is configured; None for the machine's own.

    Raises:
        ConfigError: there is none of that name.
    """
    if name is None:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        raise ConfigError(
            f'"time_zone" in [alarms] is "{name}", which is no zone; one is "Europe/Berlin", or "UTC"'
        ) from None


class Timekeeper:
    """The time of day, its quality, and the minute on the wall.

    Args:
        clocks: both.
        zone: of the minute on the wall; None for the machine's own.
        is_synchronized: whether the time of day can be believed; asked every few seconds.
    """

    def __init__(
        self,
        clocks: Clocks,
        *,
        zone: tzinfo | None = None,
        is_synchronized: Callable[[], bool] = clock_is_synchronized,
    ) -> None:
        self.clocks = clocks
        self.zone = zone
        self._ask = is_synchronized
        self._asked_s = float("-inf")
        self._synchronized = False

    def __repr__(self) -> str:
        return f"Timekeeper({'synchronized' if self.is_synchronized else 'unsynchronized'}, {self.zone or 'local'})"

    @property
    def is_synchronized(self) -> bool:
        """Whether the time of day can be believed."""
        now_s = self.clocks.monotonic()
        if now_s - self._asked_s >= ASKED_EVERY_S:
            self._asked_s = now_s
            self._synchronized = self._ask()
        return self._synchronized

    @property
    def offset_s(self) -> float:
        """Time of day less the clock that never jumps: it changes where the time of day is set."""
        return self.clocks.utc() - self.clocks.monotonic()

    def quality(self, offset_s: float) -> TimeQuality:
        """How good times of day are that were taken at this offset, and now."""
        if abs(self.offset_s - offset_s) > STEPPED_S:
            return "stepped"
        return "synchronized" if self.is_synchronized else "unsynchronized"

    def local_minute(self) -> int | None:
        """Minutes since local midnight; None while the time of day is not to be believed."""
        if not self.is_synchronized:
            return None
        utc_s = self.clocks.utc()
        if self.zone is None:
            local = time.localtime(utc_s)
            return 60 * local.tm_hour + local.tm_min
        there = datetime.fromtimestamp(utc_s, UTC).astimezone(self.zone)
        return 60 * there.hour + there.minute
