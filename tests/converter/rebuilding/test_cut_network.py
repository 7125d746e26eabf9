"""A network that carries its past is cut at its embedding, and both parts give what the whole gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from converter import toolchain
from converter.rebuilding.carried_past import carried, head_calibration
from converter.rebuilding.cut_network import carries_past, cut_network, names_past, rebuilt_parts
from device.errors import BundleError
from tests.converter.carrying_network import SIZE, SPEC, STEPS, network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def model() -> Any:
    return network()


def test_the_parts_give_what_the_whole_gives(model: Any) -> None:
    parts = cut_network(model, [SPEC], 1)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1, *SPEC.shape, 1)).astype(np.float32)
    past = rng.normal(size=(1, STEPS, SIZE)).astype(np.float32)
    backbone, head = rebuilt_parts(parts, 1)
    embedding = np.asarray(backbone({"input_0": features})["embedding"])
    found, whole = head({"embedding": embedding, "past": past}), model([features, past])
    for name in ("scores", "next_past"):
        np.testing.assert_allclose(found[name], whole[name], atol=1e-6)
    np.testing.assert_array_equal(np.asarray(found["next_past"])[0, :-1], past[0, 1:])
    assert (parts.shape.embedding, parts.shape.past) == (SIZE, (STEPS, SIZE))


def test_it_is_known_from_the_file_without_keras(tmp_path: Path) -> None:
    keras, model = toolchain.keras(), network()
    with toolchain.quietly():
        model.save(tmp_path / "carries.keras")
        tensor = keras.Input((4, 4, 1))
        plain = keras.Model(tensor, keras.layers.Flatten()(tensor))
        plain.save(tmp_path / "plain.keras")
    (tmp_path / "no.keras").write_bytes(b"no archive")
    assert [names_past(tmp_path / f"{name}.keras") for name in ("carries", "plain", "no", "missing")] == [
        True, False, False, False,
    ]  # fmt: skip
    assert (carries_past(model), carries_past(plain)) == (True, False)


def test_the_past_is_zeros_first_and_then_what_the_network_handed_on(model: Any) -> None:
    parts = cut_network(model, [SPEC], 1)
    features = np.random.default_rng(1).normal(size=(5, *SPEC.shape, 1)).astype(np.float32)
    numbers = np.array([0, 0, 0, 1, 1])
    given = carried(parts, [features], numbers)
    assert not given.past[[0, 3]].any()
    np.testing.assert_array_equal(given.past[2, -2:], given.embedding[:2])
    np.testing.assert_array_equal(given.last[0, -3:], given.embedding[:3])
    ranges = head_calibration(given, numbers)
    assert ranges["past"].max() == ranges["embedding"].max() == given.embedding.max()
    assert len(ranges["past"]) == len(ranges["embedding"]) == 5 + 2


def _without_next_past(keras: Any, model: Any) -> Any:
    return keras.Model(model.inputs, {"scores": model.output["scores"], "other": model.output["next_past"]})


def _shorter_next_past(keras: Any, model: Any) -> Any:
    kept = keras.layers.Cropping1D((1, 0))(model.output["next_past"])
    return keras.Model(model.inputs, {"scores": model.output["scores"], "next_past": kept})


def _another_input(keras: Any, model: Any) -> Any:
    more = keras.Input((1,), name="more")
    logit = keras.layers.Add()([model.output["scores"], more])
    return keras.Model([*model.inputs, more], {"scores": logit, "next_past": model.output["next_past"]})


def _past_the_embedding(keras: Any, model: Any) -> Any:
    level = keras.layers.GlobalAveragePooling2D()(model.inputs[0])
    logit = keras.layers.Add()([model.output["scores"], level])
    return keras.Model(model.inputs, {"scores": logit, "next_past": model.output["next_past"]})


def _two_scores(keras: Any, model: Any) -> Any:
    two = keras.layers.Dense(2)(model.output["scores"])
    return keras.Model(model.inputs, {"scores": two, "next_past": model.output["next_past"]})


def _without_embedding(keras: Any, model: Any) -> Any:
    features, past = model.inputs
    row = keras.layers.Reshape((1, SIZE))(keras.layers.Dense(SIZE)(keras.layers.Flatten()(features)))
    after = keras.layers.Concatenate(axis=1)([keras.layers.Cropping1D((1, 0))(past), row])
    logit = keras.layers.Dense(1)(keras.layers.Flatten()(after))
    return keras.Model(model.inputs, {"scores": logit, "next_past": after})


def _embedding_of_the_past(keras: Any, model: Any) -> Any:
    features, past = model.inputs
    level = keras.layers.GlobalAveragePooling2D()(features)
    both = keras.layers.Concatenate()([level, keras.layers.Flatten()(past)])
    row = keras.layers.Reshape((1, SIZE))(keras.layers.Dense(SIZE, name="embedding")(both))
    after = keras.layers.Concatenate(axis=1)([keras.layers.Cropping1D((1, 0))(past), row])
    logit = keras.layers.Dense(1)(keras.layers.Flatten()(after))
    return keras.Model(model.inputs, {"scores": logit, "next_past": after})


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_without_next_past, "outputs are other, scores; one that carries its past has scores and next_past"),
        (_shorter_next_past, r"output next_past has shape \(2, 8\), must be \(3, 8\)"),
        (_another_input, "inputs are input_0, past, more; one that carries its past has input_0, past"),
        (_past_the_embedding, "scores or next_past need more of the features than their embedding"),
        (_two_scores, r"gives scores of shape \(2,\), the description has 1 labels"),
        (_without_embedding, "has no layer 'embedding', at which it is cut"),
        (_embedding_of_the_past, "cannot be cut at 'embedding': embedding needs the past"),
    ],
)
def test_what_cannot_be_cut_is_refused(model: Any, spoil: Callable[[Any, Any], Any], sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        cut_network(spoil(toolchain.keras(), model), [SPEC], 1)
