"""A room is measured while others hear: in two parts, without ever disturbing whoever hears."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.calibration.room_watch import MOST_PLAYED_S, RoomWatch
from device.messages import AudioBlock, Heard, NoAudio
from tests.device.calibration.heard import decisions
from tests.device.calibration.sounds import RATE_HZ, blocks, noise, played

if TYPE_CHECKING:
    import numpy.typing as npt


def hear(watch: RoomWatch, samples: npt.NDArray[np.floating], from_s: float = 0.0) -> None:
    for block in blocks(samples):
        watch.update(AudioBlock(block.samples, RATE_HZ, round(from_s * RATE_HZ) + block.start_sample), Heard())


def test_nothing_is_measured_before_somebody_asks() -> None:
    watch = RoomWatch()
    hear(watch, noise(1.0, -40.0))
    assert watch.moment().part == "nothing"
    assert watch.end() == (None, None)


def test_both_parts_are_kept_apart() -> None:
    watch = RoomWatch()
    watch.begin("room")
    hear(watch, noise(3.0, -50.0))
    moment = watch.moment()
    assert moment.part == "room"
    assert moment.seconds == pytest.approx(3.0)
    assert moment.level_dbfs == pytest.approx(-50.0, abs=0.5)
    watch.begin("played")
    hear(watch, noise(2.0, -30.0), from_s=3.0)
    room, signal = watch.end()
    assert room is not None
    assert signal is not None
    assert (room.sound.start_s, room.end_s) == (0.0, 3.0)
    assert (signal.sound.start_s, signal.end_s) == (3.0, 5.0)
    assert watch.end() == (None, None)


def test_the_signal_may_be_played_again_for_the_same_room() -> None:
    watch = RoomWatch()
    watch.begin("room")
    hear(watch, noise(2.0, -50.0))
    for again in (2.0, 3.0):
        watch.begin("played")
        hear(watch, noise(1.0, -50.0), from_s=again)
    room, signal = watch.end()
    assert room is not None
    assert signal is not None
    assert (room.end_s, signal.sound.start_s) == (2.0, 3.0)
    watch.begin("room")
    watch.begin("room")
    assert watch.end() == (None, None)


def test_windows_that_began_before_a_part_do_not_count_in_it() -> None:
    watch = RoomWatch()
    watch.begin("room")
    (first, *others) = blocks(noise(1.0, -50.0))
    watch.update(
        AudioBlock(first.samples, RATE_HZ, 10 * RATE_HZ), Heard(decisions=[*decisions([0.9] * 3, start_s=9.5)])
    )
    assert len(others) > 0
    room, _ = watch.end()
    assert room is not None
    assert [step.start_s for step in room.steps if not hasattr(step, "kind")] == [10.0, 10.5]


def test_the_end_of_the_signal_is_seen() -> None:
    watch = RoomWatch()
    watch.begin("played")
    sound = played(noise(26.0, -60.0), 1.0, -20.0)
    hear(watch, sound[: 15 * RATE_HZ])
    assert not watch.moment().signal_is_over
    hear(watch, sound[15 * RATE_HZ :], from_s=15.0)
    assert watch.moment().signal_is_over


def test_why_there_is_no_sound_is_said() -> None:
    watch = RoomWatch()
    watch.begin("room")
    watch.update(NoAudio("it is unplugged", 1.0, 3.0), Heard())
    assert watch.moment().problem == "it is unplugged"


def test_a_measurement_that_nobody_ends_grows_no_more() -> None:
    watch = RoomWatch()
    watch.begin("played")
    block = np.full(RATE_HZ, 0.01, np.float32)
    for second in range(round(MOST_PLAYED_S) + 20):
        watch.update(AudioBlock(block, RATE_HZ, second * RATE_HZ), Heard())
    assert watch.moment().seconds == MOST_PLAYED_S


def test_the_room_ends_after_its_time_however_late_the_signal_is_played() -> None:
    watch = RoomWatch()
    watch.begin("room", 2.0)
    hear(watch, noise(2.0, -50.0))
    hear(watch, noise(3.0, -10.0), from_s=2.0)  # somebody comes in and brings the phone
    watch.begin("played", 2.0)
    room, _ = watch.end()
    assert room is not None
    assert room.end_s == 2.0


def test_a_failure_here_never_reaches_whoever_hears() -> None:
    watch = RoomWatch()
    watch.begin("room")
    watch.update(AudioBlock("no sound", RATE_HZ, 0), Heard())  # type: ignore[arg-type]
    hear(watch, noise(1.0, -50.0))
    assert "Error" in watch.moment().problem
    assert watch.end() == (None, None)
