"""Scores of the windows of a recording of breath sounds: by the device's listener, or as a batch.

Knows the annotations only to pass them on; verdicts are drawn in `verdicts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.features import window_features
from device.hearing.listener import Listener
from device.hearing.listening_model import ListeningLabel, ListeningModel
from device.messages import AudioBlock
from training.data.datasets.annotated_recording import load_audio
from training.evaluation.alarm_counting import HOP_S
from training.evaluation.detectors import batch_windows, is_streamable
from training.preparation.window_fit import fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from device.hearing.bundle.contents import Bundle
    from training.data.datasets.annotated_recording import AnnotatedRecording, AnnotatedSpan

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JudgedRecording:
    """A recording that is scored, and whom it is of.

    Attributes:
        recording: the audio and its annotations.
        name: its file as the list names it.
        subject: the patient.
    """

    recording: AnnotatedRecording
    name: str
    subject: str


@dataclass(frozen=True, slots=True, eq=False)
class RecordScores:
    """The scores of one recording, and what is annotated.

    Attributes:
        name: its file.
        set: its collection.
        subject: the patient.
        duration_s: its length.
        record_labels: the collection's labels of the whole record.
        events: annotated events or breath cycles.
        starts_s: start of each window (n,).
        ends_s: end of each window (n,).
        probabilities: (n, labels), in the order of the model's labels.
        event_probabilities: (events, labels) if each event was scored by itself, as a batch; None if its verdict is
            drawn from the windows.
    """

    name: str
    set: str
    subject: str
    duration_s: float
    record_labels: tuple[str, ...]
    events: tuple[AnnotatedSpan, ...]
    starts_s: Float64
    ends_s: Float64
    probabilities: Float32
    event_probabilities: Float32 | None = None


def score_recording(model: Bundle, network: Any, judged: JudgedRecording) -> RecordScores:
    """The scores of a recording, played through the listener if the model can be streamed.

    Raises:
        RecordingError: the audio is missing, no audio, or empty.
    """
    samples = load_audio(judged.recording, model.specs[0].sample_rate_hz)
    if is_streamable(model):
        starts_s, ends_s, probabilities = _listened(model, network, samples)
        by_event = None
    else:
        starts_s, ends_s, probabilities = _batched(model, network, samples)
        by_event = _events(model, network, samples, judged.recording.events)
    return RecordScores(
        name=judged.name,
        set=judged.recording.set,
        subject=judged.subject,
        duration_s=judged.recording.duration_s,
        record_labels=judged.recording.labels,
        events=judged.recording.events,
        starts_s=starts_s,
        ends_s=ends_s,
        probabilities=probabilities,
        event_probabilities=by_event,
    )


def _listened(model: Bundle, network: Any, samples: Float32) -> tuple[Float64, Float64, Float32]:
    """Starts, ends and scores of the windows that the device's listener cuts from a file."""
    labels = tuple(ListeningLabel(label.name, label.role, label.operating_point) for label in model.labels)
    listener = Listener([ListeningModel(model.name, labels, model.specs, network)], stream_id="evaluation", hop_s=HOP_S)
    rate_hz = model.specs[0].sample_rate_hz
    heard = [
        *(
            listener.push(AudioBlock(samples[start : start + rate_hz], rate_hz, start))
            for start in range(0, len(samples), rate_hz)
        ),
        listener.finish("end_of_file"),
    ]
    scores = [one for part in heard for one in part.scores]
    names = [label.name for label in model.labels]
    return (
        np.array([one.start_s for one in scores], np.float64),
        np.array([one.end_s for one in scores], np.float64),
        np.array([[one.probabilities[name] for name in names] for one in scores], np.float32).reshape(-1, len(names)),
    )


def _batched(model: Bundle, network: Any, samples: Float32) -> tuple[Float64, Float64, Float32]:
    """The same of a form that cannot be streamed: windows that follow each other by half their length."""
    length, rate_hz = model.specs[0].window_samples, model.specs[0].sample_rate_hz
    windows = list(batch_windows(samples, length, length // 2))
    starts_s = np.array([start for start, _ in windows], np.float64) / rate_hz
    ends_s = np.minimum(starts_s + length / rate_hz, len(samples) / rate_hz)
    return starts_s, ends_s, np.stack([_classified(model, network, window) for _, window in windows])


def _events(model: Bundle, network: Any, samples: Float32, events: Sequence[AnnotatedSpan]) -> Float32:
    """Scores of each event, cut at its loudest part or repeated to fill a window: (events, labels)."""
    length, rate_hz = model.specs[0].window_samples, model.specs[0].sample_rate_hz
    stretches = (samples[round(one.start_s * rate_hz) : round(one.end_s * rate_hz)] for one in events)
    rows = [_classified(model, network, fitted(stretch, length, "loudest")) for stretch in stretches]
    return np.array(rows, np.float32).reshape(-1, len(model.labels))


def _classified(model: Bundle, network: Any, window: Float32) -> Float32:
    probabilities: Float32 = network.classify([window_features(spec, window) for spec in model.specs]).probabilities
    return probabilities
