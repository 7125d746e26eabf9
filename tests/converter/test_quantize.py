"""Float and INT8 graphs of one network: wholly int8 inside, per channel, and loops unrolled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from converter import toolchain
from converter.convert_graphs import quantized
from converter.gate import check_graph
from converter.quantize import to_float, to_int8
from converter.rebuilding.rebuild import load_network, rebuild
from converter.training_output import TrainingOutput, read_training_output
from device.errors import BundleError
from device.hearing.network.graph import Graph, read_graph
from device.hearing.spec import FeatureSpec

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def trained(tiny_bundles: Any, tmp_path_factory: pytest.TempPathFactory) -> TrainingOutput:
    folder = tmp_path_factory.mktemp("trained")
    tiny_bundles.hand_over(tiny_bundles.TONE, folder)
    return read_training_output(folder)


@pytest.fixture(scope="module")
def rebuilt(trained: TrainingOutput) -> Any:
    return rebuild(load_network(trained.network), trained.specs, len(trained.labels))


@pytest.fixture(scope="module")
def int8(rebuilt: Any, trained: TrainingOutput) -> Graph:
    return read_graph(to_int8(rebuilt, trained.calibration))


def test_the_int8_graph_holds_no_float_and_passes_the_gate(int8: Graph) -> None:
    assert {tensor.kind for tensor in int8.tensors} <= {"INT8", "INT32"}
    check_graph(int8)


def test_inputs_and_outputs_are_int8_with_one_scale_each(int8: Graph) -> None:
    for index in (*int8.inputs, *int8.outputs):
        tensor = int8.tensors[index]
        assert tensor.kind == "INT8"
        assert len(tensor.scales) == len(tensor.zero_points) == 1


def test_batch_norm_and_activation_are_folded(int8: Graph) -> None:
    assert not {"MUL", "ADD", "SUB", "BATCH_NORM", "WHILE"} & set(int8.counts)
    assert int8.counts["CONV_2D"] == 2
    assert sum(int8.counts.values()) == len(int8.operations)


def test_weights_are_quantized_per_channel() -> None:
    keras = toolchain.keras()
    keras.utils.set_random_seed(0)
    spec = FeatureSpec(sample_rate_hz=8000, window_samples=1024, frame_length=256, n_fft=256, hop=128, n_mels=6)
    tensor = keras.Input((*spec.shape, 1))
    output = keras.layers.Dense(1)(keras.layers.Flatten()(keras.layers.Conv2D(5, 3)(tensor)))
    windows = np.random.default_rng(0).normal(size=(32, *spec.shape, 1)).astype(np.float32)
    graph = read_graph(to_int8(rebuild(keras.Model(tensor, output), [spec], 1), [windows]))
    convolution = next(operation for operation in graph.operations if operation.name == "CONV_2D")
    assert len(graph.tensors[convolution.inputs[1]].scales) == 5


def test_a_float_graph_does_not_pass_the_gate(rebuilt: Any) -> None:
    graph = read_graph(to_float(rebuilt))
    with pytest.raises(BundleError, match=r"still computes .* in float"):
        check_graph(graph)


@pytest.mark.slow
def test_an_unrolled_recurrent_network_converts_to_int8() -> None:
    """In a loop its calibration crashes; unrolled it is plain arithmetic, if TensorFlow is asked often enough."""
    keras = toolchain.keras()
    keras.utils.set_random_seed(0)
    spec = FeatureSpec(sample_rate_hz=8000, window_samples=1024, frame_length=256, n_fft=256, hop=128, n_mels=6)
    tensor = keras.Input((*spec.shape, 1))
    recurrent = keras.layers.Bidirectional(keras.layers.GRU(3))(keras.layers.Reshape(spec.shape)(tensor))
    windows = np.random.default_rng(0).normal(size=(32, *spec.shape, 1)).astype(np.float32)
    model = rebuild(keras.Model(tensor, keras.layers.Dense(1)(recurrent)), [spec], 1)
    _, graph = quantized(model, [windows])
    check_graph(graph)
    assert "WHILE" not in graph.counts


@pytest.mark.slow
def test_a_recurrent_network_gives_the_same_bytes_each_time(tmp_path: Path) -> None:
    """What a split left unused was float or int8 at random."""
    keras = toolchain.keras()
    keras.utils.set_random_seed(0)
    spec = FeatureSpec(sample_rate_hz=8000, window_samples=1024, frame_length=256, n_fft=256, hop=128, n_mels=6)
    tensor = keras.Input((*spec.shape, 1))
    recurrent = keras.layers.Bidirectional(keras.layers.LSTM(3))(keras.layers.Reshape(spec.shape)(tensor))
    with toolchain.quietly():
        keras.Model(tensor, keras.layers.Dense(1)(recurrent)).save(tmp_path / "m.keras")
    windows = np.random.default_rng(0).normal(size=(16, *spec.shape, 1)).astype(np.float32)
    made = [to_int8(rebuild(load_network(tmp_path / "m.keras"), [spec], 1), [windows]) for _ in range(3)]
    assert made[0] == made[1] == made[2]
    check_graph(read_graph(made[0]))


def test_what_tensorflow_cannot_convert_is_one_sentence(rebuilt: Any, tmp_path: Path) -> None:
    wrong = [np.zeros((1, 3, 3, 1), np.float32)] * 2
    with pytest.raises(BundleError, match="TensorFlow cannot convert the network to int8: ") as caught:
        to_int8(rebuilt, wrong)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
