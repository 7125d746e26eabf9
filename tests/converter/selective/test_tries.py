"""A network that loses too much in int8 keeps the layers in float that lose it, and the report says what was tried."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from converter import toolchain
from converter.convert_graphs import converted
from converter.predictions import converted_probabilities
from converter.score_agreement import label_figures
from converter.selective.tries import convert_first_that_holds
from converter.training_output import read_training_output
from device.errors import BundleError
from device.hearing.bundle.reader import read_bundle
from device.hearing.network.graph import read_graph
from device.tools.models.models_command import verify
from tests.converter.carrying_network import SPEC
from tests.converter.carrying_network import hand_over as carrying_output
from tests.converter.family_output import FEW, hand_over
from training.networks.network_form import NetworkForm

if TYPE_CHECKING:
    from pathlib import Path

    from converter.convert_graphs import Converted
    from converter.training_output import TrainingOutput

WILD = 2000.0
"""One channel of a layer is so many times the others, and the next layer reads it so many times more faintly."""


def _network(seed: int) -> Any:
    keras = toolchain.keras()
    keras.utils.set_random_seed(seed)
    layers, features = keras.layers, keras.Input((*SPEC.shape, 1), name="input_0")
    wide = layers.Conv2D(8, 3, strides=2, activation="relu", name="wide")(features)
    narrow = layers.Conv2D(8, 3, strides=2, activation="relu", name="narrow")(wide)
    return keras.Model(features, layers.Dense(1, name="logits")(layers.GlobalAveragePooling2D()(narrow)))


def _wild(seed: int) -> Any:
    """The same function with values that no single range of eight bits holds."""
    network = _network(seed)
    kernel, bias = network.get_layer("wide").get_weights()
    kernel[..., 0], bias[0] = kernel[..., 0] * WILD, bias[0] * WILD
    network.get_layer("wide").set_weights([kernel, bias])
    kernel, bias = network.get_layer("narrow").get_weights()
    kernel[:, :, 0] /= WILD
    network.get_layer("narrow").set_weights([kernel, bias])
    return network


def _trained(folder: Path, build: Any) -> TrainingOutput:
    hand_over(NetworkForm("wild", "small", ("tone",), "sigmoid", (SPEC,), build), folder, windows=24)
    return read_training_output(folder)


def _both(trained: TrainingOutput, networks: Converted) -> tuple[Any, ...]:
    return trained.labels, networks.as_float, converted_probabilities(trained, networks.quantized), trained.target


def test_int8_comes_first_and_is_enough_where_it_holds(tmp_path: Path) -> None:
    report = convert_first_that_holds(_trained(tmp_path, _network), tmp_path / "out", bounds=FEW, sounds=("sine",))
    assert report["tries"] == [{"quantization": "int8", "kept_in_float": [], "refused": None}]
    assert report["quantization"] == "int8"


def test_layers_that_lose_too_much_stay_in_float_and_each_try_is_reported(tmp_path: Path) -> None:
    out = tmp_path / "out.tflite"
    report = convert_first_that_holds(_trained(tmp_path, _wild), out, bounds=FEW, sounds=("sine",))
    first, *_, last = report["tries"]
    assert (first["quantization"], first["kept_in_float"]) == ("int8", [])
    assert first["refused"].startswith("tone: ")
    assert (last["quantization"], last["refused"]) == ("selective", None)
    assert any("wide" in name for name in last["kept_in_float"])
    bundle = read_bundle(out)
    graph = read_graph(bundle.network)
    kinds = {graph.tensors[each.outputs[0]].kind for each in graph.operations if each.name == "CONV_2D"}
    assert "FLOAT32" in kinds
    assert any(tensor.kind == "INT8" and tensor.constant_bytes for tensor in graph.tensors)
    assert bundle.card["conversion"]["tries"] == report["tries"]
    assert list(verify(str(out)))[-1].endswith("is sound")


def test_where_no_try_holds_nothing_is_written_and_each_is_named(tmp_path: Path) -> None:
    trained, bounds = _trained(tmp_path, _network), dataclasses.replace(FEW, mean_difference=0.0)
    with pytest.raises(
        BundleError, match=r"^no try holds: all in int8, tone: .*; with \d layers? in float, tone: "
    ) as no:
        convert_first_that_holds(trained, tmp_path / "out", bounds=bounds, sounds=("sine",))
    assert "; weights alone in int8, tone: " in str(no.value)
    assert "; weights alone in float16, tone: " in str(no.value)
    assert not (tmp_path / "out").exists()


def test_a_network_in_two_parts_keeps_its_activations_in_float_where_int8_loses_too_much(tmp_path: Path) -> None:
    carrying_output(tmp_path, length=8)
    trained, out = read_training_output(tmp_path), tmp_path / "out.tflite"
    whole = converted(trained)
    lost = max(figure.mean_difference for figure in label_figures(*_both(trained, whole)))
    bounds = dataclasses.replace(FEW, mean_difference=lost / 2)
    report = convert_first_that_holds(trained, out, bounds=bounds, sounds=("sine",))
    assert [each["quantization"] for each in report["tries"]][:2] == ["int8", "dynamic"]
    assert report["tries"][0]["refused"] is not None
    assert report["tries"][-1]["refused"] is None
    assert read_bundle(out).head is not None


def test_a_second_network_takes_the_backbone_that_it_is_given(tmp_path: Path) -> None:
    carrying_output(tmp_path, length=8)
    trained = read_training_output(tmp_path)
    convert_first_that_holds(trained, tmp_path / "one.tflite", bounds=FEW, sounds=("sine",))
    given = dataclasses.replace(read_bundle(tmp_path / "one.tflite"), sequences=())
    convert_first_that_holds(trained, tmp_path / "two.tflite", bounds=FEW, sounds=("sine",), backbone=given)
    assert read_bundle(tmp_path / "two.tflite").network == given.network
