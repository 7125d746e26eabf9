"""A network that carries its past becomes a bundle of two parts, judged on windows that follow one another."""

from __future__ import annotations

import dataclasses
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from converter import toolchain
from converter.convert import convert
from converter.convert_graphs import converted
from converter.predictions import converted_probabilities
from converter.training_output import read_training_output
from device.errors import BundleError
from device.hearing.bundle.reader import read_bundle
from device.hearing.classifier import Classifier
from device.tools.models.models_command import verify
from tests.converter.carrying_network import SIZE, STEPS, hand_over, network
from tests.converter.family_output import FEW, replayed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from converter.quantize import Quantization
    from device.hearing.bundle.contents import Bundle


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("carrying")
    hand_over(folder)
    return folder, convert(read_training_output(folder), folder / "made.tflite", bounds=FEW, sounds=("silence", "sine"))


@pytest.fixture(scope="module")
def bundle(made: tuple[Path, dict[str, Any]]) -> Bundle:
    return read_bundle(made[0] / "made.tflite")


def test_it_has_two_parts_and_a_golden_sequence_in_which_the_past_counts(bundle: Bundle) -> None:
    assert bundle.head is not None
    assert (bundle.head.shape.past, bundle.head.shape.embedding, bundle.head.hop_s) == ((STEPS, SIZE), SIZE, 0.5)
    (sequence,) = bundle.sequences
    assert len(sequence.probabilities) == STEPS + 4
    with Classifier.open(bundle) as classifier:
        alone = [
            classifier.classify([case]).probabilities
            for case in _features(bundle, sequence.windows(bundle.window_samples))
        ]
    np.testing.assert_array_equal(alone[0], sequence.probabilities[0])
    assert np.abs(np.stack(alone[1:]) - sequence.probabilities[1:]).max() > 0.05


def test_it_verifies_and_is_replayed(made: tuple[Path, dict[str, Any]], bundle: Bundle) -> None:
    assert "  cry-begins   features within 0.0e+00, scores within 0.0e+00" in list(verify(str(made[0] / "made.tflite")))
    assert len(replayed(made[0], bundle)) > 10


def test_converting_again_gives_the_same_bytes(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    convert(read_training_output(made[0]), tmp_path / "again.tflite", bounds=FEW, sounds=("silence", "sine"))
    assert (tmp_path / "again.tflite").read_bytes() == (made[0] / "made.tflite").read_bytes()


@pytest.mark.parametrize("quantization", ["dynamic", "float16", "float32"])
def test_other_quantizations_are_two_parts_as_well(
    made: tuple[Path, dict[str, Any]], quantization: Quantization
) -> None:
    trained = read_training_output(made[0])
    networks = converted(trained, quantization)
    assert networks.quantized.head is not None
    found = converted_probabilities(trained, networks.quantized, range(20))
    assert np.abs(found - networks.as_float[:20]).max() < 0.02


def test_the_backbone_of_another_bundle_is_taken_where_the_weights_are_equal(
    carrying_bundle_paths: tuple[Path, Path], tmp_path: Path
) -> None:
    backbone = read_bundle(carrying_bundle_paths[0])
    hand_over(tmp_path, network(seed=5), label="scream")
    networks = converted(read_training_output(tmp_path), backbone=backbone)
    assert networks.quantized.network == backbone.network
    hand_over(tmp_path, network(seed=5, backbone_seed=5), label="scream")
    with pytest.raises(BundleError, match=r"carrying-cry 1\.0\.0 has a backbone of the weights .* must be equal to"):
        converted(read_training_output(tmp_path), backbone=backbone)


def test_a_bundle_without_a_backbone_has_none_to_take(
    made: tuple[Path, dict[str, Any]], tiny_low_bundle_path: Path
) -> None:
    with pytest.raises(BundleError, match=r"tiny-low 1\.0\.0 has no backbone of its own"):
        converted(read_training_output(made[0]), backbone=read_bundle(tiny_low_bundle_path))


# --- refusals: no file is left ------------------------------------------------------------------


def _refused(folder: Path, sentence: str) -> None:
    out = folder / "out.tflite"
    with pytest.raises(BundleError, match=sentence):
        convert(read_training_output(folder), out, bounds=FEW)
    assert not out.exists()


@pytest.fixture
def folder(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """What training handed over, to be spoilt at will."""
    for name in ("model.keras", "description.json", "calibration.npz", "agreement.npz"):
        shutil.copy(made[0] / name, tmp_path / name)
    return tmp_path


def _resave(folder: Path, change: Callable[[Any, Any], Any]) -> None:
    keras = toolchain.keras()
    with toolchain.quietly():
        change(keras, keras.saving.load_model(folder / "model.keras", compile=False)).save(folder / "model.keras")


def _no_number_once_two_windows_were_before(keras: Any, model: Any) -> Any:
    return keras.ops.sqrt(-keras.ops.sum(model.inputs[1][:, -2], axis=-1, keepdims=True))


def test_a_number_that_is_lost_after_the_second_window_is_found(folder: Path) -> None:
    """The first two windows of every sequence, and every golden sound by itself, are well."""

    def spoil(keras: Any, model: Any) -> Any:
        scores = model.output["scores"] + _no_number_once_two_windows_were_before(keras, model)
        return keras.Model(model.inputs, {"scores": scores, "next_past": model.output["next_past"]})

    _resave(folder, spoil)
    _refused(folder, "the Keras network answers 48 of 60 windows with no finite number, number 2 first")


def test_a_past_that_is_lost_while_the_scores_are_well_is_found(folder: Path) -> None:
    def spoil(keras: Any, model: Any) -> Any:
        scores = keras.layers.Dense(1)(model.get_layer("embedding").output)
        lost = _no_number_once_two_windows_were_before(keras, model)[:, None]
        return keras.Model(model.inputs, {"scores": scores, "next_past": model.output["next_past"] + lost})

    _resave(folder, spoil)
    _refused(folder, "the Keras network answers 48 of 60 windows with no finite number, number 2 first")


def test_archives_without_sequences_are_refused(folder: Path) -> None:
    with np.load(folder / "agreement.npz") as file:
        kept = {name: file[name] for name in file.files if name != "sequence"}
    np.savez(folder / "agreement.npz", **kept)
    _refused(folder, r"agreement\.npz: sequence is missing, must be whole numbers \(60,\): the network")


def test_sequences_too_short_to_fill_the_past_are_refused(folder: Path) -> None:
    with np.load(folder / "calibration.npz") as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(folder / "calibration.npz", **(arrays | {"sequence": np.arange(60) // 3}))
    _refused(folder, "0 of 60 windows of calibration come after 3 others of their sequence, must be 25%")


def test_a_refusal_names_the_window_and_the_layer_of_either_part(folder: Path) -> None:
    trained = read_training_output(folder)
    with pytest.raises(BundleError, match=r"cry: mean difference .*; agreement window \d+ is farthest off.*; layer "):
        convert(trained, folder / "out.tflite", bounds=dataclasses.replace(FEW, mean_difference=1e-9))


def test_a_description_may_say_another_hop(folder: Path) -> None:
    text = (folder / "description.json").read_text(encoding="utf-8")
    (folder / "description.json").write_text(text.replace('"name"', '"hop_s": 0.25, "name"', 1), encoding="utf-8")
    assert read_training_output(folder).hop_s == 0.25


def _features(bundle: Bundle, windows: list[Any]) -> list[Any]:
    from device.hearing.features import window_features

    return [window_features(bundle.specs[0], window) for window in windows]
