"""The meter's levels are those of the sound, whatever the blocks, and it keeps no sound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.calibration.room_meter import BANDS_HZ, STEP_S, RoomMeter
from device.messages import AudioBlock
from tests.device.calibration.sounds import RATE_HZ, blocks, metered, noise, tone


def test_a_tones_level_lies_in_its_octave_band_alone() -> None:
    sound = metered(tone(5.0, 1000.0, -20.0))
    levels = 10 * np.log10(np.median(sound.band_powers, axis=0) + 1e-20)
    assert levels[BANDS_HZ.index(1000)] == pytest.approx(-20.0, abs=0.05)
    assert np.delete(levels, BANDS_HZ.index(1000)).max() < -80
    assert 10 * np.log10(sound.second_powers) == pytest.approx(np.full(4, -20.0), abs=0.05)  # the last quarter waits


def test_bands_of_white_noise_double_from_octave_to_octave() -> None:
    levels = 10 * np.log10(metered(noise(20.0, -30.0)).band_powers.mean(axis=0))
    assert np.diff(levels) == pytest.approx(np.full(len(BANDS_HZ) - 1, 3.01), abs=0.5)


@settings(max_examples=8)
@given(size=st.integers(1, 9000))
def test_block_size_never_changes_the_result(size: int) -> None:
    samples = noise(3.0, -30.0)
    one, other = metered(samples, size=max(size, 40)), metered(samples, size=len(samples))
    for name in ("step_powers", "pip_powers", "beside_powers", "band_powers", "mean_spectrum", "steady_spectrum"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert (one.peak, one.clipped_share) == (other.peak, other.clipped_share)


def test_clipped_samples_are_counted_at_the_rate_of_the_capture() -> None:
    samples = tone(2.0, 200.0, -20.0)
    samples[1000:1100] = 1.0
    samples[3000:3050] = -1.0
    assert metered(samples).clipped_share == pytest.approx(150 / len(samples))


def test_missing_sound_leaves_the_times_of_what_follows() -> None:
    meter = RoomMeter()
    quiet, loud = noise(2.0, -60.0), noise(2.0, -20.0, seed=1)
    for block in blocks(quiet):
        meter.push(block)
    start = 5 * RATE_HZ
    for block in blocks(loud):
        meter.push(AudioBlock(block.samples, RATE_HZ, start + block.start_sample, after_gap=block.start_sample == 0))
    sound = meter.result()
    first_loud = int(np.argmax(np.nan_to_num(sound.step_powers) > 1e-4))
    assert first_loud * STEP_S == pytest.approx(5.0, abs=STEP_S)
    assert sound.heard_s == pytest.approx(4.0, abs=0.6)


def test_another_rate_is_measured_as_16_khz() -> None:
    seconds = np.arange(48_000 * 3) / 48_000
    sound = metered(0.1 * np.sqrt(2) * np.sin(2 * np.pi * 500.0 * seconds), 48_000, 2400)
    assert 10 * np.log10(sound.second_powers) == pytest.approx(np.full(2, -20.0), abs=0.05)
    assert sound.sample_rate_hz == 48_000


def test_no_more_than_two_seconds_of_sound_are_held_and_nothing_without_sound() -> None:
    meter = RoomMeter()
    assert (meter.measured_s, meter.newest_power, meter.result().heard_s) == (0.0, 0.0, 0.0)
    for block in blocks(noise(20.0, -40.0)):
        meter.push(block)
        held = [value for value in vars(meter).values() if isinstance(value, np.ndarray)]
        assert max(len(each) for each in held if each.dtype == np.float32) <= 2 * RATE_HZ + 800
    assert 10 * np.log10(meter.newest_power) == pytest.approx(-40.0, abs=0.5)
