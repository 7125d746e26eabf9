"""Windows to learn from: seeded, finite, in range, and labelled by what is audible."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.clips import SAMPLE_RATE_HZ
from training.mixing import augment
from training.mixing.augment import AugmentSettings, Group, Palette, Sound
from training.mixing.signal import STEP_SAMPLES

RATE = SAMPLE_RATE_HZ
PLAIN = AugmentSettings(
    cry_share=1.0,
    cut_cry_share=0.0,
    speech_with_cry_share=0.0,
    speed_range=(1.0, 1.0),
    room_share=0.0,
    clean_share=1.0,
    narrow_sound_share=0.0,
    narrow_share=0.0,
    highpass_share=0.0,
    lowpass_share=0.0,
    tilt_db_per_octave=0.0,
    clipped_share=0.0,
    gated_share=0.0,
    repeated_share=0.0,
    mu_law_share=0.0,
)


def _tone(seconds: float, hz: float, active: bool | None) -> Sound:  # noqa: FBT001 - a row of a table
    count = int(seconds * RATE)
    samples = (0.3 * np.sin(2 * np.pi * hz * np.arange(count) / RATE)).astype(np.float32)
    steps = count // STEP_SAMPLES
    mask = None if active is None else np.full(steps, active)
    return Sound("set/tone.ogg", samples, np.arange(steps), mask, is_narrow=False)


def _palette() -> Palette:
    cry, other = _tone(5.0, 440.0, active=True), _tone(3.0, 1000.0, active=None)
    kinds = tuple(Group(1.0, (sound,), (1.0,)) for sound in (other, _tone(0.5, 700.0, active=None)))
    return Palette((Group(1.0, (cry,), (1.0,)),), kinds, kinds, kinds, ())


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_equal_seeds_give_equal_windows_that_a_microphone_could_have_given(seed: int) -> None:
    first, second = (augment.example(np.random.default_rng(seed), _palette(), AugmentSettings()) for _ in range(2))
    assert np.array_equal(first.samples, second.samples)
    assert (first.target, first.weight) == (second.target, second.weight)
    assert first.samples.shape == (augment.WINDOW_SAMPLES,)
    assert first.samples.dtype == np.float32
    assert np.isfinite(first.samples).all()
    assert np.abs(first.samples).max() <= 1.0
    assert np.array_equal(np.round(first.samples * 32_768), first.samples * 32_768)
    assert 0.0 <= first.target <= 1.0
    assert 0.0 < first.weight <= 1.0


def test_seeds_differ() -> None:
    first, second = (augment.example(np.random.default_rng(seed), _palette(), PLAIN).samples for seed in (1, 2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(("audible_s", "target"), [(0.0, 0.0), (0.1, 0.0), (0.3, 0.5), (0.5, 1.0), (2.0, 1.0)])
def test_the_target_is_the_audible_share_between_its_two_limits(audible_s: float, target: float) -> None:
    active = np.arange(augment.WINDOW_STEPS) < round(audible_s * 100)
    assert augment.target_of(active, PLAIN) == pytest.approx(target)


def test_a_cry_that_fills_the_window_is_one_and_every_other_sound_is_none() -> None:
    cries = Palette((Group(1.0, (_tone(30.0, 440.0, active=True),), (1.0,)),), (), (), (), ())
    assert augment.example(np.random.default_rng(3), cries, PLAIN).target == 1.0
    others = dataclasses.replace(PLAIN, cry_share=0.0)
    assert {augment.example(np.random.default_rng(seed), _palette(), others).target for seed in range(20)} == {0.0}


def test_a_cry_behind_a_closed_gate_is_no_cry() -> None:
    gated = dataclasses.replace(PLAIN, gated_share=1.0)
    for seed in range(20):
        one = augment.example(np.random.default_rng(seed), _palette(), gated)
        heard_s = np.count_nonzero(one.samples) / RATE
        assert one.target <= max(0.0, (heard_s + 0.05 - 0.1) / 0.4)
