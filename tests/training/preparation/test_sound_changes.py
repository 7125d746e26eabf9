"""Changes of a window: length, level and finiteness are kept, and the generator alone decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.preparation import sound_changes
from training.preparation.loudness import rms
from training.preparation.recipes import CRACKLE, EITHER, FOUR_CHANGES, WHEEZE, Recipe

if TYPE_CHECKING:
    from training.preparation.recipes import Change

RATE_HZ = 4_000
CHANGES = (
    sound_changes.with_noise,
    sound_changes.time_masked,
    sound_changes.frequency_masked,
    sound_changes.pitch_shifted,
    sound_changes.time_stretched,
    sound_changes.in_a_room,
    sound_changes.mixed_with_partner,
    sound_changes.time_shifted,
)


def noise(seed: int, count: int = 8_000, level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def tone(hz: float, count: int = 8_000) -> np.ndarray:
    return (0.1 * np.sin(2 * np.pi * hz * np.arange(count) / RATE_HZ)).astype(np.float32)


def changed(change: Change, samples: np.ndarray, seed: int = 0, **limits: tuple[float, float]) -> np.ndarray:
    return change(samples, RATE_HZ, np.random.default_rng(seed), lambda: noise(99, len(samples)), **limits)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@given(seed=st.integers(0, 2**32), count=st.integers(1_000, 9_000), level_db=st.floats(-100, -10))
@settings(max_examples=15, deadline=None)
def test_length_and_level_are_kept_and_all_is_finite(change: Change, seed: int, count: int, level_db: float) -> None:
    samples = noise(seed, count, 10 ** (level_db / 20))
    result = changed(change, samples, seed)
    assert result.shape == samples.shape
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert rms(result) == pytest.approx(rms(samples), rel=1e-3)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_the_seed_decides_and_the_input_is_left_alone(change: Change) -> None:
    samples = noise(3)
    before = samples.copy()
    one, again, other = (changed(change, samples, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert np.array_equal(samples, before)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_silence_stays_finite(change: Change) -> None:
    assert np.isfinite(changed(change, np.zeros(8_000, np.float32))).all()


def _loudest_hz(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples)))) * RATE_HZ / len(samples)


def test_pitch_moves_by_the_drawn_interval_and_tempo_does_not_move_it() -> None:
    assert _loudest_hz(changed(sound_changes.pitch_shifted, tone(400), semitones=(2, 2))) == pytest.approx(449, abs=4)
    assert _loudest_hz(changed(sound_changes.time_stretched, tone(400), factor=(1.1, 1.1))) == pytest.approx(400, abs=4)


def test_a_masked_band_and_a_masked_moment_are_gone() -> None:
    samples = noise(4)
    spectrum = np.abs(np.fft.rfft(changed(sound_changes.frequency_masked, samples, share=(0.1, 0.1))))
    assert (spectrum < 1e-3 * np.median(spectrum)).sum() == 400
    masked = changed(sound_changes.time_masked, samples, share=(0.1, 0.1))
    assert (masked == 0).sum() == pytest.approx(800, abs=2)


def test_noise_stands_at_the_drawn_ratio() -> None:
    samples = tone(400)
    result = changed(sound_changes.with_noise, samples, snr_db=(20, 20))
    scale = np.dot(result, samples) / np.dot(samples, samples)
    assert 20 * np.log10(rms(scale * samples) / rms(result - scale * samples)) == pytest.approx(20, abs=0.3)


def test_the_partner_is_heard_below_the_window() -> None:
    samples, partner = tone(400), tone(900)
    result = sound_changes.mixed_with_partner(
        samples, RATE_HZ, np.random.default_rng(0), lambda: partner, weight=(0.75, 0.75)
    )
    spectrum = np.abs(np.fft.rfft(result))
    assert spectrum[1800] / spectrum[800] == pytest.approx(1 / 3, rel=1e-3)


@pytest.mark.parametrize("recipe", [CRACKLE, WHEEZE, EITHER, FOUR_CHANGES], ids=lambda recipe: recipe.name)
def test_a_recipe_always_changes_something_and_keeps_length_and_level(recipe: Recipe) -> None:
    samples = noise(5)
    for seed in range(10):
        result = changed(recipe, samples, seed)
        assert not np.array_equal(result, samples)
        assert result.shape == samples.shape
        assert rms(result) == pytest.approx(rms(samples), rel=1e-3)


def test_a_wheeze_keeps_its_pitch_within_half_a_semitone() -> None:
    for seed in range(20):
        assert abs(12 * np.log2(_loudest_hz(changed(WHEEZE, tone(400), seed)) / 400)) <= 0.6
