"""The room murmurs, echoes and is knocked at as rooms are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.demo import room
from device.synthesis.voice import SAMPLE_RATE_HZ


def power_between(sound: npt.NDArray[np.float64], low_hz: float, high_hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    frequency_hz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ)
    return float(spectrum[(frequency_hz >= low_hz) & (frequency_hz < high_hz)].mean())


def test_room_tone_has_the_level_it_promises() -> None:
    assert np.mean(room.tone(160_000, np.random.default_rng(0)) ** 2) == pytest.approx(1.0)


def test_room_tone_falls_three_decibels_an_octave() -> None:
    murmur = room.tone(480_000, np.random.default_rng(0))
    fall_db = 10 * np.log10(power_between(murmur, 250, 500) / power_between(murmur, 4_000, 8_000))
    assert fall_db == pytest.approx(12.0, abs=0.5)


def test_room_tone_hums_at_the_mains_frequency() -> None:
    murmur = room.tone(480_000, np.random.default_rng(0))
    assert power_between(murmur, 49.9, 50.1) > 30 * power_between(murmur, 51, 60)


@given(st.integers(0, 2**32))
@settings(max_examples=20)
def test_the_room_decays_by_sixty_decibels_in_a_third_of_a_second(seed: int) -> None:
    response = room.impulse_response(np.random.default_rng(seed))
    # Schroeder's backward integral, read over the diffuse part between 60 and 200 ms.
    left_db = 10 * np.log10(np.cumsum(response[::-1] ** 2)[::-1])
    early, late = round(0.06 * SAMPLE_RATE_HZ), round(0.2 * SAMPLE_RATE_HZ)
    rt60_s = 60 * (late - early) / SAMPLE_RATE_HZ / (left_db[early] - left_db[late])
    assert rt60_s == pytest.approx(0.35, abs=0.05)


def test_the_direct_sound_comes_first_and_loudest() -> None:
    response = room.impulse_response(np.random.default_rng(0))
    assert response[0] == 1.0
    assert np.abs(response[1:]).max() < 0.5


@given(st.integers(0, 2**32), st.integers(1, 400), st.integers(1, 400))
def test_an_echo_is_the_convolution_cut_to_the_length_of_the_sound(seed: int, samples: int, taps: int) -> None:
    rng = np.random.default_rng(seed)
    sound, response = rng.uniform(-1, 1, samples), rng.uniform(-1, 1, taps)
    np.testing.assert_allclose(room.reverberated(sound, response), np.convolve(sound, response)[:samples], atol=1e-10)


@pytest.mark.parametrize("seed", range(8))
def test_a_knock_is_three_or_four_thuds_a_quarter_of_a_second_apart(seed: int) -> None:
    sound = room.knock(np.random.default_rng(seed))
    loudness = np.sqrt(np.convolve(sound**2, np.ones(320) / 320, mode="same"))
    is_loud = np.append(False, loudness > 0.35 * loudness.max())
    onsets_s = np.flatnonzero(is_loud[1:] & ~is_loud[:-1]) / SAMPLE_RATE_HZ
    thuds_s = onsets_s[np.append(True, np.diff(onsets_s) > 0.1)]
    assert len(thuds_s) in {3, 4}
    assert np.all((np.diff(thuds_s) > 0.2) & (np.diff(thuds_s) < 0.32))


def test_a_thud_is_low_and_dies_within_a_tenth_of_a_second() -> None:
    sound = room.knock(np.random.default_rng(0))[: round(0.2 * SAMPLE_RATE_HZ)]
    assert power_between(sound, 100, 1_000) > 30 * power_between(sound, 3_000, 8_000)
    tenth = round(0.1 * SAMPLE_RATE_HZ)
    assert np.sum(sound[tenth:] ** 2) < 0.01 * np.sum(sound[:tenth] ** 2)
