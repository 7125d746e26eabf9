"""Level: what dBFS means here, and that silence has none."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.hearing.level import Level

RATE_HZ = 8000


def _sine(seconds: float = 1.0, amplitude: float = 1.0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    phase = 2 * np.pi * 1000 * np.arange(round(seconds * RATE_HZ)) / RATE_HZ + np.pi / 8
    return (amplitude * np.sin(phase)).astype(np.float32)


@pytest.mark.parametrize(("amplitude", "rms_dbfs"), [(1.0, -3.01), (0.1, -23.01), (1e-4, -83.01)])
def test_a_sine_lies_three_decibels_under_its_peak(amplitude: float, rms_dbfs: float) -> None:
    level = Level()
    level.push(_sine(amplitude=amplitude), RATE_HZ)
    assert level.rms_dbfs == pytest.approx(rms_dbfs, abs=0.01)
    assert level.peak_dbfs == pytest.approx(20 * np.log10(amplitude * np.sin(3 * np.pi / 8)), abs=0.01)


def test_a_square_wave_at_full_scale_is_zero_dbfs() -> None:
    level = Level()
    level.push(np.tile(np.array([1, -1], np.float32), RATE_HZ), RATE_HZ)
    assert (level.rms_dbfs, level.peak_dbfs) == (0.0, 0.0)


def test_digital_silence_has_no_level_and_is_never_full_scale() -> None:
    level = Level()
    assert (level.rms_dbfs, level.peak_dbfs) == (None, None)
    level.push(np.zeros(RATE_HZ, np.float32), RATE_HZ)
    assert (level.rms_dbfs, level.peak_dbfs) == (None, None)
    assert repr(level) == "Level(None dBFS, peak None)"


def test_a_block_without_samples_changes_nothing() -> None:
    level = Level()
    level.push(np.zeros(0, np.float32), RATE_HZ)
    assert level.rms_dbfs is None


@given(blocks=st.lists(st.integers(1, RATE_HZ), min_size=1, max_size=20))
def test_the_level_is_that_of_the_newest_blocks_that_fill_a_second(blocks: list[int]) -> None:
    signal = np.random.default_rng(0).uniform(-1, 1, sum(blocks)).astype(np.float32)
    level, ends = Level(), np.cumsum([0, *blocks])
    for first, last in pairwise(ends):
        level.push(signal[first:last], RATE_HZ)
    start = next(end for end in reversed(ends) if ends[-1] - end >= RATE_HZ or end == 0)
    newest = signal[start:].astype(np.float64)
    assert level.rms_dbfs == pytest.approx(10 * np.log10(np.mean(newest**2)), abs=1e-6)
    assert level.peak_dbfs == pytest.approx(20 * np.log10(np.abs(newest).max()), abs=1e-6)


def test_a_bang_is_forgotten_after_a_second() -> None:
    level = Level()
    level.push(_sine(0.05), RATE_HZ)
    for _ in range(20):
        level.push(_sine(0.05, 0.01), RATE_HZ)
    assert level.peak_dbfs == pytest.approx(-40, abs=1)


def test_what_no_longer_comes_has_no_level() -> None:
    level = Level()
    level.push(_sine(), RATE_HZ)
    level.forget()
    assert (level.rms_dbfs, level.peak_dbfs) == (None, None)
