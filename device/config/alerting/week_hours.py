"""Hours as a configuration writes them, on every day or on some days of the week, and which minutes they are.

Days and minutes are those that clocks on the wall show. Hours that pass midnight belong to the day on which they begin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from device.config.wording import alternatives, shown
from device.daytime import DAY_MINUTES, DAY_RANGE, DayRange

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Days of the week as they are written, in the order of `datetime.weekday`."""

_DAY = f"({'|'.join(WEEKDAYS)})"
_DAYS = f"{_DAY}(-{_DAY})?"

WEEK_RANGE = f"({_DAYS}(, ?{_DAYS})* )?{DAY_RANGE}"
"""HH:MM-HH:MM on every day, or behind the days on which it begins."""


@dataclass(frozen=True, slots=True)
class WeekRange:
    """Hours that begin on some days of the week; those past midnight end on the day after.

    Attributes:
        days: on which it begins, 0 (Monday) to 6.
        hours: from the first minute to the last; the same minute twice makes 24 hours.
    """

    days: frozenset[int]
    hours: DayRange

    def __contains__(self, week_minute: int) -> bool:
        """Whether a minute from local midnight of Monday, 0 to 10,079, lies in it."""
        day, minute = divmod(week_minute, DAY_MINUTES)
        if minute not in self.hours:
            return False
        began_before = self.hours.begin_minute >= self.hours.end_minute and minute < self.hours.end_minute
        return (day - began_before) % len(WEEKDAYS) in self.days

    def overlaps(self, other: WeekRange) -> bool:
        """Whether both have a minute of the week in common."""
        return any(minute in other for minute in self._begins()) or any(minute in self for minute in other._begins())

    def _begins(self) -> tuple[int, ...]:
        return tuple(DAY_MINUTES * day + self.hours.begin_minute for day in self.days)


@lru_cache(maxsize=256)
def week_range(text: str) -> WeekRange:
    """Parse hours as they are written: `22:00-06:00` for every day, `mon-fri 22:00-06:00`, `sat,sun 00:00-00:00`.

    Raises:
        ValueError: the text is none; the message says which part of it, and what would work.
    """
    days, _, hours = text.rpartition(" ")
    if re.fullmatch(DAY_RANGE, hours) is None:
        raise ValueError(f'{shown(text)} has no hours as "22:00-06:00" at its end')
    if not days:
        if hours != text:
            raise ValueError(f"{shown(text)} begins with a space; leave it out")
        return WeekRange(frozenset(range(len(WEEKDAYS))), DayRange.parse(hours))
    found = [day for part in re.split(", ?", days) for day in _days(part, text)]
    if len(set(found)) < len(found):
        raise ValueError(f"{shown(text)} has a day twice; name each once")
    return WeekRange(frozenset(found), DayRange.parse(hours))


def _days(part: str, text: str) -> list[int]:
    """Days of `mon` or `mon-fri`, which may pass the end of the week: `sat-mon`."""
    first, dash, last = part.partition("-")
    begin = _weekday(first, text)
    if not dash:
        return [begin]
    length = (_weekday(last, text) - begin) % len(WEEKDAYS)
    if length == 0:
        raise ValueError(f"{shown(part)} in {shown(text)} ends on the day on which it begins; write {first}")
    return [(begin + offset) % len(WEEKDAYS) for offset in range(length + 1)]


def _weekday(word: str, text: str) -> int:
    if word in WEEKDAYS:
        return WEEKDAYS.index(word)
    meant = word.strip().lower()
    cure = f'{alternatives(WEEKDAYS)}, or several as "mon-fri" or "sat,sun"'
    if meant.isalpha() and meant[:3] in WEEKDAYS:
        cure = meant[:3]
    raise ValueError(f"{shown(word)} in {shown(text)} is no day; write {cure}")
