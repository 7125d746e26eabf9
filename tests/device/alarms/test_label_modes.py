"""What a label does at each minute: hours past midnight, days of the week, a switch, days of 23 and 25 hours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.alarms.label_modes import ModeNow, modes_at
from device.config.alerting.schedule_settings import ScheduleSettings
from device.messages import LabelMode, ModeSwitch
from device.runtime.clocks import Clocks, Timekeeper

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY = ScheduleSettings("cry", alarm=("19:00-07:00",), log=("07:00-12:30", "14:00-19:00"), off=("12:30-14:00",))


def _mode(minute: int | None, settings: ScheduleSettings = DAY, **switches: ModeSwitch) -> ModeNow:
    return modes_at(minute, [settings], switches)["cry"]


@pytest.mark.parametrize(
    ("clock", "mode"),
    [
        ("00:00", "alarm"),
        ("06:59", "alarm"),
        ("07:00", "log"),
        ("12:29", "log"),
        ("12:30", "off"),
        ("13:59", "off"),
        ("14:00", "log"),
        ("19:00", "alarm"),
        ("23:59", "alarm"),
    ],
)
def test_a_range_begins_with_its_first_minute_and_ends_before_its_last(clock: str, mode: str) -> None:
    hours, minutes = map(int, clock.split(":"))
    assert _mode(60 * hours + minutes) == ModeNow(mode, "hours")  # type: ignore[arg-type]  # a mode


def test_a_label_without_a_schedule_is_not_among_them() -> None:
    assert modes_at(0, [], {}) == {}


def test_outside_of_all_ranges_it_does_what_the_rest_says() -> None:
    rest = ScheduleSettings("cry", alarm=("20:00-06:00",), otherwise="off")
    assert [_mode(minute, rest).mode for minute in (1199, 1200, 359, 360)] == ["off", "alarm", "alarm", "off"]
    assert _mode(700, ScheduleSettings("cry")).mode == "alarm"


def test_the_same_hour_twice_is_the_whole_day() -> None:
    whole = ScheduleSettings("cry", log=("06:00-06:00",))
    assert {_mode(minute, whole).mode for minute in range(1440)} == {"log"}


def test_hours_on_some_days_of_the_week_count_on_those_alone() -> None:
    work = ScheduleSettings("cry", log=("mon-fri 09:00-17:00",), off=("fri,sat 23:00-01:00",))
    noons = [_mode(1440 * day + 720, work).mode for day in range(7)]
    assert noons == ["log"] * 5 + ["alarm"] * 2
    after_midnight = [_mode(1440 * day, work).mode for day in range(7)]
    assert after_midnight == ["alarm"] * 5 + ["off"] * 2, "of the evening before"


@pytest.mark.parametrize(
    ("utc", "mode"),
    [
        (datetime(2026, 10, 24, 21, 59, tzinfo=UTC), "alarm"),  # Saturday, 23:59
        (datetime(2026, 10, 24, 22, 0, tzinfo=UTC), "log"),  # Sunday, 00:00
        (datetime(2026, 10, 25, 22, 59, tzinfo=UTC), "log"),  # 25 hours later, 23:59
        (datetime(2026, 10, 25, 23, 0, tzinfo=UTC), "alarm"),  # Monday, 00:00
    ],
)
def test_a_day_of_25_hours_is_one_day_to_its_end(utc: datetime, mode: str) -> None:
    keeper = Timekeeper(
        Clocks(lambda: 0.0, utc.timestamp), is_synchronized=lambda: True, zone=ZoneInfo("Europe/Berlin")
    )
    assert _mode(keeper.week_minute(), ScheduleSettings("cry", log=("sun 00:00-00:00",))).mode == mode


def test_an_uncertain_hour_raises_alarms_whatever_the_hours_say() -> None:
    assert _mode(None) == ModeNow("alarm", "clock")
    assert _mode(None, ScheduleSettings("cry", off=("00:00-00:00",), otherwise="off", switch=True)) == ModeNow(
        "alarm", "clock", "auto"
    )


@pytest.mark.parametrize("minute", [None, 0, 700, 800])
def test_what_somebody_set_holds_at_any_hour_and_without_one(minute: int | None) -> None:
    modes: tuple[LabelMode, ...] = get_args(LabelMode)
    settings = ScheduleSettings("cry", off=("12:30-14:00",), switch=True)
    for mode in modes:
        assert _mode(minute, settings, cry=mode) == ModeNow(mode, "switch", mode)


def test_what_was_set_counts_no_more_once_there_is_no_switch() -> None:
    assert _mode(800, DAY, cry="alarm") == ModeNow("off", "hours")


def test_each_label_has_its_own() -> None:
    switches: Mapping[str, ModeSwitch] = {"scream": "off"}
    modes = modes_at(800, [DAY, ScheduleSettings("scream", switch=True), ScheduleSettings("loud")], switches)
    assert {label: now.mode for label, now in modes.items()} == {"cry": "off", "scream": "off", "loud": "alarm"}


@given(st.integers(0, 1439))
def test_every_minute_has_one_mode(minute: int) -> None:
    assert sum(minute in range_ for _, _, range_ in DAY.ranges()) == 1


@pytest.mark.parametrize(
    ("date", "utc", "mode"),
    [
        ("the clock goes from 02:00 to 03:00", datetime(2026, 3, 29, 0, 59, tzinfo=UTC), "log"),
        ("of 02:00-03:00 there is no minute", datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "alarm"),
        ("the first 02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "off"),
        ("the second 02:30", datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "off"),
        ("03:00 after it", datetime(2026, 10, 25, 2, 0, tzinfo=UTC), "alarm"),
    ],
)
def test_days_of_23_and_25_hours_have_the_minutes_that_clocks_on_the_wall_show(
    date: str, utc: datetime, mode: str
) -> None:
    clocks = Clocks(lambda: 0.0, utc.timestamp)
    timekeeper = Timekeeper(clocks, is_synchronized=lambda: True, zone=ZoneInfo("Europe/Berlin"))
    settings = ScheduleSettings("cry", log=("00:00-02:00",), off=("02:00-03:00",))
    assert _mode(timekeeper.week_minute(), settings).mode == mode, date
