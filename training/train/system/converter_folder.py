"""The part of a run folder that `python -m converter` reads: the network with calibrated scores, and its description.

The layout is described in `converter.training_output`. Where every feature can be streamed, windows of the training
part to calibrate by and of the validation part to check agreement lie beside them; a form that cannot be streamed is
no model for the device, and has none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.network.attention import attention_to_json
from training.train.system.durable_files import replacing, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from training.networks.network_form import NetworkForm
    from training.train.judging.chosen_thresholds import Choice
    from training.train.system.prepared_parts import PreparedPart

CALIBRATION_WINDOWS = 256
AGREEMENT_WINDOWS = 512
VERSION = "0.1.0"

ALARMS = ("cry", "scream", "own")
"""Tasks whose labels raise alarms, and labels that do so in any task; others are noted."""

_REJECTED = {"normal", "other", "poor_quality", "none", "background"}
_TIMES_S = {"confirm_s": 1.0, "confirm_of_s": 2.0, "min_length_s": 0.0, "hold_s": 2.0, "cooldown_s": 5.0}
_OFF_SHARE = 0.7


def write_converter_folder(
    folder: Path,
    network: Any,
    form: NetworkForm,
    choice: Choice,
    *,
    task: str,
    parts: tuple[PreparedPart, PreparedPart],
    seed: int,
    card: Mapping[str, Any],
) -> None:
    """Write `model.keras`, `description.json` and, for a form that streams, `calibration.npz` and `agreement.npz`.

    Args:
        folder: of the run.
        network: with its best weights; unchanged afterwards.
        form: labels, activation and specs.
        choice: temperature and thresholds.
        task: the name of what it was trained for.
        parts: training and validation.
        seed: of the windows that are kept.
        card: further entries of the model card.
    """
    with replacing(folder / "model.keras") as partial:
        _save_scored(network, form, choice.temperature, partial)
    write_json(folder / "description.json", description(form, choice, task, card))
    if all(spec.streamable for spec in form.specs):
        write_windows(folder / "calibration.npz", _some(parts[0], CALIBRATION_WINDOWS, seed))
        write_windows(folder / "agreement.npz", _some(parts[1], AGREEMENT_WINDOWS, seed))


def description(form: NetworkForm, choice: Choice, task: str, card: Mapping[str, Any]) -> dict[str, Any]:
    """`description.json`, as JSON types. The thresholds are those of single windows; `evaluate` chooses better ones."""
    thresholds = choice.surface.thresholds if choice.surface else (0.5,) * len(form.labels)
    return {
        "name": identifier(task),
        "version": VERSION,
        "labels": [_label(name, at, task) for name, at in zip(form.labels, thresholds, strict=True)],
        "specs": [spec.to_dict() for spec in form.specs],
        "output": "probabilities" if form.activation == "softmax" else "logits",
        "card": {"headline": f"{form.name}, trained for {task}.", **card},
        **({} if form.attention is None else {"attention": attention_to_json(form.attention)}),
    }


def identifier(name: str) -> str:
    """A name as bundles allow it: lower-case letters, digits, `_` and `-`."""
    return re.sub(r"[^a-z0-9-]+", "_", name.lower()).strip("_-")


def _label(name: str, threshold: float, task: str) -> dict[str, Any]:
    known = identifier(name)
    role = "reject" if known in _REJECTED else "alarm" if task in ALARMS or known in ALARMS else "info"
    point = {"on": threshold, "off": round(threshold * _OFF_SHARE, 4), **_TIMES_S}
    return {"name": known, "role": role, "priority": "high" if role == "alarm" else "low", "operating_point": point}


def _save_scored(network: Any, form: NetworkForm, temperature: float, path: Path) -> None:
    """Save the network with its temperature in the last layer; exclusive labels come out as probabilities."""
    import keras

    last = network.get_layer("logits")
    kept = last.get_weights()
    scores = network.outputs[0]
    if form.activation == "softmax":
        scores = keras.layers.Softmax(name="scores")(scores)
    elif len(network.outputs) > 1:
        scores = keras.layers.Activation("linear", name="scores")(scores)
    outputs = [scores, *network.outputs[1:]]
    last.set_weights([one / np.float32(temperature) for one in kept])
    try:
        keras.Model(network.input, outputs if len(outputs) > 1 else scores, name=network.name).save(path)
    finally:
        last.set_weights(kept)


def _some(part: PreparedPart, most: int, seed: int) -> PreparedPart:
    chosen = np.random.default_rng([seed, 0xCA11]).permutation(len(part))[:most]
    return part.taken(np.sort(chosen))


def write_windows(path: Path, part: PreparedPart) -> None:
    """Write the features and targets of a part, replacing what is there."""
    arrays: dict[str, Any] = {f"input_{index}": array for index, array in enumerate(part.inputs)}
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays, target=part.targets)
