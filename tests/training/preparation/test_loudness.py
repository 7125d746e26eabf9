"""One level for every stretch, without clipping."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.preparation.loudness import HIGHEST_PEAK, at_level, at_level_of, rms


@given(st.floats(-90, 0), st.floats(-40, -12), st.integers(0, 99))
def test_noise_of_any_level_comes_to_the_wanted_one(given_db: float, wanted_db: float, seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal(4000).clip(-3, 3).astype(np.float32)
    scaled = at_level((noise * 10 ** (given_db / 20)).astype(np.float32), wanted_db)
    assert scaled.shape == noise.shape
    assert 20 * np.log10(rms(scaled)) == pytest.approx(wanted_db, abs=0.01)


def test_a_click_is_scaled_to_its_peak_rather_than_clipped() -> None:
    click = np.zeros(4000, np.float32)
    click[7] = 0.01
    assert np.abs(at_level(click, -20.0)).max() == pytest.approx(HIGHEST_PEAK)


def test_silence_stays_silence() -> None:
    silence = np.zeros(10, np.float32)
    assert np.array_equal(at_level(silence), silence)
    assert np.array_equal(at_level_of(np.ones(10, np.float32), silence), silence)
    assert rms(np.zeros(0, np.float32)) == 0
