"""The time of day, its quality, the local minute and the day of the week, with clocks that a test sets."""

from __future__ import annotations

import time
from zoneinfo import ZoneInfo

import pytest

from device.errors import ConfigError
from device.runtime.clocks import Clocks, Timekeeper, zone_of

NOON_S = 1_700_000_000.0  # 2023-11-14T22:13:20Z


class ManualClocks:
    """Both clocks, set by the test."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.utc_s = NOON_S
        self.synchronized = True
        self.keeper = Timekeeper(
            Clocks(lambda: self.now_s, lambda: self.utc_s), is_synchronized=lambda: self.synchronized
        )

    def pass_by(self, seconds: float) -> None:
        self.now_s += seconds
        self.utc_s += seconds


@pytest.mark.parametrize(("step_s", "quality"), [(0.0, "synchronized"), (1.9, "synchronized"), (-3600.0, "stepped")])
def test_a_clock_that_was_set_meanwhile_is_told_and_one_that_was_slewed_is_not(step_s: float, quality: str) -> None:
    clocks = ManualClocks()
    offset_s = clocks.keeper.offset_s
    clocks.pass_by(1000.0)
    clocks.utc_s += step_s
    assert clocks.keeper.quality(offset_s) == quality


def test_a_clock_that_nobody_sets_is_unsynchronized_and_knows_no_minute() -> None:
    clocks = ManualClocks()
    clocks.synchronized = False
    assert clocks.keeper.quality(clocks.keeper.offset_s) == "unsynchronized"
    assert clocks.keeper.local_minute() is None
    clocks.synchronized = True
    assert clocks.keeper.local_minute() is not None


@pytest.mark.parametrize(
    ("zone", "minute"), [("UTC", 22 * 60 + 13), ("Europe/Berlin", 23 * 60 + 13), ("Asia/Kolkata", 223)]
)
def test_the_minute_on_the_wall_is_that_of_the_zone(zone: str, minute: int) -> None:
    clocks = ManualClocks()
    clocks.keeper.zone = ZoneInfo(zone)
    assert clocks.keeper.local_minute() == minute


@pytest.mark.parametrize(
    ("zone", "day", "minute"),
    [("UTC", 1, 22 * 60 + 13), ("Europe/Berlin", 1, 23 * 60 + 13), ("Asia/Kolkata", 2, 223), ("Etc/GMT+12", 1, 613)],
)
def test_the_day_of_the_week_is_that_of_the_zone_and_monday_is_the_first(zone: str, day: int, minute: int) -> None:
    clocks = ManualClocks()  # a Tuesday in UTC
    clocks.keeper.zone = ZoneInfo(zone)
    assert clocks.keeper.week_minute() == day * 24 * 60 + minute
    clocks.synchronized = False
    assert clocks.keeper.week_minute() is None


@pytest.mark.parametrize("days", range(7))
def test_without_a_zone_the_day_is_the_machines_own(days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.localtime", time.gmtime)
    clocks = ManualClocks()
    clocks.utc_s += 86400.0 * days
    assert clocks.keeper.week_minute() == (1 + days) % 7 * 24 * 60 + 22 * 60 + 13


def test_without_a_zone_it_is_the_machines_own() -> None:
    minute = ManualClocks().keeper.local_minute()
    assert minute is not None
    assert 0 <= minute < 24 * 60


@pytest.mark.parametrize("name", ["Europe/Nowhere", "Mars", "Europe"])
def test_a_zone_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f'"{name}", which is no zone'):
        zone_of(name)
    assert zone_of(None) is None
    assert str(zone_of("Europe/Berlin")) == "Europe/Berlin"
