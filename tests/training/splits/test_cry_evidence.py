"""The signal's witness knows a held infant voice from speech, noise and silence; both witnesses repeat themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.clips import SAMPLE_RATE_HZ
from training.splits.cry_evidence import (
    CryEvidence,
    gather,
    infant_voice_s,
    read_evidence,
    write_evidence,
)
from training.splits.make_lists import EVIDENCE, read_recordings

if TYPE_CHECKING:
    from pathlib import Path

Samples = npt.NDArray[np.float32]


def voice(pitch_hz: float, duration_s: float, *, vibrato: float = 0.03) -> Samples:
    """Ten harmonics that fall off by 6 dB an octave, with a vibrato of 6 Hz."""
    t = np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    phase = 2 * np.pi * pitch_hz * (t + vibrato / (2 * np.pi * 6) * np.sin(2 * np.pi * 6 * t))
    wave = sum(np.sin(order * phase) / order for order in range(1, 11))
    return np.asarray(0.1 * np.asarray(wave), dtype=np.float32)


def silence(duration_s: float) -> Samples:
    return np.zeros(round(duration_s * SAMPLE_RATE_HZ), np.float32)


def noise(duration_s: float, level: float = 0.1) -> Samples:
    return np.asarray(np.random.default_rng(5).normal(0, level, round(duration_s * SAMPLE_RATE_HZ)), dtype=np.float32)


@settings(max_examples=25)
@given(pitch_hz=st.floats(320, 750), held_s=st.floats(0.4, 2.5), gain=st.floats(0.02, 1.5))
def test_a_held_voice_of_an_infants_pitch_is_counted_at_any_level(pitch_hz: float, held_s: float, gain: float) -> None:
    samples = np.concatenate([silence(0.5), voice(pitch_hz, held_s), silence(0.5)]) * np.float32(gain)
    assert infant_voice_s(samples) == pytest.approx(held_s, abs=0.12)


@pytest.mark.parametrize("pitch_hz", [90.0, 110.0, 160.0, 220.0, 280.0])
def test_a_grown_voice_is_not_counted(pitch_hz: float) -> None:
    assert infant_voice_s(voice(pitch_hz, 2.0)) == 0.0


def test_a_shrill_cry_counts_an_octave_down() -> None:
    assert infant_voice_s(voice(1200, 2.0)) > 1.5


def test_syllables_are_too_short_to_count() -> None:
    syllables = np.concatenate([part for _ in range(8) for part in (voice(420, 0.12), silence(0.15))])
    assert infant_voice_s(syllables) == 0.0


def test_noise_silence_and_a_click_hold_no_voice() -> None:
    click = silence(2.0)
    click[8_000] = 1.0
    for samples in (noise(2.0), silence(2.0), silence(0.0), click):
        assert infant_voice_s(samples) == 0.0


def test_a_cry_is_still_heard_above_noise() -> None:
    samples = voice(450, 2.0)
    level = float(np.sqrt((samples**2).mean()))
    assert infant_voice_s(samples + noise(2.0, level / 3)) > 1.5
    assert infant_voice_s(samples * np.float32(0.001)) == 0.0  # below what a microphone gives


def test_evidence_survives_its_file(tmp_path: Path) -> None:
    one, other = CryEvidence("a/b.ogg", 0.5, 0.25, 1.75), CryEvidence("a/c, d.ogg", 0.0, 1.0, 0.0)
    write_evidence(tmp_path / "evidence.csv", [other, one])
    assert read_evidence(tmp_path / "evidence.csv") == {"a/b.ogg": one, "a/c, d.ogg": other}


@pytest.mark.real_audio
def test_the_committed_evidence_is_measured_again(data_dir: Path, peers_dir: Path) -> None:
    recordings = read_recordings(data_dir, ("donateacry", "esc50", "babycry", "scream_audioset"))
    committed = read_evidence(EVIDENCE)
    sample = [one for one in recordings if one.file.relative_to(data_dir).as_posix() in committed][::50]
    measured = gather(sample, data_dir, peers_dir / "yamnet.tflite")
    assert len(measured) == len(sample) > 8
    for one in measured:
        again = committed[one.file]
        assert (one.crying, one.infant) == pytest.approx((again.crying, again.infant), abs=0.03)
        assert one.voice_s == pytest.approx(again.voice_s, abs=0.05)


@pytest.mark.real_audio
def test_every_clip_called_a_cry_was_listened_to(data_dir: Path) -> None:
    recordings = read_recordings(data_dir, ("donateacry", "esc50", "babycry"))
    cries = {
        one.file.relative_to(data_dir).as_posix() for one in recordings if {"cry", "crying_baby"} & set(one.labels)
    }
    assert len(cries) == 368 + 32 + 42
    assert cries <= read_evidence(EVIDENCE).keys()
