"""Ranges of the day: past midnight, whole days, and what two have in common; and where a night begins."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.daytime import DayRange, noon_before

_minutes = st.integers(0, 1439)
_ranges = st.builds(DayRange, _minutes, _minutes)


@given(_ranges, _ranges)
def test_two_ranges_overlap_where_they_have_a_minute_in_common(one: DayRange, other: DayRange) -> None:
    in_common = any(minute in one and minute in other for minute in range(1440))
    assert one.overlaps(other) == other.overlaps(one) == in_common


@pytest.mark.parametrize("text", ["", "22-6", "24:00-06:00", "22:00-06:00 ", "22:00", "2२:00-06:00"])
def test_anything_else_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match="is no range of the day"):
        DayRange.parse(text)


@pytest.mark.parametrize(
    ("zone", "moment", "noon"),
    [
        ("UTC", "2026-11-21T11:59:59Z", "2026-11-20T12:00:00Z"),
        ("UTC", "2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z"),
        ("America/New_York", "2026-11-21T03:00:00Z", "2026-11-20T17:00:00Z"),
        ("Pacific/Auckland", "2026-11-21T03:00:00Z", "2026-11-20T23:00:00Z"),
        ("Europe/Berlin", "2026-10-25T10:59:59Z", "2026-10-24T10:00:00Z"),
    ],
)
def test_a_night_begins_at_the_newest_noon_of_the_zone(zone: str, moment: str, noon: str) -> None:
    at_s, expected_s = (datetime.fromisoformat(each).timestamp() for each in (moment, noon))
    assert noon_before(at_s, ZoneInfo(zone)) == expected_s
