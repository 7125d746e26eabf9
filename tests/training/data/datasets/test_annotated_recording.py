"""What readers give, and that samples come back mono, at the rate asked for, or with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from device.errors import RecordingError
from training.data.datasets.annotated_recording import AnnotatedRecording, audio_format, load_audio

if TYPE_CHECKING:
    from pathlib import Path


def recording_of(file: Path) -> AnnotatedRecording:
    return AnnotatedRecording(
        file=file,
        set="test",
        labels=("tone",),
        subject="a",
        session="",
        official_split="",
        sample_rate_hz=16_000,
        duration_s=1.0,
        events=(),
        note="",
    )


def tone(sample_rate_hz: int, duration_s: float = 1.0) -> np.ndarray:
    t = np.arange(round(sample_rate_hz * duration_s)) / sample_rate_hz
    return np.asarray(0.5 * np.sin(2 * np.pi * 440 * t), dtype=np.float32)


def test_channels_are_averaged(tmp_path: Path) -> None:
    file = tmp_path / "two.wav"
    left = tone(16_000)
    soundfile.write(file, np.stack([left, -0.5 * left], axis=1), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(recording_of(file), 16_000), 0.25 * left, atol=1e-7)


@given(stored_hz=st.sampled_from([8_000, 11_025, 16_000, 44_100, 48_000]), wanted_hz=st.sampled_from([4_000, 16_000]))
def test_any_rate_becomes_the_rate_asked_for(
    tmp_path_factory: pytest.TempPathFactory, stored_hz: int, wanted_hz: int
) -> None:
    file = tmp_path_factory.mktemp("rate") / "tone.wav"
    soundfile.write(file, tone(stored_hz), stored_hz, subtype="FLOAT")
    samples = load_audio(recording_of(file), wanted_hz)
    assert samples.dtype == np.float32
    assert abs(len(samples) - wanted_hz) <= 1
    middle = slice(wanted_hz // 4, wanted_hz // 2)
    np.testing.assert_allclose(samples[middle], tone(wanted_hz)[middle], atol=0.02)


def test_the_header_tells_rate_and_length(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(8_000, 2.5), 8_000)
    assert audio_format(tmp_path / "a.wav") == (8_000, 2.5)


def test_a_missing_damaged_or_empty_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    damaged, empty = tmp_path / "damaged.wav", tmp_path / "empty.wav"
    damaged.write_bytes(b"RIFF, or so it says")
    soundfile.write(empty, np.zeros(0, np.float32), 16_000)
    for file in (tmp_path / "missing.wav", damaged):
        with pytest.raises(RecordingError, match=f"{file.name} cannot be read as audio"):
            load_audio(recording_of(file), 16_000)
        with pytest.raises(RecordingError, match=f"{file.name} cannot be read as audio"):
            audio_format(file)
    with pytest.raises(RecordingError, match=r"empty\.wav holds no samples"):
        load_audio(recording_of(empty), 16_000)
