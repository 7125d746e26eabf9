"""The talkers talk like adults, and say nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.demo.talkers import Talker, babble
from device.synthesis.voice import SAMPLE_RATE_HZ


def envelope(sound: npt.NDArray[np.float64], frame_s: float = 0.01) -> npt.NDArray[np.float64]:
    """Root mean square of each frame: (frames,)."""
    frame = round(frame_s * SAMPLE_RATE_HZ)
    power = (sound[: len(sound) // frame * frame].reshape(-1, frame) ** 2).mean(axis=1)
    level: npt.NDArray[np.float64] = np.sqrt(power)
    return level


@given(st.integers(0, 2**32))
@settings(max_examples=30)
def test_talkers_are_adults(seed: int) -> None:
    talker = Talker.random(np.random.default_rng(seed))
    assert 90 <= talker.f0_hz <= 220
    assert 0.95 <= talker.size <= 1.2
    assert 3 <= talker.syllables_per_s <= 5


@pytest.mark.parametrize("duration_s", [4.0, 7.5])
def test_babble_lasts_as_long_as_it_is_told(duration_s: float) -> None:
    assert len(babble(duration_s, 2, np.random.default_rng(0))) == round(duration_s * SAMPLE_RATE_HZ)


def test_one_talker_pauses_between_phrases() -> None:
    level = envelope(babble(12.0, 1, np.random.default_rng(1)))
    is_silent = level < 0.01 * level.max()
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[False], is_silent, [False]]).astype(int))))[::2]
    assert runs.max() >= 25


def test_speech_swells_with_its_syllables() -> None:
    level = envelope(babble(40.0, 1, np.random.default_rng(2)))
    spectrum = np.abs(np.fft.rfft(level - level.mean())) ** 2
    rate_hz = np.linspace(0, 50, len(spectrum))
    syllabic = spectrum[(rate_hz > 2.5) & (rate_hz < 6.5)].mean()
    assert syllabic > 10 * spectrum[(rate_hz > 15) & (rate_hz < 40)].mean()


def test_most_of_speech_lies_below_a_kilohertz_but_hiss_reaches_far_above() -> None:
    power = np.abs(np.fft.rfft(babble(12.0, 2, np.random.default_rng(0)))) ** 2
    frequency_hz = np.linspace(0, SAMPLE_RATE_HZ / 2, len(power))
    assert power[frequency_hz < 1_000].sum() > 0.7 * power.sum()
    assert 1e-6 < power[frequency_hz > 3_500].sum() / power.sum() < 0.1


def test_the_same_generator_state_gives_the_same_words() -> None:
    one, other = (babble(4.0, 2, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
