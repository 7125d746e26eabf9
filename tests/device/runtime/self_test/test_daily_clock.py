"""The daily self-test is due once a day, whatever happens to the clock."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import numpy as np

from device.runtime.self_test.daily_clock import DailyClock

_DAY_S = 86400.0
_MIDNIGHT_UTC_S = 1_795_219_200.0  # 2026-11-21T00:00Z


def _times_due(daily: DailyClock, begin_utc_s: float, end_utc_s: float) -> list[float]:
    seconds = np.arange(begin_utc_s, end_utc_s, 30.0)
    return [float(utc_s) for utc_s in seconds if daily.due(float(utc_s))]


def test_it_is_due_once_a_day_at_its_time() -> None:
    daily = DailyClock("12:00", UTC, _MIDNIGHT_UTC_S)
    due = _times_due(daily, _MIDNIGHT_UTC_S, _MIDNIGHT_UTC_S + 3 * _DAY_S)
    assert due == [_MIDNIGHT_UTC_S + (day + 0.5) * _DAY_S for day in range(3)]


def test_the_time_is_that_of_the_zone() -> None:
    daily = DailyClock("12:00", ZoneInfo("Europe/Berlin"), _MIDNIGHT_UTC_S)
    assert _times_due(daily, _MIDNIGHT_UTC_S, _MIDNIGHT_UTC_S + _DAY_S) == [_MIDNIGHT_UTC_S + 11 * 3600]


def test_a_start_after_its_time_waits_for_tomorrow() -> None:
    start_utc_s = _MIDNIGHT_UTC_S + 13 * 3600
    due = _times_due(DailyClock("12:00", UTC, start_utc_s), start_utc_s, start_utc_s + _DAY_S)
    assert due == [_MIDNIGHT_UTC_S + 1.5 * _DAY_S]


def test_a_clock_that_is_set_past_its_time_makes_it_due_and_one_that_is_set_back_does_not_repeat_it() -> None:
    daily = DailyClock("12:00", UTC, _MIDNIGHT_UTC_S)
    noon_utc_s = _MIDNIGHT_UTC_S + 0.5 * _DAY_S
    assert not daily.due(noon_utc_s - 600)
    assert daily.due(noon_utc_s + 3000)
    assert not daily.due(noon_utc_s - 600)
    assert not daily.due(noon_utc_s + 10)


def test_an_hour_that_summer_time_leaves_out_is_not_left_out() -> None:
    spring_utc_s = 1_774_746_000.0 - 3600  # 2026-03-29T00:00Z; Berlin goes from 02:00 to 03:00 at 01:00Z
    daily = DailyClock("02:30", ZoneInfo("Europe/Berlin"), spring_utc_s)
    assert len(_times_due(daily, spring_utc_s, spring_utc_s + 0.9 * _DAY_S)) == 1


def test_never_is_never() -> None:
    assert not _times_due(DailyClock(None, None, _MIDNIGHT_UTC_S), _MIDNIGHT_UTC_S, _MIDNIGHT_UTC_S + 2 * _DAY_S)
