"""Quiet hours: which minutes of a day are quiet, past midnight too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.alarms.quiet_hours import QuietHours
from device.errors import ConfigError

DAY = range(1440)
_minutes = st.integers(0, 1439)


def _text(begin: int, end: int) -> str:
    return f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"


def test_a_night_goes_past_midnight() -> None:
    night = QuietHours.parse("22:00-06:00")
    assert [minute for minute in DAY if night.is_quiet(minute)] == [*range(360), *range(1320, 1440)]


def test_a_nap_lies_within_a_day() -> None:
    nap = QuietHours.parse("12:30-14:00")
    assert [minute for minute in DAY if nap.is_quiet(minute)] == [*range(750, 840)]


@given(_minutes, _minutes)
def test_they_last_from_their_begin_to_just_before_their_end(begin: int, end: int) -> None:
    hours = QuietHours.parse(_text(begin, end))
    assert sum(hours.is_quiet(minute) for minute in DAY) == ((end - begin) % 1440 or 1440)
    assert hours.is_quiet(begin)
    assert hours.is_quiet((end - 1) % 1440)
    assert hours.is_quiet(end) == (begin == end)


@given(_minutes, _minutes)
def test_what_is_quiet_and_what_is_not_swap_with_begin_and_end(begin: int, end: int) -> None:
    hours, others = QuietHours(begin, end), QuietHours(end, begin)
    assert all(hours.is_quiet(minute) != others.is_quiet(minute) or begin == end for minute in DAY)


@given(_minutes, _minutes)
def test_nothing_is_quiet_while_nobody_knows_the_time(begin: int, end: int) -> None:
    assert not QuietHours(begin, end).is_quiet(None)


@pytest.mark.parametrize(
    "text",
    ["", "22-06", "22:00", "24:00-06:00", "22:60-06:00", "22:00-06:00 ", "22:00–06:00", "٢٢:٠٠-٠٦:٠٠", "22:00-06:00\n"],  # noqa: RUF001 - a dash and digits that only look right
)
def test_what_are_no_hours_is_refused_with_a_sentence_that_shows_some(text: str) -> None:
    with pytest.raises(ConfigError, match="as in 22:00-06:00"):
        QuietHours.parse(text)
