"""Stretches of any length as windows of one length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.preparation.window_fit import Fit, fitted, loudest_start


@given(st.integers(0, 500), st.integers(1, 300), st.sampled_from(["start", "centre", "loudest"]))
def test_any_stretch_becomes_a_window_of_its_own_samples(count: int, length: int, fit: Fit) -> None:
    samples = np.arange(1, count + 1, dtype=np.float32)
    window = fitted(samples, length, fit)
    assert window.shape == (length,)
    assert window.dtype == np.float32
    assert set(window.tolist()) <= (set(samples.tolist()) or {0.0})


def test_a_short_stretch_is_repeated() -> None:
    assert fitted(np.array([1, 2, 3], np.float32), 7, "loudest").tolist() == [1, 2, 3, 1, 2, 3, 1]


@pytest.mark.parametrize(("fit", "first"), [("start", 0), ("centre", 450), ("loudest", 700)])
def test_of_a_long_stretch_the_named_part_is_kept(fit: Fit, first: int) -> None:
    samples = np.zeros(1000, np.float32)
    samples[700:800] = 1.0
    assert np.array_equal(fitted(samples, 100, fit), samples[first : first + 100])


def test_the_loudest_window_holds_the_loud_sound_whole() -> None:
    samples = np.zeros(48_000, np.float32)
    samples[20_000:21_000] = 0.5
    start = loudest_start(samples, 32_000)
    assert start <= 20_000
    assert start + 32_000 >= 21_000
