"""A collapsed noise floor is found; rooms that grow quiet, however quiet, are not mistaken for one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.hearing.deafness.detector import DeafnessDetector
from device.hearing.deafness.limits import DeafnessLimits
from device.hearing.deafness.noise_floor import NoiseFloor, white_spread_db
from device.messages import AudioBlock
from tests.device.hearing.deafness.microphone_sounds import (
    CAPTURE_RATES_HZ,
    LOW_RATE_HZ,
    RATE_HZ,
    at_each_rate,
    faults_of,
    feed,
    in_16_bits,
    kinds,
    room,
    suspect_s,
    white,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from device.hearing.deafness.sign_tracker import Change

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]

ROW = 800
STEP = 20 * ROW


def break_run(levels: Levels) -> None:
    levels.floor.break_run()


def lose_a_row(levels: Levels) -> None:
    levels.second(-85, 0, unusable_rows=1)


class Levels:
    """Feeds a noise floor with the levels of seconds, and counts them."""

    def __init__(self) -> None:
        self.floor = NoiseFloor(ROW, DeafnessLimits())
        self.seconds = 0
        self._rng = np.random.default_rng(0)

    def since(self) -> int | None:
        """Since when a collapse is open or suspected."""
        return self.floor.since

    def second(self, level_db: float, spread_db: float = 1.0, *, unusable_rows: int = 0) -> Change | None:
        """One second of rows around a level."""
        levels_db = self._rng.normal(level_db, spread_db, 20)
        levels_db[:unusable_rows] = math.nan
        self.seconds += 1
        return self.floor.step(levels_db, self.seconds * STEP)

    def run(self, seconds: int, level_db: float, spread_db: float = 1.0) -> list[tuple[int, Change]]:
        """Seconds alike -> (second, change) for each change."""
        changes = [(self.seconds + 1, self.second(level_db, spread_db)) for _ in range(seconds)]
        return [(second, change) for second, change in changes if change is not None]


EVEN_DB = white_spread_db(ROW)
"""Spread of an amplifier's own noise."""


def test_a_minute_is_learned_by_its_10th_percentile_once_the_next_one_is_over() -> None:
    levels = Levels()
    levels.run(119, -50)
    assert levels.floor.learned_db is None
    levels.run(1, -50)
    assert levels.floor.learned_db == pytest.approx(-51.28, abs=0.15)  # of a normal distribution: 1.28 sigma below


def test_the_quietest_learned_minute_counts() -> None:
    levels = Levels()
    for level_db in (-50, -60, -40, -40):
        levels.run(60, level_db)
    assert levels.floor.learned_db == pytest.approx(-61.28, abs=0.15)


def test_rows_without_noise_are_not_learned_and_count_for_no_minute() -> None:
    levels = Levels()
    for _ in range(239):
        levels.second(-50, unusable_rows=10)
    assert levels.floor.learned_db is None
    levels.second(-50, unusable_rows=10)
    assert levels.floor.learned_db is not None


def test_a_collapse_is_suspected_after_5_s_and_a_fault_after_60_both_since_its_onset() -> None:
    levels = Levels()
    levels.run(150, -50)
    assert levels.run(4, -85, EVEN_DB) == []
    assert levels.since() is None
    levels.run(1, -85, EVEN_DB)
    assert levels.since() == 150 * STEP
    found = levels.run(60, -85, EVEN_DB)
    assert [(second, change.begins, change.since) for second, change in found] == [(210, True, 150 * STEP)]
    assert levels.floor.open_since == levels.floor.since == 150 * STEP
    assert levels.floor.figure.startswith("the noise floor stands at -85.0 dBFS")


def test_before_a_floor_is_learned_nothing_is_suspected() -> None:
    levels = Levels()
    assert levels.run(300, -85, EVEN_DB) == []
    assert levels.since() is None


@pytest.mark.parametrize("interrupt", [break_run, lose_a_row])
def test_missing_samples_or_a_row_without_noise_begin_the_minute_of_a_collapse_anew(
    interrupt: Callable[[Levels], None],
) -> None:
    levels = Levels()
    levels.run(150, -50)
    assert levels.run(20, -85, EVEN_DB) == []
    interrupt(levels)
    assert levels.since() is None
    assert levels.floor.learned_db is not None
    assert levels.run(59, -85, EVEN_DB) == []
    assert len(levels.run(1, -85, EVEN_DB)) == 1


def test_a_collapse_is_over_within_6_s_of_the_level_and_a_minute_of_the_fluctuation() -> None:
    for level_db, within_s in ((-50, 6), (-85, 60)):
        levels = Levels()
        levels.run(150, -50)
        assert len(levels.run(70, -85, EVEN_DB)) == 1
        (second, change), *others = levels.run(90, level_db, 1.0)
        assert others == []
        assert (change.begins, change.since) == (False, 150 * STEP)
        assert second - 220 <= within_s


