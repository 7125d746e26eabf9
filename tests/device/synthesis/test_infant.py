"""The crying infant is one: breath, pitch and throat."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.synthesis.infant import Infant, cry
from device.synthesis.voice import SAMPLE_RATE_HZ

SEEDS = st.integers(0, 2**32)


def loudness_db(sound: npt.NDArray[np.float64], frame_s: float = 0.01) -> npt.NDArray[np.float64]:
    """Level of each frame, beside the loudest: (frames,)."""
    frame = round(frame_s * SAMPLE_RATE_HZ)
    power = (sound[: len(sound) // frame * frame].reshape(-1, frame) ** 2).mean(axis=1)
    level_db: npt.NDArray[np.float64] = 10 * np.log10(power / power.max() + 1e-12)
    return level_db


def bursts_s(sound: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    """Stretches that are at most 15 dB below the loudest frame, gaps under 50 ms bridged."""
    is_loud = loudness_db(sound) > -15
    loud = np.flatnonzero(is_loud)
    ends = np.flatnonzero(np.diff(loud) > 5)
    starts = np.concatenate([[0], ends + 1])
    return [(loud[a] * 0.01, loud[b] * 0.01) for a, b in zip(starts, [*ends, len(loud) - 1], strict=True)]


def pitch_hz(frame: npt.NDArray[np.float64]) -> float:
    """Pitch by the first tall peak of the autocorrelation between 250 and 1000 Hz."""
    power = np.abs(np.fft.rfft(frame * np.hanning(len(frame)), 2 * len(frame))) ** 2
    likeness = np.fft.irfft(power)[16:64]
    is_peak = (likeness[1:-1] > likeness[:-2]) & (likeness[1:-1] >= likeness[2:])
    peaks = np.flatnonzero(is_peak) + 1
    tall = peaks[likeness[peaks] > 0.9 * likeness[peaks].max()]
    return float(SAMPLE_RATE_HZ / (16 + tall[0]))


@given(SEEDS)
@settings(max_examples=30)
def test_every_infant_has_the_throat_and_pitch_of_one(seed: int) -> None:
    infant = Infant.random(np.random.default_rng(seed))
    assert 350 <= infant.f0_hz <= 600
    assert 950 <= infant.formants_hz[0] <= 1_300
    assert 2_500 <= infant.formants_hz[1] <= 3_500
    assert list(infant.formants_hz) == sorted(infant.formants_hz)


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_a_bout_fills_the_time_it_is_given_and_never_more(seed: int) -> None:
    seconds = len(cry(10.0, np.random.default_rng(seed))) / SAMPLE_RATE_HZ
    assert 7.5 < seconds <= 10.0


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_an_infant_cries_in_the_rhythm_of_its_breath(seed: int) -> None:
    bursts = bursts_s(cry(14.0, np.random.default_rng(seed)))
    onsets_s = [start for start, end in bursts if end - start > 0.25]
    assert 0.7 < float(np.median(np.diff(onsets_s))) < 2.0
    assert max(end - start for start, end in bursts) < 1.6


def test_an_infant_cries_at_the_pitch_of_infants() -> None:
    sounds = [cry(14.0, np.random.default_rng(seed)) for seed in range(5)]
    frames = [sound[at : at + 800] for sound in sounds for at in range(0, len(sound) - 800, 800)]
    loud = [frame for frame in frames if np.mean(frame**2) > 0.3 * np.mean(np.square(sounds[0]))]
    low, middle, high = np.percentile([pitch_hz(frame) for frame in loud], [10, 50, 90])
    assert low > 300
    assert 380 < middle < 520
    assert high < 1_000


def test_most_of_a_cry_lies_around_its_first_resonance() -> None:
    power = np.abs(np.fft.rfft(cry(14.0, np.random.default_rng(0)))) ** 2
    frequency_hz = np.linspace(0, SAMPLE_RATE_HZ / 2, len(power))
    share = {
        name: float(power[(frequency_hz >= low) & (frequency_hz < high)].sum() / power.sum())
        for name, low, high in (
            ("below", 0, 300),
            ("first", 700, 1_600),
            ("second", 2_400, 3_800),
            ("top", 6_000, 8_000),
        )
    }
    assert share["first"] > 0.4
    assert share["below"] < 0.01
    assert share["second"] > share["top"] > 0.0


def test_crying_begins_with_an_expiration_and_ends_with_one() -> None:
    sound = cry(14.0, np.random.default_rng(0))
    level_db = loudness_db(sound)
    assert level_db[:20].max() > -10
    assert level_db[-40:].max() > -10


def test_the_same_generator_state_gives_the_same_cry() -> None:
    np.testing.assert_array_equal(cry(5.0, np.random.default_rng(7)), cry(5.0, np.random.default_rng(7)))


def test_another_generator_state_gives_another_cry() -> None:
    one, other = (cry(5.0, np.random.default_rng(seed)) for seed in (7, 8))
    shared = min(len(one), len(other))
    assert abs(np.corrcoef(one[:shared], other[:shared])[0, 1]) < 0.1


@pytest.mark.parametrize("duration_s", [1.0, 2.0])
def test_a_short_bout_is_at_least_one_cry(duration_s: float) -> None:
    assert len(bursts_s(cry(duration_s, np.random.default_rng(0)))) >= 1
