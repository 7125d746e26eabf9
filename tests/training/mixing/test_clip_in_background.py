"""Clips keep their level, lie well within their background, and begin with no click."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.clips import SAMPLE_RATE_HZ
from training.mixing import clip_in_background
from training.mixing.clip_in_background import (
    MARGIN_S,
    as_16_bit_recording,
    is_home_sound,
    mix_clip,
    mix_speech,
    onset_sample,
    place_clip,
)
from training.mixing.signal import loud_power

Float32 = npt.NDArray[np.float32]

LEAD = 4 * SAMPLE_RATE_HZ


def tone(seconds: float, peak: float, hz: float = 440.0) -> Float32:
    time_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (peak * np.cos(2 * np.pi * hz * time_s)).astype(np.float32)


def hiss(seconds: float, level: float, seed: int = 0) -> Float32:
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal(round(seconds * SAMPLE_RATE_HZ))).astype(np.float32)


def power(samples: Float32) -> float:
    return float(np.mean(samples.astype(np.float64) ** 2))


@settings(max_examples=25)
@given(st.floats(0.02, 0.5), st.floats(0, 30), st.floats(1e-4, 0.5))
def test_the_clip_lies_so_far_over_its_background_whatever_either_level(
    peak: float, snr_db: float, level: float
) -> None:
    scene = place_clip(tone(2, peak), hiss(10, level), lead_samples=LEAD, snr_db=snr_db)
    turned_down = np.abs(scene.samples).max() > 0.99  # both, alike
    before = power(scene.samples[:LEAD])
    clip = power(scene.samples[LEAD + 800 : LEAD + 31_200]) - before
    # 16 bits and the crest of a short stretch of noise allow for half a decibel.
    assert 10 * np.log10(clip / before) == pytest.approx(snr_db, abs=0.6)
    assert turned_down or clip == pytest.approx(peak**2 / 2, rel=0.1)


def test_a_silent_clip_has_a_quiet_room_around_it() -> None:
    scene = place_clip(np.zeros(SAMPLE_RATE_HZ, np.float32), hiss(10, 0.3), lead_samples=LEAD, snr_db=20)
    assert 10 * np.log10(power(scene.samples)) == pytest.approx(-70, abs=1)


def test_a_digitally_silent_background_is_left_so() -> None:
    scene = place_clip(tone(1, 0.5), np.zeros(10 * SAMPLE_RATE_HZ, np.float32), lead_samples=LEAD, snr_db=20)
    assert not scene.samples[:LEAD].any()
    assert np.isfinite(scene.samples).all()


def test_no_click_tells_where_a_clip_was_cut() -> None:
    """The cosine starts at its peak: cut hard, the first sample would leap by all of it."""
    clip = tone(1, 0.9)
    scene = place_clip(clip, np.zeros(10 * SAMPLE_RATE_HZ, np.float32), lead_samples=LEAD, snr_db=20)
    steps = np.abs(np.diff(scene.samples))
    assert steps.max() <= np.abs(np.diff(clip)).max() * 1.05


@pytest.mark.parametrize("seed", range(8))
def test_at_least_the_margin_lies_on_both_sides(seed: int) -> None:
    clip = tone(1.3, 0.2)
    (scene,) = mix_clip(np.random.default_rng(seed), clip, [hiss(60, 0.1)], snrs_db=(20,))
    assert MARGIN_S <= scene.start_s < MARGIN_S + 0.5
    assert scene.end_s - scene.start_s == pytest.approx(1.3)
    assert len(scene.samples) / SAMPLE_RATE_HZ - scene.end_s == pytest.approx(MARGIN_S)


def test_equal_seeds_give_equal_scenes() -> None:
    clip, rooms = tone(1, 0.2), [hiss(30, 0.1), hiss(3, 0.1, seed=1)]
    first, again, other = (
        mix_clip(np.random.default_rng(seed), clip, rooms, snrs_db=(20, 0))[1].samples for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first[:LEAD], other[:LEAD])


def test_all_levels_share_one_background() -> None:
    loud, faint = mix_clip(np.random.default_rng(1), tone(1, 0.2), [], snrs_db=(0, 20))
    assert faint.start_s == loud.start_s
    together = np.corrcoef(loud.samples[:LEAD], faint.samples[:LEAD])[0, 1]
    assert together == pytest.approx(1, abs=1e-3)


def test_recordings_and_synthesized_tones_are_both_drawn() -> None:
    recording = tone(60, 0.1, hz=1000)
    drawn = [clip_in_background.background(np.random.default_rng(seed), [recording], 16_000) for seed in range(40)]
    recorded = sum(float(np.abs(one).max()) == pytest.approx(0.1, abs=1e-4) for one in drawn)
    assert 10 < recorded < 30


def test_a_short_recording_is_repeated() -> None:
    recording = np.arange(1, 101, dtype=np.float32)
    for seed in range(10):
        drawn = clip_in_background.background(np.random.default_rng(seed), [recording], 250)
        if drawn.max() > 50:  # the recording and no tone
            assert np.array_equal(drawn[:100], drawn[100:200])
            return
    pytest.fail("the recording was never drawn")


def test_what_exceeds_full_scale_is_turned_down_and_not_clipped() -> None:
    loud = tone(0.1, 3.0)
    held = as_16_bit_recording(loud)
    assert np.abs(held).max() <= 32_767 / 32_768
    assert np.allclose(held, loud / 3.0, atol=1e-4)


def test_scenes_lie_on_the_grid_of_16_bits() -> None:
    steps = as_16_bit_recording(hiss(1, 0.1)) * 32_768
    assert np.array_equal(steps, np.round(steps))


@pytest.mark.parametrize("silence_s", [0.0, 0.5, 1.25])
def test_an_onset_is_where_the_silence_ends(silence_s: float) -> None:
    clip = np.concatenate([hiss(silence_s, 1e-4), tone(1, 0.3)])
    assert onset_sample(clip) / SAMPLE_RATE_HZ == pytest.approx(silence_s, abs=0.05)


def test_sound_more_than_20_db_below_the_loud_part_is_no_onset() -> None:
    faint, audible, loud = tone(1, 0.3 * 10 ** (-23 / 20)), tone(1, 0.3 * 10 ** (-17 / 20)), tone(1, 0.3)
    assert onset_sample(np.concatenate([faint, loud])) == SAMPLE_RATE_HZ
    assert onset_sample(np.concatenate([audible, loud])) == 0


@pytest.mark.parametrize("samples", [0, 100, 16_000])
def test_silence_has_its_onset_at_its_start(samples: int) -> None:
    assert onset_sample(np.zeros(samples, np.float32)) == 0


def test_speech_holds_every_sentence_after_a_pause_over_the_tone_of_a_room() -> None:
    sentences = [tone(1, 0.3), tone(2, 0.3)]
    samples = mix_speech(np.random.default_rng(2), sentences)
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    levels = 10 * np.log10(np.mean(frames.astype(np.float64) ** 2, axis=1) + 1e-20)
    speaks = levels > -25
    runs = [(key, len(list(held)) / 100) for key, held in itertools.groupby(speaks.tolist())]
    assert [seconds for key, seconds in runs if key] == pytest.approx([1, 2], abs=0.03)
    pauses = [seconds for key, seconds in runs if not key]
    assert len(pauses) == 3
    assert min(pauses) > 0.45
    quiet = float(np.mean(10 ** (levels[~speaks] / 10)))
    assert 10 * np.log10(loud_power(np.concatenate(sentences)) / quiet) == pytest.approx(30, abs=3)


@pytest.mark.parametrize(
    ("subject", "at_home"),
    [
        ("ambient:ceiling fan", True),
        ("ambient:rain on tent", True),
        ("ambient:subway station", False),
        ("ambient:inside a train", False),
        ("ambient:music rain", False),
    ],
)
def test_only_what_is_heard_at_home_lies_under_clips(subject: str, at_home: bool) -> None:  # noqa: FBT001 - a parameter
    assert is_home_sound(subject) is at_home