def test_the_levels_of_a_collapse_are_never_learned() -> None:
    levels = Levels()
    levels.run(150, -50)
    learned_db = levels.floor.learned_db
    assert len(levels.run(600, -85, EVEN_DB)) == 1
    assert levels.floor.learned_db == pytest.approx(learned_db, abs=0.5)


@pytest.mark.parametrize("rate_hz", [4000, *CAPTURE_RATES_HZ])
def test_a_collapsed_floor_is_found_within_90_s(rate_hz: int) -> None:
    onset_s = 150.3
    parts = (room(onset_s, rate_hz=rate_hz), white(95, 0.003 / 30, rate_hz=rate_hz), room(10, rate_hz=rate_hz))
    faults = faults_of(*parts, rate_hz=rate_hz)
    assert kinds(faults) == [("floor", True), ("floor", False)]
    begin, end = faults
    assert onset_s + 60 <= begin.at_s <= onset_s + 90
    assert begin.since_s == pytest.approx(onset_s, abs=1.1)
    assert onset_s + 95 < end.at_s < onset_s + 95 + 6
    assert "dB under the learned one" in begin.detail


def test_a_microphone_that_goes_deaf_after_two_minutes_is_found_too() -> None:
    for onset_s in (119.97, 120.0, 121.5, 149.0, 179.97):
        faults = faults_of(room(onset_s), white(91, 0.0001))
        assert kinds(faults) == [("floor", True)]
        assert faults[0].at_s <= onset_s + 90


def test_a_collapsed_floor_in_dither_alone_is_found() -> None:
    assert kinds(faults_of(room(150), in_16_bits(white(91, 2**-15)))) == [("floor", True)]


def test_a_collapsed_floor_is_suspected_after_seconds() -> None:
    detector = DeafnessDetector(RATE_HZ)
    feed(detector, room(150))
    assert suspect_s(detector) is None
    assert detector.learned_floor_db == pytest.approx(20 * np.log10(0.003) - 1.3, abs=0.5)
    assert feed(detector, white(8, 0.0001), start=150 * RATE_HZ) == []
    assert suspect_s(detector) == pytest.approx(150, abs=1.1)
    feed(detector, room(2), start=158 * RATE_HZ)
    assert suspect_s(detector) is None


def test_a_floor_that_falls_by_less_than_20_db_is_a_quieter_room() -> None:
    assert faults_of(room(150), white(120, 0.003 / 8)) == []


@at_each_rate
def test_a_quiet_room_that_breathes_has_not_collapsed(rate_hz: int) -> None:
    assert faults_of(white(200, 0.1, rate_hz=rate_hz), room(100, 0.001, rate_hz=rate_hz), rate_hz=rate_hz) == []


def breathing(seconds: float, rms: float, spread_db: float, rate_hz: int) -> Float32:
    """White noise whose rows' levels spread by this many dB in all, its own spread included."""
    row = round(rate_hz * 0.05)
    own_db = white_spread_db(row)
    rows = white(seconds, rms, rate_hz=rate_hz, seed=5).reshape(-1, row)
    levels_db = np.random.default_rng(6).normal(0, np.sqrt(max(0, spread_db**2 - own_db**2)), (len(rows), 1))
    return (rows * 10 ** (levels_db / 20)).astype(np.float32).reshape(-1)


@at_each_rate
def test_a_floor_has_collapsed_up_to_twice_the_spread_of_white_noise(rate_hz: int) -> None:
    for times, expected in [(1.0, [("floor", True)]), (1.9, [("floor", True)]), (2.1, [])]:
        left = breathing(91, 0.0001, times * white_spread_db(round(rate_hz * 0.05)), rate_hz)
        assert kinds(faults_of(room(125, rate_hz=rate_hz), left, rate_hz=rate_hz)) == expected


def test_a_collapse_that_was_none_is_over_once_the_room_breathes() -> None:
    # However low the level stays: levels that spread like those of a room come from a working microphone.
    onset_s, back_s = 125, 216
    faults = faults_of(room(onset_s), white(back_s - onset_s, 0.0001), room(60, 0.0001, seed=1))
    assert kinds(faults) == [("floor", True), ("floor", False)]
    assert back_s < faults[1].at_s <= back_s + 60


@at_each_rate
def test_a_floor_has_collapsed_from_20_db_on(rate_hz: int) -> None:
    detector = DeafnessDetector(rate_hz)
    feed(detector, room(125, rate_hz=rate_hz), rate_hz=rate_hz)
    learned_db = detector.learned_floor_db or 0
    for down_db, expected in [(19.7, []), (20.3, [("floor", True)])]:
        left = white(91, 10 ** ((learned_db - down_db) / 20), rate_hz=rate_hz)
        assert kinds(faults_of(room(125, rate_hz=rate_hz), left, rate_hz=rate_hz)) == expected


