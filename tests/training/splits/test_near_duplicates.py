"""Copies are found through codec, level, bandwidth and place; other sounds of the same kind are not."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from training.splits.make_lists import DUPLICATES, read_recordings, scan
from training.splits.near_duplicates import (
    COMPARED_HZ,
    ComparedClip,
    NearDuplicate,
    find_near_duplicates,
    read_near_duplicates,
    write_near_duplicates,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Samples = npt.NDArray[np.float32]


def babble(seed: int, duration_s: float = 5.0) -> Samples:
    """Gliding harmonic notes with breaths between them and a hiss beneath: a voice, another one for each seed."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(duration_s * COMPARED_HZ)) / COMPARED_HZ
    knots = np.arange(0, duration_s + 0.3, 0.15)
    pitch_hz = np.interp(t, knots, rng.uniform(300, 600, len(knots)))
    loudness = np.interp(t, knots, rng.uniform(0, 1, len(knots)) ** 2)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / COMPARED_HZ
    voice = sum(np.sin(order * phase) / order * rng.uniform(0.3, 1) for order in range(1, 7))
    return np.asarray(0.1 * loudness * voice + 0.003 * rng.standard_normal(len(t)), dtype=np.float32)


def rain(seed: int, duration_s: float = 5.0) -> Samples:
    """Steady noise: nothing but its finest grain tells one stretch from another."""
    return np.asarray(np.random.default_rng(seed).normal(0, 0.05, round(duration_s * COMPARED_HZ)), dtype=np.float32)


def as_vorbis(samples: Samples) -> Samples:
    file = io.BytesIO()
    soundfile.write(file, samples, COMPARED_HZ, format="OGG", subtype="VORBIS", compression_level=0.9)
    file.seek(0)
    return np.asarray(soundfile.read(file, dtype="float32")[0])


def through_telephone(samples: Samples) -> Samples:
    """300 Hz to 3.4 kHz, eight bits, and back from 6.8 kHz: another rate, another grid of samples."""
    spectrum = np.fft.rfft(samples)
    frequency_hz = np.fft.rfftfreq(len(samples), 1 / COMPARED_HZ)
    narrow = np.fft.irfft(spectrum * ((frequency_hz > 300) & (frequency_hz < 3400)), len(samples))
    coarse = np.round(soxr.resample(narrow, COMPARED_HZ, 6800) * 512) / 512
    return np.asarray(soxr.resample(coarse, 6800, COMPARED_HZ), dtype=np.float32)


def tilted(samples: Samples) -> Samples:
    """As through a wall: 6 dB less per octave above 500 Hz."""
    frequency_hz = np.fft.rfftfreq(len(samples), 1 / COMPARED_HZ)
    response = 1 / np.sqrt(1 + (frequency_hz / 500) ** 2)
    return np.asarray(np.fft.irfft(np.fft.rfft(samples) * response, len(samples)), dtype=np.float32)


def compare(**sounds: Samples) -> tuple[NearDuplicate, ...]:
    """Near duplicates among sounds, each in a group of its own."""
    return find_near_duplicates(
        [ComparedClip(name, name, len(one) / COMPARED_HZ, partial(np.copy, one)) for name, one in sounds.items()]
    )


def pairs(found: tuple[NearDuplicate, ...]) -> set[tuple[str, str]]:
    return {(one.file_a, one.file_b) for one in found}


