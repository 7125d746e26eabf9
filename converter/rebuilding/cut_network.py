"""Cuts a network that carries its past at its embedding: a backbone, which keeps nothing, and a head.

Such a network is one functional model with an input `past` and an output `next_past` of one shape, and a layer
`embedding` through which everything goes that the scores need of the features (see `device.hearing.network.parts`).
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from converter import toolchain
from converter.rebuilding.rebuild import at_batch_one, check_scores, output_names
from device.errors import BundleError
from device.hearing.network.check import SCORES
from device.hearing.network.parts import EMBEDDING, NEXT_PAST, PAST, PastShape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from device.hearing.spec import FeatureSpec


@dataclass(frozen=True, slots=True, eq=False)
class CutNetwork:
    """Both parts of a trained network, as Keras runs them.

    Attributes:
        backbone: (n, frames, bins, 1) for each spec -> (n, embedding).
        head: (n, embedding) and (n, steps, size) -> scores and next past, in the order of `head_outputs`.
        head_outputs: names of the head's outputs.
        shape: of what passes between them.
    """

    backbone: Any
    head: Any
    head_outputs: tuple[str, ...]
    shape: PastShape


def names_past(path: Path) -> bool:
    """Whether a `.keras` file describes a network with an input `past`; False for what cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            layers = json.loads(archive.read("config.json"))["config"]["layers"]
            return any((each["class_name"], each["config"]["name"]) == ("InputLayer", PAST) for each in layers)
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        return False


def carries_past(model: Any) -> bool:
    """Whether a Keras model has an input `past`."""
    return any(tensor.name == PAST for tensor in model.inputs)


def cut_network(model: Any, specs: Sequence[FeatureSpec], label_count: int) -> CutNetwork:
    """The two parts of a network that carries its past.

    Raises:
        BundleError: an input, an output or the embedding is missing or of another shape, or the head needs more of
            the features than their embedding.
    """
    module = toolchain.keras()
    inputs, outputs = {tensor.name: tensor for tensor in model.inputs}, _outputs(module, model)
    features = [f"input_{ordinal}" for ordinal in range(len(specs))]
    _check_names(inputs, outputs, features)
    for name, spec in zip(features, specs, strict=True):
        _check_shape(f"input {name}", inputs[name], (*spec.shape, 1))
    shape = _past_shape(model, inputs[PAST])
    _check_shape(f"output {NEXT_PAST}", outputs[NEXT_PAST], shape.past)
    check_scores(outputs[SCORES].shape, label_count)
    embedding = model.get_layer(EMBEDDING).output
    return CutNetwork(
        backbone=_part(module, [inputs[name] for name in features], embedding, f"{EMBEDDING} needs the past"),
        head=_part(
            module,
            [embedding, inputs[PAST]],
            [outputs[SCORES], outputs[NEXT_PAST]],
            f"{SCORES} or {NEXT_PAST} need more of the features than their {EMBEDDING}",
        ),
        head_outputs=(SCORES, NEXT_PAST),
        shape=shape,
    )


def rebuilt_parts(parts: CutNetwork, spec_count: int) -> tuple[Any, Any]:
    """Backbone and head with batch 1, their inputs and outputs named as the device expects them."""
    backbone = at_batch_one(parts.backbone, [f"input_{ordinal}" for ordinal in range(spec_count)], [EMBEDDING])
    return backbone, at_batch_one(parts.head, [EMBEDDING, PAST], parts.head_outputs)


def _outputs(module: Any, model: Any) -> dict[str, Any]:
    return dict(zip(output_names(model), module.tree.flatten(model.output), strict=True))


def _check_names(inputs: dict[str, Any], outputs: dict[str, Any], features: list[str]) -> None:
    wanted = [*features, PAST]
    if sorted(inputs) != sorted(wanted):
        raise BundleError(
            f"the network's inputs are {', '.join(inputs)}; one that carries its past has {', '.join(wanted)}"
        )
    if sorted(outputs) != sorted((SCORES, NEXT_PAST)):
        raise BundleError(
            f"the network's outputs are {', '.join(outputs)}; one that carries its past has {SCORES} and {NEXT_PAST}"
        )


def _check_shape(what: str, tensor: Any, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape[1:]) != shape:
        raise BundleError(f"the network's {what} has shape {tuple(tensor.shape[1:])}, must be {shape}")


def _past_shape(model: Any, past: Any) -> PastShape:
    try:
        embedding = tuple(model.get_layer(EMBEDDING).output.shape[1:])
    except ValueError:  # Keras knows no such layer
        raise BundleError(f"the network carries its past and has no layer {EMBEDDING!r}, at which it is cut") from None
    steps = tuple(past.shape[1:])
    if len(steps) != 2 or len(embedding) != 1 or None in (*steps, *embedding):
        raise BundleError(
            f"the network's {PAST} has shape {steps} and its {EMBEDDING} {embedding}, must be (steps, size) and (size,)"
        )
    shape = PastShape(*embedding, *steps)
    shape.check()
    return shape


def _part(module: Any, inputs: list[Any], outputs: Any, disconnected: str) -> Any:
    try:
        with toolchain.quietly():
            return module.Model(inputs, outputs)
    except ValueError as error:
        if "not connected" not in str(error):
            raise
        raise BundleError(f"the network cannot be cut at {EMBEDDING!r}: {disconnected}") from None
