"""Examples as arrays: what the device would compute, in the order of the examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.errors import RecordingError
from device.hearing.features import window_features
from training.data.datasets.annotated_recording import AnnotatedRecording
from training.data.examples import Example
from training.networks.cnn_bilstm import STREAMING_MFCC
from training.networks.han import STREAMING_LOG_MEL
from training.preparation.feature_batch import feature_batch

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 4_000


def recording(folder: Path, name: str, seconds: float) -> AnnotatedRecording:
    seed = sum(map(ord, name))
    noise = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))
    soundfile.write(folder / name, noise, RATE_HZ, subtype="FLOAT")
    return AnnotatedRecording(folder / name, "mine", ("x",), name, "", "", RATE_HZ, seconds, (), "")


def example(held: AnnotatedRecording, start_s: float, end_s: float, *target: float) -> Example:
    return Example(held, start_s, end_s, target, held.subject, "train")


def test_features_are_the_devices_of_the_stretch_in_the_order_of_the_examples(tmp_path: Path) -> None:
    one, two = recording(tmp_path, "one.wav", 6.0), recording(tmp_path, "two.wav", 3.0)
    examples = [example(one, 1.0, 3.0, 1, 0), example(two, 0.0, 2.0, 0, 1), example(one, 4.0, 6.0, 1, 1)]
    specs = (STREAMING_MFCC, STREAMING_LOG_MEL)
    arrays, targets = feature_batch(examples, specs)
    assert targets.tolist() == [[1, 0], [0, 1], [1, 1]]
    for spec, array in zip(specs, arrays, strict=True):
        assert array.shape == (3, *spec.shape, 1)
        assert array.dtype == np.float32
        for row, held in zip(array, examples, strict=True):
            samples = soundfile.read(held.recording.file, dtype="float32")[0]
            stretch = samples[round(held.start_s * RATE_HZ) : round(held.end_s * RATE_HZ)]
            assert np.array_equal(row[..., 0], window_features(spec, stretch))


def test_a_short_cycle_is_repeated_to_the_window(tmp_path: Path) -> None:
    held = recording(tmp_path, "one.wav", 2.0)
    samples = soundfile.read(held.file, dtype="float32")[0]
    (array,), _ = feature_batch([example(held, 0.5, 1.0, 1)], [STREAMING_LOG_MEL])
    repeated = np.resize(samples[2000:4000], 8000)
    assert np.array_equal(array[0, ..., 0], window_features(STREAMING_LOG_MEL, repeated))


def test_no_examples_give_no_rows() -> None:
    arrays, targets = feature_batch([], [STREAMING_LOG_MEL])
    assert arrays[0].shape == (0, *STREAMING_LOG_MEL.shape, 1)
    assert len(targets) == 0


def test_a_missing_recording_is_named(tmp_path: Path) -> None:
    held = recording(tmp_path, "gone.wav", 2.0)
    held.file.unlink()
    with pytest.raises(RecordingError, match=r"gone\.wav cannot be read as audio"):
        feature_batch([example(held, 0.0, 1.0, 1)], [STREAMING_LOG_MEL])
