"""The voices of the golden sequence: finite, of their length and level at every rate, and equal on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from converter.golden.golden_voices import cry, scream
from converter.golden.golden_windows import golden_sequence

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Voice = Callable[[float, int, np.random.Generator], npt.NDArray[np.float64]]


@pytest.mark.parametrize("voice", [cry, scream])
@pytest.mark.parametrize("sample_rate_hz", [4_000, 16_000, 44_100])
def test_a_voice_has_its_length_and_level_at_any_rate(voice: Voice, sample_rate_hz: int) -> None:
    samples = voice(2.3, sample_rate_hz, np.random.default_rng(1))
    assert samples.shape == (round(2.3 * sample_rate_hz),)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() == pytest.approx(0.4)
    assert np.array_equal(samples, voice(2.3, sample_rate_hz, np.random.default_rng(1)))


def test_a_scream_is_higher_than_a_cry() -> None:
    def loudest_hz(samples: npt.NDArray[np.float64]) -> float:
        power = np.abs(np.fft.rfft(samples)) ** 2
        return float(np.fft.rfftfreq(len(samples), 1 / 16_000)[power.argmax()])

    rng = np.random.default_rng(1)
    assert loudest_hz(scream(2.0, 16_000, rng)) > 1_200 > loudest_hz(cry(2.0, 16_000, rng))


def test_the_sequence_is_quiet_first_and_then_holds_both_voices() -> None:
    sequence = golden_sequence(16_000, 32_000, 8_000, 6)
    assert sequence.samples.shape == (32_000 + 9 * 8_000,)
    quarter = len(sequence.samples) // 4
    assert np.abs(sequence.samples[:quarter]).max() < 0.02
    assert np.abs(sequence.samples[quarter : 2 * quarter]).max() > 0.2
    assert np.abs(sequence.samples[3 * quarter :]).max() > 0.3
