"""The recording that every reader returns, and how its samples are loaded.

Knows no collection's layout, no splits, and no use of a label.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from device.errors import MissingExtraError, RecordingError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class AnnotatedSpan:
    """A stretch of a recording that somebody annotated: `start_s` <= `end_s`, from the file's start."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True, slots=True)
class AnnotatedRecording:
    """One file of a published collection and its metadata.

    Attributes:
        file: the audio, as it can be opened.
        set: the collection's short name.
        labels: the collection's labels of the whole file, the most general first.
        subject: what a split must keep together (infant, speaker, source); empty if unknown.
        session: the recording session; empty if unknown.
        official_split: the publishers' part; empty if they made none.
        sample_rate_hz: as stored or, if the collection states it, as recorded.
        duration_s: length of the file.
        events: annotated spans, in the collection's order; may be empty.
        note: the collection's other metadata, as free text.
    """

    file: Path
    set: str
    labels: tuple[str, ...]
    subject: str
    session: str
    official_split: str
    sample_rate_hz: int
    duration_s: float
    events: tuple[AnnotatedSpan, ...]
    note: str


def audio_format(file: Path) -> tuple[int, float]:
    """Sample rate in Hz and length in seconds that a file's header states.

    Raises:
        RecordingError: the file is missing or no audio.
        MissingExtraError: soundfile is not installed.
    """
    soundfile = _library("soundfile")
    try:
        header = soundfile.info(file)
    except (OSError, soundfile.LibsndfileError) as error:
        raise RecordingError(f"{file} cannot be read as audio ({error}): restore it or drop it.") from error
    return int(header.samplerate), float(header.duration)


def load_audio(recording: AnnotatedRecording, sample_rate_hz: int) -> npt.NDArray[np.float32]:
    """Samples of a recording, its channels averaged: float32 (n,) at `sample_rate_hz`, about [-1, 1].

    Lossy codecs and resampling may overshoot full scale by a little; nothing is clipped here.

    Raises:
        RecordingError: the file is missing, no audio, or empty.
        MissingExtraError: soundfile or soxr is not installed.
    """
    soundfile, soxr = _library("soundfile"), _library("soxr")
    try:
        samples, stored_rate_hz = soundfile.read(recording.file, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise RecordingError(f"{recording.file} cannot be read as audio ({error}): restore it or drop it.") from error
    if not len(samples):
        raise RecordingError(f"{recording.file} holds no samples: restore it or drop it from the collection.")
    mono = samples.mean(axis=1, dtype=np.float32)
    return np.ascontiguousarray(soxr.resample(mono, stored_rate_hz, sample_rate_hz), dtype=np.float32)


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"Reading recordings needs {name}: install auricle[training].") from error
