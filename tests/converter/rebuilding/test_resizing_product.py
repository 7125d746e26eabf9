"""Resizing as matrix products: the numbers of Keras, in float and in a graph that the device runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from converter import toolchain
from converter.gate import check_graph
from converter.quantize import to_float, to_int8
from converter.rebuilding.rebuild import rebuild
from converter.rebuilding.resizing_product import interpolation_matrix, is_resizing, resized
from device.hearing.network.graph import read_graph
from device.hearing.spec import FeatureSpec

SPEC = FeatureSpec(
    sample_rate_hz=4000, window_samples=2000, frame_length=256, n_fft=256, hop=80, n_mels=24, f_max_hz=2000
)


@pytest.fixture(scope="module")
def keras() -> Any:
    return toolchain.keras()


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic", "lanczos3"])
@pytest.mark.parametrize(("before", "after"), [((22, 24), (32, 24)), ((22, 24), (13, 40)), ((94, 128), (128, 128))])
def test_it_computes_what_the_layer_does(
    keras: Any, before: tuple[int, int], after: tuple[int, int], interpolation: str
) -> None:
    inputs = keras.Input((*before, 2))
    layer = keras.layers.Resizing(*after, interpolation=interpolation)
    layer(inputs)
    assert is_resizing(layer)
    pictures = np.random.default_rng(0).normal(0.0, 1.0, (3, *before, 2)).astype(np.float32)
    found = np.asarray(resized(layer)(pictures))
    assert found.shape == (3, *after, 2)
    np.testing.assert_allclose(found, np.asarray(layer(pictures)), atol=2e-6)


def test_each_new_place_weighs_the_old_ones_to_one() -> None:
    np.testing.assert_allclose(interpolation_matrix(94, 128, "bilinear").sum(axis=1), 1.0, atol=1e-6)


def test_what_cuts_or_pads_is_left_alone(keras: Any) -> None:
    assert not is_resizing(keras.layers.Resizing(8, 8, crop_to_aspect_ratio=True))
    assert not is_resizing(keras.layers.Resizing(8, 8, pad_to_aspect_ratio=True))
    assert not is_resizing(keras.layers.Dense(8))


def test_a_network_that_resizes_becomes_one_that_the_device_runs(keras: Any) -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((*SPEC.shape, 1))
    tensor = keras.layers.Resizing(32, 32)(inputs)
    tensor = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(keras.layers.Concatenate()([tensor] * 3))
    tensor = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(tensor))
    model = keras.Model(inputs, tensor)
    rebuilt = rebuild(model, (SPEC,), 2)
    windows = np.random.default_rng(1).uniform(0.0, 1.0, (24, *SPEC.shape, 1)).astype(np.float32)
    found = np.concatenate([np.asarray(rebuilt({"input_0": window[None]})["scores"]) for window in windows])
    np.testing.assert_allclose(found, np.asarray(model(windows)), atol=1e-5)
    check_graph(read_graph(to_float(rebuilt)), is_int8=False)
    check_graph(read_graph(to_int8(rebuilt, [windows])))
