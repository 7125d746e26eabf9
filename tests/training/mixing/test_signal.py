"""Levels, noise, filters and 16-bit samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.clips import SAMPLE_RATE_HZ
from training.mixing import signal


def _tone(hz: float) -> signal.Float32:
    """Two seconds."""
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)).astype(np.float32)


@settings(deadline=None, max_examples=30)
@given(snr_db=st.floats(-10, 40), gain=st.floats(0.01, 1.0))
def test_sounds_are_mixed_at_the_wanted_ratio_whatever_their_levels(snr_db: float, gain: float) -> None:
    sound = _tone(440.0)
    other = np.float32(gain) * _tone(1000.0)
    added = signal.mix_at_snr(sound, other, snr_db) - sound
    measured_db = 10 * np.log10(signal.loud_power(sound) / signal.loud_power(added))
    assert measured_db == pytest.approx(snr_db, abs=0.1)


def test_silence_mixes_with_anything() -> None:
    silence, tone = np.zeros(32_000, np.float32), _tone(440.0)
    assert np.array_equal(signal.mix_at_snr(silence, tone, 10.0), tone)
    assert np.array_equal(signal.mix_at_snr(tone, silence, 10.0), tone)


def test_a_telephone_removes_what_it_does_not_carry() -> None:
    low, high = (_tone(hz) for hz in (1000.0, 6000.0))
    gain = signal.lowpass_gain(signal.bin_hz(len(low)), 3400.0)
    assert signal.loud_power(signal.filtered(low, gain)) == pytest.approx(signal.loud_power(low), rel=0.01)
    assert signal.loud_power(signal.filtered(high, gain)) < 1e-3 * signal.loud_power(high)


def test_impulse_responses_and_noise_are_of_unit_energy_and_finite() -> None:
    for seed in range(10):
        response = signal.synthetic_impulse_response(np.random.default_rng(seed))
        assert np.sum(response**2) == pytest.approx(1.0, rel=1e-4)
        hiss = signal.noise(np.random.default_rng(seed), 32_000)
        assert hiss.dtype == np.float32
        assert np.isfinite(hiss).all()


def test_companding_changes_little_and_keeps_full_scale() -> None:
    samples = np.linspace(-1, 1, 1001, dtype=np.float32)
    assert np.abs(signal.mu_law(samples) - samples).max() < 0.03
    assert signal.mu_law(np.array([1.0, -1.0], np.float32)) == pytest.approx([1.0, -1.0])


def test_samples_on_the_16_bit_grid_are_kept_and_others_rounded_and_clipped() -> None:
    exact = np.array([-1.0, -0.5, 0.0, 1 / 32_768, 32_767 / 32_768], np.float32)
    assert np.array_equal(signal.quantized(exact), exact)
    assert signal.quantized(np.array([-2.0, 1.0, 0.4 / 32_768], np.float32)).tolist() == [-1.0, 32_767 / 32_768, 0.0]


def test_a_reverberated_sound_is_its_convolution_with_the_impulse_response() -> None:
    sound, response = _tone(440.0), np.array([1.0, 0.0, -0.5], np.float32)
    assert np.allclose(signal.reverberated(sound, response), np.convolve(sound, response)[: len(sound)], atol=1e-5)
