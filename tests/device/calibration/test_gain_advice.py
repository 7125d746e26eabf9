"""The advice: down if a cry is clipped or nearly, up if the room is lost in the converter's steps, else none."""

from __future__ import annotations

import pytest

from device.calibration.gain_advice import gain_finding
from device.calibration.pip_search import FoundPips
from device.calibration.room_measure import RoomLevels, SignalLevels
from device.calibration.sensitivity_rows import PlayedCry


def room(floor_dbfs: float = -60.0, clipped_share: float = 0.0) -> RoomLevels:
    return RoomLevels(600.0, 48_000, floor_dbfs, floor_dbfs + 3, floor_dbfs + 9, (None,) * 7, clipped_share)


def signal(peak_dbfs: float, clipped_share: float = 0.0) -> SignalLevels:
    return SignalLevels(FoundPips(5.0, 6), PlayedCry(10.0, 24.0), True, peak_dbfs - 15, 20.0, peak_dbfs, clipped_share)


def test_a_clipped_cry_asks_for_less_gain() -> None:
    found = gain_finding(room(), signal(0.0, clipped_share=0.002))
    assert found.outcome == "warning"
    assert found.summary == "0.2 % of the samples are clipped while the cry plays"
    assert found.cure.startswith("turn the gain down by 12 dB in alsamixer (F4 shows capture), or in the camera")


def test_a_clipped_room_does_too() -> None:
    assert "of the room alone are clipped" in gain_finding(room(clipped_share=0.01), None).summary


@pytest.mark.parametrize(("peak_dbfs", "down"), [(-1.0, 11), (-5.5, 7)])
def test_a_peak_near_full_scale_asks_for_room_above_it(peak_dbfs: float, down: int) -> None:
    assert f"turn the gain down by {down} dB" in gain_finding(room(), signal(peak_dbfs)).cure


@pytest.mark.parametrize(("peak_dbfs", "up"), [(-50.0, 17), (-20.0, 8)])
def test_a_room_in_the_converters_steps_asks_for_more_as_far_as_the_cry_lets(peak_dbfs: float, up: int) -> None:
    found = gain_finding(room(floor_dbfs=-92.0), signal(peak_dbfs))
    assert found.outcome == "warning"
    assert found.cure == f"turn the gain up by {up} dB in alsamixer (F4 shows capture), or in the camera's settings"


def test_else_nothing_is_to_be_done() -> None:
    assert gain_finding(room(), signal(-14.0)).outcome == "ok"
    assert gain_finding(room(-92.0), signal(-11.0)).cure == ""  # no room above the cry to go up
    assert "the played signal would say more" in gain_finding(room(), None).summary
