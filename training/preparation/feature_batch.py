"""Examples -> arrays that a network takes, through the device's own features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.hearing.features import window_features
from training.data.datasets.annotated_recording import load_audio
from training.preparation.window_fit import fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from device.hearing.spec import FeatureSpec
    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.examples import Example
    from training.preparation.window_fit import Fit

    Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Job:
    """All stretches of one recording: it is decoded once for each sample rate."""

    recording: AnnotatedRecording
    stretches_s: tuple[tuple[float, float], ...]
    specs: tuple[FeatureSpec, ...]
    fit: Fit


def feature_batch(
    examples: Sequence[Example], specs: Sequence[FeatureSpec], *, fit: Fit = "loudest"
) -> tuple[list[Float32], Float32]:
    """Features and targets of examples, in their order.

    Args:
        examples: n stretches of recordings.
        specs: features of each input of the network.
        fit: which part of a stretch that is longer than a spec's window is kept; shorter ones are repeated.

    Returns:
        For each spec float32 (n, frames, bins, 1), and the targets, float32 (n, labels).

    Raises:
        RecordingError: a recording is missing, no audio, or empty.
    """
    arrays = [np.empty((len(examples), *spec.shape, 1), np.float32) for spec in specs]
    places = _places(examples)
    jobs = [_job(examples, indices, tuple(specs), fit) for indices in places]
    for indices, found in zip(places, map(_features_of, jobs), strict=True):
        for array, features in zip(arrays, found, strict=True):
            array[indices] = features[..., None]
    return arrays, targets_of(examples)


def targets_of(examples: Sequence[Example]) -> Float32:
    """The targets of examples: (n, labels)."""
    return np.array([example.target for example in examples], np.float32)


def _places(examples: Sequence[Example]) -> list[list[int]]:
    """Indices of the examples of each recording, recordings in the order of their first example."""
    places: dict[str, list[int]] = {}
    for index, example in enumerate(examples):
        places.setdefault(str(example.recording.file), []).append(index)
    return list(places.values())


def _job(examples: Sequence[Example], indices: list[int], specs: tuple[FeatureSpec, ...], fit: Fit) -> _Job:
    held = [examples[index] for index in indices]
    return _Job(held[0].recording, tuple((one.start_s, one.end_s) for one in held), specs, fit)


def _features_of(job: _Job) -> list[Float32]:
    """For each spec the features of all stretches of one recording: (stretches, frames, bins)."""
    decoded = {rate: load_audio(job.recording, rate) for rate in {spec.sample_rate_hz for spec in job.specs}}
    return [
        np.stack(
            [
                window_features(spec, fitted(_cut(decoded[spec.sample_rate_hz], *stretch, spec), length, job.fit))
                for stretch in job.stretches_s
            ]
        )
        for spec in job.specs
        for length in (spec.window_samples,)
    ]


def _cut(samples: Float32, start_s: float, end_s: float, spec: FeatureSpec) -> Float32:
    return samples[round(start_s * spec.sample_rate_hz) : round(end_s * spec.sample_rate_hz)]
