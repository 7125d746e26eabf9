"""Ranges of the day: past midnight, whole days, and what two have in common."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.daytime import DayRange

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
