"""Resampling: the same samples for any block size, and the right ones."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.hearing.resample import Resampler

if TYPE_CHECKING:
    import numpy.typing as npt


def _converted(signal: npt.NDArray[np.float32], rates: tuple[int, int], cuts: list[int]) -> npt.NDArray[np.float32]:
    resampler = Resampler(*rates)
    ends = [0, *sorted(cut % (len(signal) + 1) for cut in cuts), len(signal)]
    parts = [resampler.push(signal[first:last]) for first, last in pairwise(ends)]
    return np.concatenate([*parts, resampler.finish()])


@settings(max_examples=60, deadline=None)
@given(
    from_hz=st.sampled_from([4000, 8000, 11025, 16000, 22050, 44100, 48000, 96000]),
    to_hz=st.sampled_from([4000, 16000]),
    samples=st.integers(0, 30_000),
    cuts=st.lists(st.integers(0, 30_000), max_size=12),
)
def test_block_size_never_changes_a_bit(from_hz: int, to_hz: int, samples: int, cuts: list[int]) -> None:
    signal = np.random.default_rng(samples).standard_normal(samples).astype(np.float32)
    whole = _converted(signal, (from_hz, to_hz), [])
    assert np.array_equal(whole, _converted(signal, (from_hz, to_hz), cuts))


@pytest.mark.parametrize(("from_hz", "to_hz"), [(48000, 16000), (44100, 16000), (8000, 16000), (16000, 4000)])
def test_a_tone_keeps_its_place_and_level(from_hz: int, to_hz: int) -> None:
    """No delay is left: sample n stands at n / to_hz."""
    tone = np.sin(2 * np.pi * 440 * np.arange(2 * from_hz) / from_hz).astype(np.float32)
    converted = _converted(tone, (from_hz, to_hz), [1000, 7777])
    expected = np.sin(2 * np.pi * 440 * np.arange(2 * to_hz) / to_hz)
    middle = slice(to_hz // 10, -to_hz // 10)
    assert abs(len(converted) - 2 * to_hz) <= 1
    np.testing.assert_allclose(converted[: 2 * to_hz][middle], expected[: len(converted)][middle], atol=1e-3)


def test_what_a_lower_rate_cannot_hold_is_removed() -> None:
    tone = np.sin(2 * np.pi * 9000 * np.arange(48000) / 48000).astype(np.float32)
    assert np.abs(_converted(tone, (48000, 16000), [])[1600:-1600]).max() < 1e-4


def test_equal_rates_pass_untouched() -> None:
    signal = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    assert np.array_equal(_converted(signal, (16000, 16000), [1, 500]), signal)


def test_the_resampler_says_what_it_does() -> None:
    assert repr(Resampler(44100, 16000)) == "Resampler(44100 Hz -> 16000 Hz)"