CHANGES: dict[str, Callable[[Samples], Samples]] = {
    "same": lambda samples: samples,
    "vorbis": as_vorbis,
    "quiet": lambda samples: samples * np.float32(0.03),
    "inverted": lambda samples: -samples,
    "telephone": through_telephone,
    "wall": tilted,
    "noisy": lambda samples: samples + rain(99, len(samples) / COMPARED_HZ)[: len(samples)] * np.float32(0.08),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("sound", [babble, rain])
def test_a_copy_is_found_whatever_it_went_through(sound: Callable[[int], Samples], change: str) -> None:
    original = sound(1)
    found = compare(original=original, copy=CHANGES[change](original[4_567:36_000]), other=sound(2))
    assert pairs(found) == {("copy", "original")}
    assert found[0].offset_s == pytest.approx(4_567 / COMPARED_HZ, abs=0.02)


@settings(max_examples=10)
@given(start=st.integers(0, 28_000), lead=st.integers(0, 20_000), seed=st.integers(0, 1000))
def test_a_second_and_a_half_in_common_is_enough(start: int, lead: int, seed: int) -> None:
    original, other = babble(seed), babble(seed + 5000)
    shared = original[start : start + int(1.5 * COMPARED_HZ)]
    spliced = np.concatenate([other[:lead], shared, other[lead : lead + 9_000]])
    found = compare(a=original, b=spliced)
    assert pairs(found) == {("a", "b")}
    assert found[0].offset_s == pytest.approx((lead - start) / COMPARED_HZ, abs=0.02)


def test_pieces_that_overlap_at_their_ends_are_found() -> None:
    whole = babble(7, 8.0)
    found = compare(first=whole[: 5 * COMPARED_HZ], second=whole[int(3.4 * COMPARED_HZ) :])
    assert pairs(found) == {("first", "second")}
    assert found[0].offset_s == pytest.approx(-3.4, abs=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_a_clip_of_one_second_is_found_in_a_longer_one(seed: int) -> None:
    whole = babble(seed)
    word = whole[11_111 : 11_111 + COMPARED_HZ]
    assert pairs(compare(whole=whole, word=word, other=babble(50, 1.0))) == {("whole", "word")}


def test_different_sounds_of_one_kind_are_not_copies() -> None:
    assert not compare(**{f"babble{seed}": babble(seed) for seed in range(12)})
    assert not compare(**{f"rain{seed}": rain(seed) for seed in range(12)})


def test_one_steady_pitch_is_no_copy_of_another_sound_of_that_pitch() -> None:
    t = np.arange(3 * COMPARED_HZ) / COMPARED_HZ
    tone = np.asarray(0.1 * np.sin(2 * np.pi * 440 * t), dtype=np.float32)
    assert not compare(a=tone + rain(1, 3.0) * np.float32(0.1), b=tone + rain(2, 3.0) * np.float32(0.1))


def test_silence_is_no_copy_of_silence() -> None:
    zeros = np.zeros(3 * COMPARED_HZ, np.float32)
    assert not compare(a=zeros, b=zeros.copy(), c=np.zeros(0, np.float32), d=babble(1))


def test_one_group_is_not_compared_with_itself() -> None:
    sound = babble(1)
    clips = [ComparedClip(name, "one", 5.0, partial(np.copy, sound)) for name in ("a", "b")]
    assert not find_near_duplicates(clips)


def test_findings_survive_their_file(tmp_path: Path) -> None:
    found = (NearDuplicate("a.ogg", "b.ogg", 0.91, 0.87, -1.25), NearDuplicate("a.ogg", "c, d.ogg", 0.8, 0.5, 0.0))
    write_near_duplicates(tmp_path / "found.csv", reversed(found))
    assert read_near_duplicates(tmp_path / "found.csv") == found


@pytest.mark.real_audio
def test_the_committed_findings_are_found_again(data_dir: Path) -> None:
    """All findings between two collections or two of ESC-50's, their clips mixed with others of the same classes."""
    committed = [
        pair
        for pair in read_near_duplicates(DUPLICATES)
        if not (pair.file_a.startswith("scream_mg") and pair.file_b.startswith("scream_mg"))
    ]
    wanted = {name for pair in committed for name in (pair.file_a, pair.file_b)}
    sets = ("donateacry", "esc50", "scream", "scream_mg", "hard_neg", "pets", "animals")
    recordings = read_recordings(data_dir, sets)
    chosen = [
        recording
        for index, recording in enumerate(recordings)
        if recording.file.relative_to(data_dir).as_posix() in wanted or index % 97 == 0
    ]
    found = {(pair.file_a, pair.file_b): pair for pair in scan(chosen, data_dir)}
    assert {(pair.file_a, pair.file_b) for pair in committed} <= found.keys()
    for pair in committed:
        again = found[pair.file_a, pair.file_b]
        assert again.similarity == pytest.approx(pair.similarity, abs=0.02)
        assert again.waveform == pytest.approx(pair.waveform, abs=0.05)


@pytest.mark.real_audio
def test_real_clips_are_found_in_their_copies_and_nowhere_else(data_dir: Path) -> None:
    cries = [one for one in read_recordings(data_dir, ("esc50",)) if one.labels == ("crying_baby",)]
    subjects = {one.subject: one for one in cries}
    originals = {name: heard(one.file) for name, one in subjects.items()}
    copies = {f"{name} copy": through_telephone(as_vorbis(sound[8_765:32_000])) for name, sound in originals.items()}
    assert pairs(compare(**originals, **copies)) == {(name, f"{name} copy") for name in originals}


def heard(file: Path) -> Samples:
    samples, sample_rate_hz = soundfile.read(file, dtype="float32")
    return np.asarray(soxr.resample(samples, sample_rate_hz, COMPARED_HZ))


def test_the_number_of_workers_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    sound = rng.standard_normal(2 * COMPARED_HZ).astype(np.float32)
    sounds = {"a": sound, "b": 0.5 * sound, "c": rng.standard_normal(2 * COMPARED_HZ).astype(np.float32)}
    clips = [ComparedClip(name, name, 2.0, partial(np.copy, one)) for name, one in sounds.items()]
    assert find_near_duplicates(clips, workers=2) == find_near_duplicates(clips)
    assert pairs(find_near_duplicates(clips)) == {("a", "b")}