def test_a_floor_that_was_always_low_has_not_collapsed() -> None:
    assert faults_of(white(300, 0.0001)) == []


def test_a_minute_with_a_sound_in_it_has_no_collapsed_floor() -> None:
    quiet = [np.concatenate((white(20, 0.0001, seed=seed), white(1, 0.01, seed=seed))) for seed in range(10)]
    assert faults_of(room(150), *quiet) == []


def test_a_deaf_night_stays_a_fault_and_its_clicks_do_not_end_it() -> None:
    # Deaf minutes must not be learned: after two of them the fault would end by itself.
    night = white(600, 0.0001, rate_hz=LOW_RATE_HZ)
    night[:: 97 * LOW_RATE_HZ] = 0.5
    detector = DeafnessDetector(LOW_RATE_HZ)
    faults = feed(detector, np.concatenate((room(150, rate_hz=LOW_RATE_HZ), night)), rate_hz=LOW_RATE_HZ)
    assert kinds(faults) == [("floor", True)]
    faults = feed(detector, room(10, rate_hz=LOW_RATE_HZ), start=750 * LOW_RATE_HZ, rate_hz=LOW_RATE_HZ)
    assert kinds(faults) == [("floor", False)]


def test_the_floor_is_that_of_the_quietest_of_the_last_minutes() -> None:
    detector = DeafnessDetector(LOW_RATE_HZ, settings=DeafnessLimits(floor_minutes=5))
    learned_db = []
    for minute, rms in enumerate([0.001, *[0.1] * 7]):
        feed(
            detector,
            room(60, rms, rate_hz=LOW_RATE_HZ, seed=minute),
            start=60 * minute * LOW_RATE_HZ,
            rate_hz=LOW_RATE_HZ,
        )
        learned_db.append(round(detector.learned_floor_db or 0))
    # Learned a minute late; forgotten once five others have been learned.
    assert learned_db == [0, *[learned_db[1]] * 5, *[learned_db[1] + 40] * 2]
    assert DeafnessLimits().floor_minutes == 60


@pytest.mark.parametrize("samples", [50, 200, 800, 2400])
def test_white_noise_spreads_as_the_formula_says(samples: int) -> None:
    power = np.square(np.random.default_rng(0).normal(size=(4000, samples))).mean(axis=1)
    assert np.std(10 * np.log10(power)) == pytest.approx(white_spread_db(samples), rel=0.04)


def test_the_spread_at_16_khz_is_that_of_the_specification() -> None:
    assert 2 * white_spread_db(800) == pytest.approx(0.43, abs=0.01)


def test_the_learned_floor_outlives_a_gap() -> None:
    detector = DeafnessDetector(RATE_HZ)
    feed(detector, room(150))
    learned_db = detector.learned_floor_db
    assert detector.push(AudioBlock(white(0.5, 0.0001), RATE_HZ, 200 * RATE_HZ, after_gap=True)) == []
    assert detector.learned_floor_db == learned_db
    assert kinds(feed(detector, white(90, 0.0001), start=round(200.5 * RATE_HZ))) == [("floor", True)]


def test_gated_silence_is_no_collapsed_floor_and_ends_none() -> None:
    gated = [np.concatenate((room(20, seed=seed), np.zeros(40 * RATE_HZ, np.float32))) for seed in range(5)]
    assert faults_of(room(150), *gated, gates_to_zero=True) == []
    assert kinds(faults_of(room(150), *gated, white(91, 0.0001), gates_to_zero=True)) == [("floor", True)]


@pytest.mark.parametrize("interrupt", [break_run, lose_a_row])
@pytest.mark.parametrize("every_s", [8, 20, 59])
def test_a_collapse_that_gaps_interrupt_for_hours_is_not_learned_and_found_once_they_stop(
    interrupt: Callable[[Levels], None], every_s: int
) -> None:
    levels = Levels()
    levels.run(300, -60)
    learned_db = levels.floor.learned_db
    for _ in range(2 * 3600 // every_s):
        assert levels.run(every_s, -85, 0.2) == []
        interrupt(levels)
    assert levels.floor.learned_db == learned_db
    ((_, change),) = levels.run(70, -85, 0.2)
    assert change.begins


def test_a_room_that_grew_quiet_is_learned_also_between_gaps() -> None:
    levels = Levels()
    levels.run(300, -60)
    for _ in range(60):
        assert levels.run(20, -85, 2.0) == []  # as uneven as a room
        levels.floor.break_run()
    assert levels.floor.learned_db == pytest.approx(-87.5, abs=0.5)
    assert levels.run(120, -85, 0.2) == []
