"""Levels of a stretch: known signals have known figures."""

from __future__ import annotations

import numpy as np
import pytest

from training.survey.levels import LOWEST_DBFS, levels_of

RATE_HZ = 8_000


def sine(amplitude: float, duration_s: float = 1.0) -> np.ndarray:
    seconds = np.arange(round(RATE_HZ * duration_s)) / RATE_HZ
    return np.asarray(amplitude * np.sin(2 * np.pi * 440 * seconds), dtype=np.float32)


def test_a_sine_of_half_scale_peaks_at_minus_6_and_has_3_less_in_the_mean() -> None:
    found = levels_of(sine(0.5), RATE_HZ)
    assert found.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert found.rms_dbfs == pytest.approx(-9.03, abs=0.01)
    assert (found.clipped, found.silent, found.digital_silence) == (0.0, 0.0, False)


def test_a_sine_that_was_too_loud_is_clipped_and_one_that_just_fits_is_not() -> None:
    assert levels_of(np.clip(sine(2.0), -1, 1), RATE_HZ).clipped == pytest.approx(2 / 3, abs=0.05)
    assert levels_of(sine(0.9999), RATE_HZ).clipped < 0.001


def test_half_of_silence_is_half_silent_and_only_all_of_it_is_digital_silence() -> None:
    half = np.concatenate([sine(0.5), np.zeros(RATE_HZ, np.float32)])
    found = levels_of(half, RATE_HZ)
    assert found.silent == pytest.approx(0.5, abs=0.02)
    assert not found.digital_silence
    nothing = levels_of(np.zeros(100, np.float32), RATE_HZ)
    assert (nothing.peak_dbfs, nothing.silent, nothing.digital_silence) == (LOWEST_DBFS, 1.0, True)
