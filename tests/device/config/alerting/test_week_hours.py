"""Hours on days of the week: a year against a calendar that is painted; and what is refused, by name."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, get_args
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.alarms.label_modes import modes_at
from device.config.alerting.schedule_settings import ScheduleSettings
from device.config.alerting.week_hours import WEEK_RANGE, WEEKDAYS, week_range
from device.config.loading import parse_config
from device.errors import ConfigError
from device.messages import LabelMode
from device.runtime.clocks import Clocks, Timekeeper

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

MODES: tuple[LabelMode, ...] = get_args(LabelMode)
FIRST = date(2026, 1, 1)
DAYS = 365
YEAR = timedelta(days=DAYS)
ZONES = ("UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kolkata")
"""Lord Howe changes its clocks by half an hour."""


class Entry(NamedTuple):
    """Hours as the test draws them: minutes from midnight of each of these days."""

    mode: LabelMode
    days: tuple[int, ...] | None
    begin: int
    end: int

    def written(self) -> str:
        hours = "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (self.begin, self.end))
        return hours if self.days is None else f"{','.join(WEEKDAYS[day] for day in self.days)} {hours}"


_DAY_SETS = st.none() | st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True).map(tuple)
_MINUTES = st.integers(0, 1439)
_ENTRIES = st.lists(
    st.builds(Entry, st.sampled_from(MODES), _DAY_SETS, _MINUTES, _MINUTES),
    min_size=1,
    max_size=4,
    unique_by=lambda entry: (entry.mode, entry.written()),
)


def _painted(entries: Iterable[Entry]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """The year's local minutes, painted day by day: how many entries each has, and the last one's mode."""
    counts = np.zeros(1440 * (DAYS + 4), dtype=np.int8)  # from two days before the year to two days after
    modes = np.full(len(counts), -1, dtype=np.int8)
    for entry in entries:
        minutes = (entry.end - entry.begin) % 1440 or 1440
        for day in range(DAYS + 3):
            weekday = (FIRST + timedelta(days=day - 2)).weekday()
            if entry.days is None or weekday in entry.days:
                begin = 1440 * day + entry.begin
                counts[begin : begin + minutes] += 1
                modes[begin : begin + minutes] = MODES.index(entry.mode)
    return counts[1440:-1440], modes


def _settings(entries: Iterable[Entry], otherwise: LabelMode = "alarm") -> ScheduleSettings:
    alarm, log, off = (tuple(each.written() for each in entries if each.mode == mode) for mode in MODES)
    return ScheduleSettings("cry", alarm=alarm, log=log, off=off, otherwise=otherwise)


def _expected(modes: NDArray[np.int8], moment: datetime, zone: str, otherwise: LabelMode) -> LabelMode:
    """The mode that is painted where a clock on the wall stands."""
    wall = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    since = wall - datetime.combine(FIRST - timedelta(days=2), datetime.min.time())
    found = modes[int(since.total_seconds()) // 60]
    return otherwise if found < 0 else MODES[found]


def _actual(settings: ScheduleSettings, moment: datetime, zone: str) -> LabelMode:
    clocks = Clocks(lambda: 0.0, moment.timestamp)
    keeper = Timekeeper(clocks, is_synchronized=lambda: True, zone=ZoneInfo(zone))
    return modes_at(keeper.week_minute(), [settings], {})["cry"].mode


def _toml(settings: ScheduleSettings) -> str:
    keys = (f"{mode} = [{', '.join(map(repr, getattr(settings, mode)))}]" for mode in MODES)
    return "\n".join(["[schedule.cry]", *keys, f"otherwise = '{settings.otherwise}'"])


@given(_ENTRIES, st.sampled_from(MODES), st.sampled_from(ZONES), st.lists(st.integers(0, 1440 * DAYS - 1), min_size=20))
def test_every_moment_has_the_one_mode_of_a_calendar_or_the_file_is_refused(
    entries: list[Entry], otherwise: LabelMode, zone: str, minutes: list[int]
) -> None:
    counts, modes = _painted(entries)
    settings = _settings(entries, otherwise)
    if counts.max() > 1:
        with pytest.raises(ConfigError, match="overlap"):
            parse_config(_toml(settings), source="a.toml")
        return
    for minute in minutes:
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute, seconds=59)
        assert _actual(settings, moment, zone) == _expected(modes, moment, zone, otherwise), moment
    parse_config(_toml(settings), source="a.toml")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe"])
def test_each_quarter_of_an_hour_of_a_year_has_the_mode_of_the_calendar(zone: str) -> None:
    entries = [
        Entry("log", (0, 1, 2, 3, 4), 9 * 60, 16 * 60 + 30),
        Entry("off", (4,), 22 * 60, 6 * 60),
        Entry("alarm", (6, 0), 23 * 60, 2 * 60 + 15),
        Entry("off", (5,), 10 * 60, 10 * 60),
    ]
    counts, modes = _painted(entries)
    assert counts.max() == 1
    settings = _settings(entries, "log")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for quarter in range(96 * DAYS):
        moment = start + timedelta(minutes=15 * quarter)
        assert _actual(settings, moment, zone) == _expected(modes, moment, zone, "log"), moment


@given(_ENTRIES, _ENTRIES)
def test_two_ranges_overlap_where_they_have_a_minute_of_the_week_in_common(
    ones: list[Entry], others: list[Entry]
) -> None:
    one, other = week_range(ones[0].written()), week_range(others[0].written())
    in_common = any(minute in one and minute in other for minute in range(7 * 1440))
    assert one.overlaps(other) == other.overlaps(one) == in_common


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("22:00-06:00", "mon tue wed thu fri sat sun"),
        ("mon-fri 22:00-06:00", "mon tue wed thu fri"),
        ("fri-mon 22:00-06:00", "mon fri sat sun"),
        ("sun-sat 22:00-06:00", "mon tue wed thu fri sat sun"),
        ("sat,sun 22:00-06:00", "sat sun"),
        ("mon-tue, thu 22:00-06:00", "mon tue thu"),
    ],
)
def test_days_are_named_singly_or_from_one_to_another_over_the_end_of_the_week(text: str, days: str) -> None:
    assert week_range(text).days == frozenset(map(WEEKDAYS.index, days.split()))
    assert re.fullmatch(WEEK_RANGE, text), "the schema for editors accepts it, too"


def test_hours_past_midnight_belong_to_the_day_on_which_they_begin() -> None:
    night = week_range("sun 22:00-06:00")
    days_and_hours = [(6, 21), (6, 22), (0, 5), (0, 6), (0, 22), (6, 5)]
    inside = [1440 * day + 60 * hour + 59 in night for day, hour in days_and_hours]
    assert inside == [False, True, True, False, False, False]


def test_the_same_minute_twice_is_24_hours_from_that_day_on() -> None:
    assert [minute for minute in range(7 * 1440) if minute in week_range("sat 00:00-00:00")] == [
        *range(5 * 1440, 6 * 1440)
    ]
    assert sum(minute in week_range("sun 06:00-06:00") for minute in range(7 * 1440)) == 1440
    assert 6 * 60 - 1 in week_range("sun 06:00-06:00"), "Monday before six"


_ONE_OF = 'write mon, tue, wed, thu, fri, sat or sun, or several as "mon-fri" or "sat,sun"'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Mon 07:00-09:00", '"Mon" in "Mon 07:00-09:00" is no day; write mon'),
        ("monday-fri 07:00-09:00", '"monday" in "monday-fri 07:00-09:00" is no day; write mon'),
        ("mon-fry 07:00-09:00", f'"fry" in "mon-fry 07:00-09:00" is no day; {_ONE_OF}'),
        ("mo 07:00-09:00", f'"mo" in "mo 07:00-09:00" is no day; {_ONE_OF}'),
        ("mon/tue 07:00-09:00", f'"mon/tue" in "mon/tue 07:00-09:00" is no day; {_ONE_OF}'),
        ("weekend 07:00-09:00", f'"weekend" in "weekend 07:00-09:00" is no day; {_ONE_OF}'),
        ("mon- 07:00-09:00", f'"" in "mon- 07:00-09:00" is no day; {_ONE_OF}'),
        ("mon,,tue 07:00-09:00", f'"" in "mon,,tue 07:00-09:00" is no day; {_ONE_OF}'),
        ("mon  07:00-09:00", '"mon " in "mon  07:00-09:00" is no day; write mon'),
        ("mon-mon 07:00-09:00", '"mon-mon" in "mon-mon 07:00-09:00" ends on the day on which it begins; write mon'),
        ("mon-wed,tue 07:00-09:00", '"mon-wed,tue 07:00-09:00" has a day twice; name each once'),
        (" 07:00-09:00", '" 07:00-09:00" begins with a space; leave it out'),
        ("mon-fri", '"mon-fri" has no hours as "22:00-06:00" at its end'),
        ("07:00-09:00 mon", '"07:00-09:00 mon" has no hours as "22:00-06:00" at its end'),
        ("mon 7-9", '"mon 7-9" has no hours as "22:00-06:00" at its end'),
        ("07:0२-09:00", '"07:0२-09:00" has no hours as "22:00-06:00" at its end'),
        ("mon\t07:00-09:00", '"mon\\t07:00-09:00" has no hours as "22:00-06:00" at its end'),
        ("", '"" has no hours as "22:00-06:00" at its end'),
    ],
)
def test_what_is_wrong_is_named_with_file_line_and_key_and_what_would_work(text: str, sentence: str) -> None:
    escaped = text.replace("\t", "\\t")
    config = f'[schedule.cry]\notherwise = "log"\noff = ["12:00-13:00", "{escaped}"]'
    with pytest.raises(ConfigError) as caught:
        parse_config(config, source="a.toml")
    must = '"off" in [schedule.cry] is an array, must be an array of hours'
    assert str(caught.value).startswith(f"a.toml, line 3: {must}")
    assert str(caught.value).endswith(f"of which no two overlap; {sentence}")


@given(st.text() | st.from_regex(WEEK_RANGE, fullmatch=True))
def test_whatever_is_written_is_parsed_or_refused_in_one_line(text: str) -> None:
    try:
        range_ = week_range(text)
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017  # either is right
    else:
        assert range_.days
        assert re.fullmatch(WEEK_RANGE, text), "the schema for editors accepts what the daemon does"


def test_a_value_that_is_no_text_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'line 2: "log" in \[schedule.cry\] is an array'):
        parse_config("[schedule.cry]\nlog = [7]", source="a.toml")
