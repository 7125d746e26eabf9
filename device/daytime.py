"""The time of day: as it is written everywhere, in UTC, and as ranges of minutes from local midnight."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from datetime import tzinfo

CLOCK_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]"
"""HH:MM."""

DAY_RANGE = f"{CLOCK_TIME}-{CLOCK_TIME}"
"""HH:MM-HH:MM."""

DAY_MINUTES = 24 * 60

_FIRST_UTC_S = datetime(1, 2, 1, tzinfo=UTC).timestamp()
_LAST_UTC_S = datetime(9999, 12, 1, tzinfo=UTC).timestamp()


def utc_text(utc_s: float, timespec: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """Seconds since 1970-01-01 UTC -> `2026-11-21T02:14:07Z`, or with milliseconds; truncated, not rounded."""
    moment = datetime.fromtimestamp(utc_s, UTC)
    return f"{moment.replace(tzinfo=None).isoformat(timespec=timespec)}Z"


def within_years(utc_s: float) -> float:
    """Seconds since 1970-01-01 UTC -> the nearest ones that are a month from the ends of the calendar, 1 to 9999."""
    return min(max(utc_s, _FIRST_UTC_S), _LAST_UTC_S)


def noon_of(day: date, zone: tzinfo | None) -> float:
    """UTC seconds of the noon of a day; a zone of None is the machine's own."""
    noon = datetime(day.year, day.month, day.day, 12)  # noqa: DTZ001 - the zone follows
    return (noon.astimezone() if zone is None else noon.replace(tzinfo=zone)).timestamp()


def noon_before(utc_s: float, zone: tzinfo | None) -> float:
    """UTC seconds of the newest noon that is not after a moment: where its night begins."""
    day = datetime.fromtimestamp(within_years(utc_s), UTC).astimezone(zone).date()
    noon_utc_s = noon_of(day, zone)
    return noon_utc_s if noon_utc_s <= utc_s else noon_of(day - timedelta(days=1), zone)


@dataclass(frozen=True, slots=True)
class DayRange:
    """From one minute of the day up to, but not including, another; past midnight if the second is the earlier.

    Attributes:
        begin_minute: the first minute in it.
        end_minute: the first one after it; the same as `begin_minute` makes the whole day.
    """

    begin_minute: int
    end_minute: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a range as it is written: `22:00-06:00`.

        Raises:
            ValueError: the text is no pair of clock times.
        """
        if re.fullmatch(DAY_RANGE, text) is None:
            raise ValueError(f"{text!r} is no range of the day")
        return cls(60 * int(text[0:2]) + int(text[3:5]), 60 * int(text[6:8]) + int(text[9:11]))

    def __contains__(self, minute: int) -> bool:
        """Whether a minute from local midnight, 0 to 1439, lies in it."""
        if self.begin_minute < self.end_minute:
            return self.begin_minute <= minute < self.end_minute
        return minute >= self.begin_minute or minute < self.end_minute

    def overlaps(self, other: DayRange) -> bool:
        """Whether both have a minute in common."""
        return self.begin_minute in other or other.begin_minute in self
