"""A voice is what its source and its throat make of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.synthesis.voice import (
    NOISE_HZ,
    SAMPLE_RATE_HZ,
    STEP_S,
    STEP_SAMPLES,
    Phonation,
    Throat,
    glide,
    join,
    noise,
    resonance,
    smoothed,
    speak,
    voiced,
)

INFANT_HZ = np.array([1_150.0, 3_400.0, 5_600.0, 7_900.0])
THROAT = Throat(1_150.0, np.array([250.0, 350.0, 450.0, 600.0]), tilt=0.6)


def steady(f0_hz: float, *, seconds: float = 1.0, loudness: float = 1.0, roughness: float = 0.0) -> Phonation:
    steps = round(seconds / STEP_S)
    ones = np.ones(steps)
    return Phonation(f0_hz * ones, loudness * ones, 0 * ones, roughness * ones, np.tile(INFANT_HZ, (steps, 1)))


def amplitudes(sound: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Amplitude at each whole Hz of one second of sound."""
    assert len(sound) == SAMPLE_RATE_HZ
    return 2 * np.abs(np.fft.rfft(sound)) / SAMPLE_RATE_HZ


def test_a_voice_sounds_at_the_multiples_of_its_pitch_and_nowhere_else() -> None:
    spectrum = amplitudes(voiced(steady(400.0), THROAT))
    harmonics = np.arange(400, 7_601, 400)
    assert spectrum[harmonics].min() > 1e-3
    assert np.delete(spectrum, harmonics).max() < 1e-9


def test_each_harmonic_is_as_strong_as_source_and_throat_make_it() -> None:
    spectrum = amplitudes(voiced(steady(400.0), THROAT))
    harmonics = np.arange(400, 6_801, 400)
    throat = np.abs(resonance(harmonics.astype(float), INFANT_HZ[None, :], THROAT))[0]
    np.testing.assert_allclose(spectrum[harmonics], (harmonics / 400) ** -0.6 * throat, rtol=1e-9)


def test_roughness_adds_subharmonics_halfway_between_the_harmonics() -> None:
    spectrum = amplitudes(voiced(steady(400.0, roughness=0.5), THROAT))
    assert spectrum[600] > 0.1 * spectrum[400]
    assert np.delete(spectrum, np.arange(200, 7_801, 200)).max() < 1e-9


def test_nothing_sounds_at_or_above_half_the_rate() -> None:
    spectrum = amplitudes(voiced(steady(1_000.0), THROAT))
    assert spectrum[7_850:].max() < 1e-9


def test_a_voice_at_rest_is_silent() -> None:
    assert not speak(steady(400.0, loudness=0.0), THROAT, np.random.default_rng(0)).any()


def test_the_throat_lets_the_lowest_tones_through_unchanged() -> None:
    assert np.abs(resonance(np.array([0.0]), INFANT_HZ[None, :], THROAT)) == pytest.approx(1.0)


def test_a_resonance_is_as_wide_as_it_says_at_half_its_power() -> None:
    alone = Throat(1e9, np.array([100.0]), tilt=1.0)
    peak, low, high = np.abs(resonance(np.array([2_000.0, 1_950.0, 2_050.0]), np.array([[2_000.0]]), alone))[0]
    assert low / peak == pytest.approx(np.sqrt(0.5), abs=0.02)
    assert high / peak == pytest.approx(np.sqrt(0.5), abs=0.02)


def test_four_resonances_and_the_correction_stand_for_forty() -> None:
    frequency_hz = np.linspace(100.0, 5_500.0, 200)
    tube_hz = np.linspace(1_100.0, 79 * 1_100.0, 40, dtype=np.float64)
    widths_hz = np.full(40, 300.0)
    short = resonance(frequency_hz, tube_hz[None, :4], Throat(1_100.0, widths_hz[:4], tilt=1.0))
    long = resonance(frequency_hz, tube_hz[None, :], Throat(1_100.0, widths_hz, tilt=1.0))
    assert np.abs(20 * np.log10(np.abs(short / long))).max() < 1.5  # 8 dB at 5.5 kHz without the correction


def test_unshaped_noise_is_white_and_of_deviation_one() -> None:
    sound = noise(np.ones((4_000, len(NOISE_HZ))), np.random.default_rng(1))
    assert sound.shape == (4_000 * STEP_SAMPLES,)
    assert sound.std() == pytest.approx(1.0, abs=0.02)
    power = (np.abs(np.fft.rfft(sound.reshape(-1, 320))) ** 2).mean(axis=0)[1:-1]
    assert power.max() / power.min() < 1.5


def test_noise_follows_its_gain_in_frequency_and_time() -> None:
    gain = np.zeros((800, len(NOISE_HZ)))
    gain[400:, NOISE_HZ > 4_000] = 1.0
    sound = noise(gain, np.random.default_rng(1))
    assert np.abs(sound[: 395 * STEP_SAMPLES]).max() == 0.0
    loud = np.abs(np.fft.rfft(sound[500 * STEP_SAMPLES : 700 * STEP_SAMPLES])) ** 2
    assert loud[: len(loud) * 3 // 8].sum() < 1e-3 * loud.sum()


@given(st.floats(-1e3, 1e3, allow_subnormal=False), st.integers(1, 300), st.floats(0.0, 0.5))
def test_smoothing_leaves_a_constant_track_alone(value: float, steps: int, width_s: float) -> None:
    np.testing.assert_allclose(smoothed(np.full(steps, value), width_s), value, rtol=1e-12)


@given(st.integers(0, 2**32), st.integers(1, 300), st.floats(0.0, 0.5))
def test_smoothing_keeps_length_and_range(seed: int, steps: int, width_s: float) -> None:
    track = np.random.default_rng(seed).uniform(-1, 1, steps)
    smooth = smoothed(track, width_s)
    assert smooth.shape == track.shape
    assert smooth.min() >= track.min() - 1e-12
    assert smooth.max() <= track.max() + 1e-12


def test_a_glide_passes_its_points() -> None:
    track = glide(101, ((0.0, 1.0), (0.5, 3.0), (1.0, 2.0)), smooth_s=0.0)
    assert [track[0], track[25], track[50], track[100]] == [1.0, 2.0, 3.0, 2.0]


def test_joined_phonations_follow_each_other() -> None:
    both = join([steady(400.0, seconds=0.1), steady(500.0, seconds=0.2)])
    assert len(both) == 60
    assert both.f0_hz.tolist() == [400.0] * 20 + [500.0] * 40
    assert both.formants_hz.shape == (60, 4)
