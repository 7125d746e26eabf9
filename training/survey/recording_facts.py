"""What is measured of one recording: levels of the whole, and the spectrum of each stretch that has a label.

Opens the recording once; many are measured at a time by `training.scaling`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.errors import RecordingError
from device.hearing import features
from device.hearing.spec import FeatureSpec
from training.data.datasets.annotated_recording import load_audio
from training.data.datasets.annotation_checks import UNUSABLE
from training.survey.levels import Levels, levels_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from training.data.datasets.annotated_recording import AnnotatedRecording

    Float32 = npt.NDArray[np.float32]

RATE_HZ = 16_000
LONGEST_S = 30.0
"""Of a longer stretch its beginning is compared."""

LOG_MEL = FeatureSpec(
    sample_rate_hz=RATE_HZ, window_samples=RATE_HZ, frame_length=512, n_fft=512, hop=320, n_mels=40, floor=1e-9
)
"""Of the pictures and of the comparison of labels; `MFCC` is of the same frames."""

MFCC = FeatureSpec(
    sample_rate_hz=RATE_HZ,
    window_samples=RATE_HZ,
    frame_length=512,
    n_fft=512,
    hop=320,
    n_mels=40,
    floor=1e-9,
    n_mfcc=13,
)

_SOUNDING_DB = 40.0


@dataclass(frozen=True, slots=True, eq=False)
class LabelledStretch:
    """A stretch and its label.

    Attributes:
        label: of the event, or of the recording where it has no events.
        start_s: in the recording.
        end_s: likewise.
        levels: of the stretch.
        spectrum: (2 * bands,): mean and spread of its log-mel bands, without its level; None if too short or silent.
    """

    label: str
    start_s: float
    end_s: float
    levels: Levels
    spectrum: Float32 | None


@dataclass(frozen=True, slots=True, eq=False)
class RecordingFacts:
    """What was measured of a recording; `levels` are None, and `problem` is a sentence, if it could not be decoded."""

    levels: Levels | None
    stretches: tuple[LabelledStretch, ...]
    problem: str = ""


def measure(recording: AnnotatedRecording) -> RecordingFacts:
    """Facts of one recording."""
    try:
        stored = load_audio(recording, recording.sample_rate_hz)
        heard = load_audio(recording, RATE_HZ)
    except RecordingError as error:
        return RecordingFacts(None, (), str(error))
    stretches = tuple(_stretch(heard, *each) for each in labelled(recording))
    return RecordingFacts(levels_of(stored, recording.sample_rate_hz), stretches)


def labelled(recording: AnnotatedRecording) -> Iterator[tuple[float, float, str]]:
    """Start, end and label of each event; of the whole recording for each of its labels where it has none."""
    for span in recording.events:
        if span.label != UNUSABLE and span.end_s > span.start_s:
            yield span.start_s, span.end_s, span.label
    if not recording.events:
        yield from ((0.0, recording.duration_s, label) for label in recording.labels)


def _stretch(heard: Float32, start_s: float, end_s: float, label: str) -> LabelledStretch:
    first = min(int(start_s * RATE_HZ), len(heard) - 1)
    samples = heard[first : max(first + 1, round(end_s * RATE_HZ))]
    return LabelledStretch(label, start_s, end_s, levels_of(samples, RATE_HZ), _spectrum(samples))


def _spectrum(samples: Float32) -> Float32 | None:
    """Mean and spread of the bands over the frames that sound, relative to the stretch's mean: (2 * bands,)."""
    if len(samples) < LOG_MEL.frame_length or not np.any(samples):
        return None
    mel = log_mel(samples[: int(LONGEST_S * RATE_HZ)])
    loud = mel.max(axis=1)
    sounding = mel[loud > loud.max() - _SOUNDING_DB]
    mean = sounding.mean(axis=0)
    return np.concatenate([mean - mean.mean(), sounding.std(axis=0)]).astype(np.float32)


def log_mel(samples: Float32) -> Float32:
    """Samples at `RATE_HZ` -> (frames, bands) in dB, as the device computes them."""
    return features.computer(LOG_MEL).frames(samples)


def mfcc(samples: Float32) -> Float32:
    """Samples at `RATE_HZ` -> (frames, 13)."""
    return features.computer(MFCC).frames(samples)
