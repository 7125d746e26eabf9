"""The hours of a day in which sounds have a lower priority. Pure; knows no time zone and no clock.

Minutes count from local midnight, 0 to 1439; the caller knows the zone.
"""

from __future__ import annotations

from typing import Self

from device.daytime import DayRange
from device.errors import ConfigError


class QuietHours(DayRange):
    """A range of the day, as they are configured."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse quiet hours as they are configured: `22:00-06:00`.

        Raises:
            ConfigError: the text is not a pair of clock times.
        """
        try:
            return super().parse(text)
        except ValueError:
            raise ConfigError(f"{text!r} are no quiet hours, they must be HH:MM-HH:MM, as in 22:00-06:00") from None

    def is_quiet(self, minute: int | None) -> bool:
        """Whether the minute lies within quiet hours; never if the time of day is unknown (None)."""
        return minute is not None and minute in self
