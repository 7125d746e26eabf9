"""The layer that a conversion broke is found among those that it did not."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from converter import toolchain
from converter.layer_errors import GraphPair, blamed, layer_errors
from converter.quantize import to_float, to_int8
from converter.rebuilding.rebuild import rebuild
from device.hearing.spec import FeatureSpec

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

SPEC = FeatureSpec(sample_rate_hz=8000, window_samples=1024, frame_length=256, n_fft=256, hop=128, n_mels=6)


@pytest.fixture(scope="module")
def broken() -> tuple[bytes, bytes, Float32]:
    """A float graph, its int8 twin, and windows; one unit of layer `wild` is a thousand times as large."""
    keras = toolchain.keras()
    keras.utils.set_random_seed(0)
    tensor = keras.Input((*SPEC.shape, 1))
    flat = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="relu", name="tame")(tensor))
    wild = keras.layers.Dense(8, name="wild")(flat)
    mixed = keras.layers.Dense(2, name="logits")(keras.layers.ReLU(name="after")(wild))
    model = keras.Model(tensor, mixed)
    kernel, bias = model.get_layer("wild").get_weights()
    kernel[:, 3] *= 1000.0
    model.get_layer("wild").set_weights([kernel, bias])
    windows = np.random.default_rng(0).normal(size=(32, *SPEC.shape, 1)).astype(np.float32)
    rebuilt = rebuild(model, [SPEC], 2)
    return to_float(rebuilt), to_int8(rebuilt, [windows]), windows


def test_a_graph_loses_nothing_to_itself(broken: tuple[bytes, bytes, Float32]) -> None:
    exact, _, windows = broken
    errors = layer_errors(GraphPair(exact, exact), {"input_0": windows[:1]})
    assert len(errors) >= 3
    assert {error.error for error in errors} == {0.0}


def test_errors_come_in_the_order_of_the_layers(broken: tuple[bytes, bytes, Float32]) -> None:
    errors = layer_errors(GraphPair(*broken[:2]), {"input_0": broken[2][:1]})
    assert errors
    assert errors[0].before == 0.0
    assert all(0 <= error.error < 1 for error in errors)
    for earlier, later in itertools.pairwise(errors):
        assert later.before == max(earlier.before, earlier.error)


def test_the_worst_window_and_a_layer_are_named(broken: tuple[bytes, bytes, Float32]) -> None:
    said = blamed([(GraphPair(*broken[:2]), {"input_0": broken[2][17:18]})], 17, 0.25)
    assert said.startswith("agreement window 17 is farthest off, by 0.250; layer ")
    assert said.endswith("%")
