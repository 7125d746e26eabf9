"""A bundle, a run folder and a `.keras` file are one kind of model to an evaluation; what is none is told."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from converter import toolchain
from device.errors import BundleError
from device.hearing.bundle.manifest import label_to_dict
from device.hearing.bundle.reader import read_bundle
from device.hearing.network.probabilities import sigmoid
from tests.converter.carrying_network import SIZE, SPEC, STEPS, network
from training.evaluation.detectors import (
    FLOAT,
    INT8,
    BatchDetector,
    batch_windows,
    is_streamable,
    open_detectors,
    resampled,
    system_name,
)
from training.evaluation.keras_network import KerasNetwork
from training.evaluation.model_file import keras_file, read_model, runtime_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from device.hearing.bundle.contents import Bundle

    Float32 = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def run_folder(tiny_bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with the inputs of the tiny bundle and a second output, and the description of that bundle."""
    from converter import toolchain

    bundle = read_bundle(tiny_bundle_path)
    folder = tmp_path_factory.mktemp("run")
    keras = toolchain.keras()
    keras.utils.set_random_seed(5)
    inputs = [keras.Input((*spec.shape, 1)) for spec in bundle.specs]
    pooled = [keras.layers.GlobalAveragePooling2D()(one) for one in inputs]
    joined = pooled[0] if len(pooled) == 1 else keras.layers.Concatenate()(pooled)
    outputs = [keras.layers.Dense(1, name="scores")(joined), keras.layers.Dense(3, name="extra")(joined)]
    with toolchain.quietly():
        keras.Model(inputs, outputs).save(folder / "model.keras")
    description = {
        "name": "run",
        "version": "0.1.0",
        "labels": [label_to_dict(label) for label in bundle.labels],
        "specs": [spec.to_dict() for spec in bundle.specs],
        "output": bundle.output,
        "card": {},
    }
    (folder / "description.json").write_text(json.dumps(description))
    return folder


def test_a_run_folder_is_heard_through_the_listener_as_a_bundle_is(run_folder: Path, tiny_bundle_path: Path) -> None:
    model = read_model(run_folder)
    assert (model.name, model.specs) == ("run", read_bundle(tiny_bundle_path).specs)
    assert runtime_of(run_folder, model).startswith("keras 3")
    assert (system_name(run_folder), system_name(tiny_bundle_path)) == (FLOAT, INT8)
    hiss = np.random.default_rng(0).normal(0, 0.01, 64_000).astype(np.float32)
    ours = open_detectors(run_folder)[0].detect(hiss, "s")[FLOAT].windows
    same = open_detectors(run_folder / "model.keras")[0].detect(hiss, "s")[FLOAT].windows
    theirs = open_detectors(tiny_bundle_path)[0].detect(hiss, "s")[INT8].windows
    assert np.array_equal(ours.ends_s, theirs.ends_s)
    assert np.array_equal(ours.probabilities, same.probabilities)
    assert 0 < ours.probabilities.min() <= ours.probabilities.max() < 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "description.json is missing"),
        ("no json", "is no JSON file"),
        ("{}", "lacks card, labels, name"),
        ('{"name":"a","version":"1","labels":[],"specs":[],"output":"guess","card":{}}', "output is 'guess'"),
        ('{"name":"a","version":"1","labels":[],"specs":[3],"output":"logits","card":{}}', "spec 0 must be an object"),
    ],
)
def test_a_description_that_is_none_is_told(tmp_path: Path, content: str | None, told: str) -> None:
    (tmp_path / "model.keras").write_bytes(b"weights")
    if content is not None:
        (tmp_path / "description.json").write_text(content)
    with pytest.raises(BundleError, match=told):
        read_model(tmp_path)


def test_a_file_that_is_no_model_is_told_with_what_is_one(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"give a bundle \(\.tflite\), a folder with model\.keras"):
        keras_file(tmp_path)


def test_the_checkpoint_of_a_run_is_refused_for_the_calibrated_network_beside_it(tmp_path: Path) -> None:
    (tmp_path / "best.keras").write_bytes(b"weights")
    with pytest.raises(BundleError, match=r"uncalibrated scores: give .*model\.keras"):
        keras_file(tmp_path / "best.keras")


def test_keras_carries_its_own_past_from_window_to_window(
    carrying_bundle_paths: tuple[Path, Path], tmp_path: Path
) -> None:
    bundle = read_bundle(carrying_bundle_paths[0])
    model = network()
    with toolchain.quietly():
        model.save(tmp_path / "model.keras")
    ours = KerasNetwork(tmp_path / "model.keras", bundle)
    rng = np.random.default_rng(0)
    features = [rng.normal(size=SPEC.shape).astype(np.float32) for _ in range(3)]
    past, found = None, []
    for each in features:
        output = ours.classify_after([each], past)
        past = output.next_past
        found.append(output.probabilities)
    before = np.zeros((1, STEPS, SIZE), np.float32)
    for each, probabilities in zip(features, found, strict=True):
        outputs = model([each[None, :, :, None], before], training=False)
        before = np.asarray(outputs["next_past"])
        np.testing.assert_allclose(probabilities, sigmoid(np.asarray(outputs["scores"])[0]), atol=1e-6)
    np.testing.assert_array_equal(ours.classify([features[0]]).probabilities, found[0])


# --- forms that cannot be streamed -------------------------------------------------------------------


class Silent:
    def classify(self, features: Sequence[Float32]) -> Silent:
        self.probabilities = np.array([0.5 + 0.1 * float(np.isfinite(features[0]).all())], np.float32)
        return self


def published(bundle: Bundle) -> Bundle:
    return dataclasses.replace(bundle, specs=tuple(dataclasses.replace(spec, centre=True) for spec in bundle.specs))


def test_a_form_that_cannot_be_streamed_is_scored_as_a_batch_and_decided_alike(tiny_bundle_path: Path) -> None:
    bundle = read_bundle(tiny_bundle_path)
    form = published(bundle)
    assert is_streamable(bundle)
    assert not is_streamable(form)
    point = dataclasses.replace(bundle.labels[0].operating_point, on=0.55, off=0.3)
    label = dataclasses.replace(bundle.labels[0], operating_point=point)
    detector = BatchDetector(FLOAT, form, Silent(), label)
    found = detector.detect(np.zeros(5 * 16_000, np.float32), "s")[FLOAT]
    assert found.windows.starts_s.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert found.windows.ends_s[-1] == 5.0
    assert len(found.alarms_s) == 1
    assert detector.systems[0].window_s == 2.0


def test_the_windows_of_a_batch_cover_a_stretch_to_its_end_and_a_short_one_is_repeated() -> None:
    samples = np.arange(10, dtype=np.float32)
    assert [(start, list(window)) for start, window in batch_windows(samples, 4, 3)] == [
        (0, [0, 1, 2, 3]),
        (3, [3, 4, 5, 6]),
        (6, [6, 7, 8, 9]),
    ]
    assert [(start, list(window)) for start, window in batch_windows(samples[:3], 4, 3)] == [(0, [0, 1, 2, 0])]
    assert len(resampled(np.zeros(16_000, np.float32), 22_050)) == 22_050
