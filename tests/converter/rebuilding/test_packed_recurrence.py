"""Both directions as one straight line of operations: the numbers of Keras, and no other layer is taken for one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from converter import toolchain
from converter.rebuilding.packed_recurrence import is_packable, packed


@pytest.fixture(scope="module")
def keras() -> Any:
    module = toolchain.keras()
    module.utils.set_random_seed(0)
    return module


def _randomized(layer: Any, features: int, rng: np.random.Generator) -> Any:
    layer.build((None, None, features))
    layer.set_weights(
        [rng.normal(0.0, 0.5, weight.shape) for weight in layer.get_weights()]
    )  # biases are zero at first
    return layer


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("is_sequence", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_it_computes_what_the_bidirectional_layer_does(keras: Any, kind: str, steps: int, *, is_sequence: bool) -> None:
    rng = np.random.default_rng(steps)
    inner = getattr(keras.layers, kind)(5, return_sequences=is_sequence)
    layer = _randomized(keras.layers.Bidirectional(inner), 3, rng)
    assert is_packable(layer)
    sequences = rng.normal(0.0, 1.0, (4, steps, 3)).astype(np.float32)
    found = np.asarray(packed(layer)(sequences))
    assert found.shape == ((4, steps, 10) if is_sequence else (4, 10))
    np.testing.assert_allclose(found, np.asarray(layer(sequences)), atol=1e-5)


def test_a_layer_that_differs_in_any_way_is_left_to_be_unrolled(keras: Any) -> None:
    layers = keras.layers
    for other in (
        layers.GRU(3),
        layers.Dense(3),
        layers.Bidirectional(layers.GRU(3), merge_mode="sum"),
        layers.Bidirectional(layers.GRU(3, reset_after=False)),
        layers.Bidirectional(layers.LSTM(3, activation="relu")),
        layers.Bidirectional(layers.LSTM(3, use_bias=False)),
        layers.Bidirectional(layers.SimpleRNN(3)),
    ):
        assert not is_packable(other)
