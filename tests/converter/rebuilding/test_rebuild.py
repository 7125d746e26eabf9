"""A network of builtin layers comes out with batch 1, named tensors and no loop; code does not come in."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from converter import toolchain
from converter.rebuilding.rebuild import load_network, rebuild
from device.errors import BundleError
from device.hearing.spec import FeatureSpec

if TYPE_CHECKING:
    from pathlib import Path

SPEC = FeatureSpec(
    sample_rate_hz=8000, window_samples=1024, frame_length=256, n_fft=256, hop=128, n_mels=6, f_max_hz=4000.0
)


@pytest.fixture(scope="module")
def keras() -> Any:
    module = toolchain.keras()
    module.utils.set_random_seed(0)
    return module


def _saved(keras: Any, path: Path, outputs: Any, inputs: Any) -> Path:
    with toolchain.quietly():
        keras.Model(inputs, outputs).save(path)
    return path


def _input(keras: Any) -> Any:
    return keras.Input((*SPEC.shape, 1))


def _dense(keras: Any, tensor: Any, units: int, name: str | None = None) -> Any:
    return keras.layers.Dense(units, name=name)(keras.layers.Flatten()(tensor))


def test_a_rebuilt_network_is_the_same_function_with_named_tensors(keras: Any, tmp_path: Path) -> None:
    first, second = _input(keras), _input(keras)
    merged = keras.layers.Concatenate()([keras.layers.Conv2D(2, 3)(first), keras.layers.Conv2D(2, 3)(second)])
    path = _saved(keras, tmp_path / "m.keras", _dense(keras, merged, 2), [first, second])
    model = load_network(path)
    rebuilt = rebuild(model, [SPEC, SPEC], 2)
    rng = np.random.default_rng(0)
    windows = [rng.normal(size=(1, *SPEC.shape, 1)).astype(np.float32) for _ in range(2)]
    results = rebuilt({"input_0": windows[0], "input_1": windows[1]})
    assert set(results) == {"scores"}
    np.testing.assert_allclose(results["scores"], model(windows), atol=1e-6)
    assert not np.allclose(results["scores"], model(windows[::-1]))


def test_further_outputs_keep_their_names(keras: Any, tmp_path: Path) -> None:
    tensor = _input(keras)
    embedding = keras.layers.Flatten(name="embedding")(tensor)
    outputs = [embedding, keras.layers.Dense(1, name="scores")(embedding)]
    rebuilt = rebuild(load_network(_saved(keras, tmp_path / "m.keras", outputs, tensor)), [SPEC], 1)
    results = rebuilt({"input_0": np.zeros((1, *SPEC.shape, 1), np.float32)})
    assert {name: tuple(result.shape) for name, result in results.items()} == {"embedding": (1, 42), "scores": (1, 1)}


def test_two_outputs_without_scores_among_them_are_refused(keras: Any, tmp_path: Path) -> None:
    tensor = _input(keras)
    outputs = [_dense(keras, tensor, 1, "a"), _dense(keras, tensor, 1, "b")]
    with pytest.raises(BundleError, match="outputs are a, b; one must be named 'scores'"):
        rebuild(load_network(_saved(keras, tmp_path / "m.keras", outputs, tensor)), [SPEC], 1)


@pytest.mark.parametrize("layer", ["LSTM", "GRU"])
def test_recurrent_layers_are_unrolled_and_compute_the_same(keras: Any, tmp_path: Path, layer: str) -> None:
    tensor = _input(keras)
    recurrent = getattr(keras.layers, layer)(3)
    output = keras.layers.Dense(1)(recurrent(keras.layers.Reshape(SPEC.shape)(tensor)))
    model = load_network(_saved(keras, tmp_path / "m.keras", output, tensor))
    rebuilt = rebuild(model, [SPEC], 1)
    found = json.dumps(rebuilt.get_config())
    assert '"unroll": true' in found
    assert '"unroll": false' not in found
    window = np.random.default_rng(0).normal(size=(1, *SPEC.shape, 1)).astype(np.float32)
    np.testing.assert_allclose(rebuilt({"input_0": window})["scores"], model(window), atol=1e-6)


def test_another_number_of_labels_or_inputs_is_refused(keras: Any, tmp_path: Path) -> None:
    tensor = _input(keras)
    model = load_network(_saved(keras, tmp_path / "m.keras", _dense(keras, tensor, 2), tensor))
    with pytest.raises(BundleError, match=r"gives scores of shape \(2,\), the description has 3 labels"):
        rebuild(model, [SPEC], 3)
    with pytest.raises(BundleError, match=r"takes inputs of shapes \[\(7, 6, 1\)\], the specs give"):
        rebuild(model, [SPEC, SPEC], 2)
    with pytest.raises(BundleError, match="takes inputs of shapes"):
        rebuild(model, [replace(SPEC, n_mels=5)], 2)


def test_a_lambda_layer_is_refused_before_keras_sees_it(keras: Any, tmp_path: Path) -> None:
    tensor = _input(keras)
    shifted = keras.layers.Lambda(lambda values: values + 1)(tensor)
    path = _saved(keras, tmp_path / "m.keras", _dense(keras, shifted, 1), tensor)
    with pytest.raises(BundleError, match="holds a Lambda layer, which is code"):
        load_network(path)


def test_a_custom_layer_is_refused_and_its_module_not_imported(keras: Any, tmp_path: Path) -> None:
    """Keras imports whatever module a configuration names."""
    tensor = _input(keras)
    path = _saved(keras, tmp_path / "m.keras", _dense(keras, tensor, 1), tensor)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for module, registered in (("antigravity", None), ("keras.layers", "Mine>Dense")):
        config = json.loads(parts["config.json"])
        layer = next(item for item in config["config"]["layers"] if item["class_name"] == "Dense")
        layer |= {"module": module, "registered_name": registered}
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in (parts | {"config.json": json.dumps(config).encode()}).items():
                archive.writestr(name, data)
        with pytest.raises(BundleError, match="is not builtin; use builtin layers only"):
            load_network(path)


def test_weights_that_are_no_numbers_are_refused(keras: Any, tmp_path: Path) -> None:
    """max(0, nan) is 0: behind a ReLU a NaN can hide from every output."""
    tensor = _input(keras)
    model = keras.Model(tensor, _dense(keras, keras.layers.ReLU()(keras.layers.Conv2D(1, 3, name="first")(tensor)), 1))
    weights = model.get_weights()
    weights[0][0] = np.nan
    model.set_weights(weights)
    with toolchain.quietly():
        model.save(tmp_path / "m.keras")
    with pytest.raises(BundleError, match="weight first/kernel holds a number that is not finite"):
        load_network(tmp_path / "m.keras")


def test_what_is_no_keras_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(b"no zip")
    with pytest.raises(BundleError, match=r"m\.keras is no \.keras file"):
        load_network(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "module": "keras", "config": {}}))
    with pytest.raises(BundleError, match="cannot be loaded by Keras: "):
        load_network(path)
