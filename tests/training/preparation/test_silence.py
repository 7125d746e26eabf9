"""Silence goes, sound stays in its order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.preparation.silence import sounding_spans, without_silence

RATE_HZ = 4_000


def sound(*parts_s: float) -> np.ndarray:
    """Noise and silence in turn, noise first."""
    rng = np.random.default_rng(1)
    parts = [
        (0.1 * rng.standard_normal(round(seconds * RATE_HZ)) if index % 2 == 0 else np.zeros(round(seconds * RATE_HZ)))
        for index, seconds in enumerate(parts_s)
    ]
    return np.concatenate(parts).astype(np.float32)


def test_a_pause_between_two_sounds_is_found_and_removed() -> None:
    samples = sound(0.5, 1.0, 0.5)
    assert sounding_spans(samples, RATE_HZ) == [(0, 2000), (6000, 8000)]
    assert np.array_equal(without_silence(samples, RATE_HZ), np.concatenate([samples[:2000], samples[6000:]]))


def test_a_short_pause_stays() -> None:
    samples = sound(0.5, 0.05, 0.5)
    assert np.array_equal(without_silence(samples, RATE_HZ), samples)


def test_a_quiet_sound_is_silence_beside_a_loud_one_and_not_by_itself() -> None:
    loud, quiet = sound(1.0), np.float32(0.001) * sound(1.0)
    assert len(without_silence(np.concatenate([loud, quiet]), RATE_HZ)) == len(loud)
    assert len(without_silence(quiet, RATE_HZ)) == len(quiet)


def test_where_nothing_sounds_nothing_is_removed() -> None:
    assert sounding_spans(np.zeros(0, np.float32), RATE_HZ) == []
    assert without_silence(np.zeros(100, np.float32), RATE_HZ).tolist() == [0.0] * 100


@given(st.lists(st.floats(0.0, 0.6), min_size=1, max_size=6))
def test_spans_rise_within_the_sound_and_hold_its_loudest_sample(parts_s: list[float]) -> None:
    samples = sound(*parts_s)
    ends = [position for span in sounding_spans(samples, RATE_HZ) for position in span]
    assert ends == sorted(set(ends))
    assert all(0 <= position <= len(samples) for position in ends)
    if ends:
        assert np.abs(without_silence(samples, RATE_HZ)).max() == np.abs(samples).max()
