"""Rebuilds a trained Keras network so that it can be converted: builtin layers, batch 1, recurrent layers unrolled.

An int8 conversion of a looped LSTM or GRU fails at calibration; unrolled, the same weights give
outputs equal to 1e-7. Resizing becomes products, which the device
runs. Inputs are renamed `input_0`, ... and the outputs by name, because the device finds them by
name: their order in a converted graph is not defined.
"""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from converter import toolchain
from converter.rebuilding.packed_recurrence import is_packable, packed
from converter.rebuilding.resizing_product import is_resizing, resized
from device.errors import BundleError
from device.hearing.network.check import SCORES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from device.hearing.spec import FeatureSpec

LOGITS = "logits"
"""Name that the networks of the bench give their scores; a single output needs none."""

_EXECUTABLE = ("Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
_RECURRENT = ("LSTM", "GRU", "SimpleRNN")
_REBUILT = (*_RECURRENT, "Resizing")


def load_network(path: Path) -> Any:
    """The Keras model in a `.keras` file that holds data, not code.

    Raises:
        BundleError: the file cannot be read, names what is not builtin, or holds a weight that is not finite.
    """
    _refuse_code(path)
    module = toolchain.keras()
    try:
        with toolchain.quietly():
            module.utils.clear_session()  # Keras numbers names per session, and they become part of the graph's bytes
            model = module.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises any type on a damaged file
        raise BundleError(f"{path} cannot be loaded by Keras: {_first_line(error)}") from error
    for weight in model.weights:
        if not np.isfinite(np.asarray(weight)).all():
            raise BundleError(f"{path}: weight {weight.path} holds a number that is not finite; train it again")
    return model


def rebuild(model: Any, specs: Sequence[FeatureSpec], label_count: int) -> Any:
    """The same function with batch 1: {input_0: (1, frames, bins, 1), ...} -> {scores: (1, labels), extras}.

    Raises:
        BundleError: inputs do not fit the specs, or the scores do not fit the labels.
    """
    _check_inputs(model, specs)
    rebuilt = at_batch_one(model, [f"input_{ordinal}" for ordinal in range(len(specs))], output_names(model))
    check_scores(rebuilt.output[SCORES].shape, label_count)
    return rebuilt


def at_batch_one(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """The same function with batch 1 and without loops, by the names of its inputs and outputs in their order."""
    module = toolchain.keras()
    with toolchain.quietly():
        unrolled = _unrolled(module, model)
        tensors = [
            module.Input(tensor.shape[1:], batch_size=1, name=name)
            for name, tensor in zip(inputs, model.inputs, strict=True)
        ]
        results = unrolled(module.tree.pack_sequence_as(model.input, tensors))
        named = dict(zip(outputs, module.tree.flatten(results), strict=True))
        return module.Model({tensor.name: tensor for tensor in tensors}, named)


def check_scores(shape: Sequence[int | None], label_count: int) -> None:
    """Refuse another number of scores than labels; their shape has the batch axis.

    Raises:
        BundleError: they differ.
    """
    if tuple(shape[1:]) != (label_count,):
        raise BundleError(
            f"the network gives scores of shape {tuple(shape[1:])}, the description has {label_count} labels"
        )


def _refuse_code(path: Path) -> None:
    """Refuse modules that are not Keras's own: Keras imports whatever a file names."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is no .keras file: {error}") from None
    for item in _objects(config):
        name, registered = item["class_name"], item.get("registered_name")
        if name in _EXECUTABLE:
            raise BundleError(f"{path} holds a {name} layer, which is code; use builtin layers only")
        if str(item.get("module") or "keras").split(".")[0] != "keras" or ">" in str(registered):
            raise BundleError(f"{path} holds {registered or name}, which is not builtin; use builtin layers only")


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Each serialized object in a Keras configuration."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if "class_name" in item:
                yield item
            pending += item.values()
        elif isinstance(item, list):
            pending += item


def _check_inputs(model: Any, specs: Sequence[FeatureSpec]) -> None:
    found = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    wanted = [(*spec.shape, 1) for spec in specs]
    if found != wanted:
        raise BundleError(f"the network takes inputs of shapes {found}, the specs give {wanted}")


def output_names(model: Any) -> list[str]:
    """Names of the outputs in order; a single output, or the one of the logits, is the scores.

    Raises:
        BundleError: several could be the scores, or two have one name.
    """
    outputs = model.output  # a dictionary's values come in the order of its names
    names = sorted(outputs) if isinstance(outputs, dict) else [str(name) for name in model.output_names]
    if len(names) == 1:
        return [SCORES]
    if SCORES not in names and names.count(LOGITS) == 1:
        names[names.index(LOGITS)] = SCORES
    if names.count(SCORES) != 1 or len(set(names)) != len(names):
        raise BundleError(
            f"the network's outputs are {', '.join(names)}; one must be named {SCORES!r} or {LOGITS!r}, all differently"
        )
    return names


def _unrolled(module: Any, model: Any) -> Any:
    """A copy without loops and resizing; the model itself if it has none."""
    if not any(item["class_name"] in _REBUILT for item in _objects(model.get_config())):
        return model

    def unroll(layer: Any) -> Any:
        config = layer.get_config()
        for part in (config, *(item["config"] for item in _objects(config))):
            if "unroll" in part:
                part["unroll"] = True
        return layer.__class__.from_config(config)

    def rebuilt(layer: Any) -> Any:
        if is_packable(layer):
            return packed(layer)
        if is_resizing(layer):
            return resized(layer)
        if not any(
            item["class_name"] in _RECURRENT
            for item in _objects({"layer": module.saving.serialize_keras_object(layer)})
        ):
            return layer
        copy = unroll(layer)
        copy.build(layer.input.shape)
        copy.set_weights(layer.get_weights())
        return copy

    inputs = [module.Input(tensor.shape[1:], batch_size=1, dtype=tensor.dtype) for tensor in model.inputs]
    return module.models.clone_model(model, module.tree.pack_sequence_as(model.input, inputs), clone_function=rebuilt)


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
