"""The hours of a day in which sounds have a lower priority. Pure; knows no time zone and no clock.

Minutes count from local midnight, 0 to 1439; the caller knows the zone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from device.errors import ConfigError

_CLOCK_TIME = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_HOURS = re.compile(f"{_CLOCK_TIME}-{_CLOCK_TIME}", re.ASCII)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one minute of the day up to, but not including, another; past midnight if the second is the earlier.

    Attributes:
        begin_minute: the first quiet one.
        end_minute: the first one after it that is not quiet; the same as `begin_minute` makes the whole day quiet.
    """

    begin_minute: int
    end_minute: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse quiet hours as they are configured: `22:00-06:00`.

        Raises:
            ConfigError: the text is not a pair of clock times.
        """
        match = _HOURS.fullmatch(text)
        if match is None:
            raise ConfigError(f"{text!r} are no quiet hours, they must be HH:MM-HH:MM, as in 22:00-06:00")
        begin_h, begin_min, end_h, end_min = map(int, match.groups())
        return cls(60 * begin_h + begin_min, 60 * end_h + end_min)

    def is_quiet(self, minute: int | None) -> bool:
        """Whether the minute lies within quiet hours; never if the time of day is unknown (None)."""
        if minute is None:
            return False
        if self.begin_minute < self.end_minute:
            return self.begin_minute <= minute < self.end_minute
        return minute >= self.begin_minute or minute < self.end_minute
