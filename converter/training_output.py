"""Reads what training wrote: a saved network, its description, and windows to check it with; usually in one folder.

model.keras        functional, builtin layers only; one input (frames, bins, 1) per spec, one output
                   of one score per label (further outputs are extras, then it is named `scores`)
description.json   name, version, labels, specs, output, card; and `attention`, if outputs hold it (see
                   `device.hearing.network.attention`)
calibration.npz    input_0, input_1, ... float32 (n, frames, bins, 1): training windows
agreement.npz      the same of validation windows, and target float32 (n, labels)

A network that carries its past has an input `past` and an output `next_past` besides, of shape (steps, size), and a
layer `embedding` at which it is cut (see `rebuilding.cut_network`). Its windows are those of sequences: both archives
hold `sequence` too (see `window_sequences`), and the description may hold `hop_s`, which is 0.5 otherwise.

In the place of the last two there may be recordings (see `recorded_windows`).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np

from converter.rebuilding.cut_network import names_past
from converter.window_sequences import sequence_numbers
from device.errors import BundleError, SpecError
from device.hearing.bundle.contents import Label, Output
from device.hearing.bundle.manifest import MAX_HOP_S, MIN_HOP_S, label_from_dict
from device.hearing.network.attention import attention_from_json
from device.hearing.spec import FeatureSpec
from device.strict_json import members, parse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from converter.window_sequences import Numbers
    from device.hearing.network.attention import AttentionOutputs

    Float32 = npt.NDArray[np.float32]

HOP_S = 0.5
"""Of a network that carries its past, where its description says nothing else."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingOutput:
    """The validated content of the folder.

    Attributes:
        name: of the model.
        version: of the model.
        labels: in the order of the scores.
        specs: one per input.
        output: what the scores are.
        card: the model card.
        network: path of the `.keras` file.
        calibration: one float32 (n, frames, bins, 1) per spec.
        agreement: one float32 (m, frames, bins, 1) per spec.
        target: float32 (m, labels) in [0, 1].
        calibration_sequence: numbers of the sequences of a network that carries its past (n,); None for another.
        agreement_sequence: the same (m,).
        hop_s: seconds from one window of a sequence to the next.
        attention: the network's outputs that hold its attention; None if none do.
    """

    name: str
    version: str
    labels: tuple[Label, ...]
    specs: tuple[FeatureSpec, ...]
    output: Output
    card: dict[str, Any]
    network: Path
    calibration: tuple[Float32, ...]
    agreement: tuple[Float32, ...]
    target: Float32
    calibration_sequence: Numbers | None = None
    agreement_sequence: Numbers | None = None
    hop_s: float = HOP_S
    attention: AttentionOutputs | None = None


def read_training_output(
    model: Path, *, description: Path | None = None, calibration: Path | None = None
) -> TrainingOutput:
    """What training wrote.

    Args:
        model: a `.keras` file, or the folder that holds `model.keras`.
        description: JSON; None for `description.json` beside the model.
        calibration: folder with the two archives of windows, or of recordings; None for the model's own.

    Raises:
        BundleError: a file is missing or its content is invalid.
        RecordingError: a recording cannot be read.
    """
    network = model / "model.keras" if model.suffix != ".keras" else model
    description = description or network.parent / "description.json"
    windows = calibration or network.parent
    for file in (network, description):
        if not file.is_file():
            raise BundleError(f"{file.parent}: {file.name} is missing; the folder must be what training wrote")
    where = f"{description}"
    value = parse(description.read_bytes(), where)
    kinds: dict[str, type] = {"name": str, "version": str, "labels": list, "specs": list, "output": str, "card": dict}
    if isinstance(value, dict) and "hop_s" in value:
        kinds |= {"hop_s": float}
    if isinstance(value, dict) and "attention" in value:
        kinds |= {"attention": list}
    fields = members(value, where, kinds)
    specs = tuple(_spec(item, f"{where}: spec {ordinal}") for ordinal, item in enumerate(fields["specs"]))
    labels = tuple(label_from_dict(item, f"{where}: label {ordinal}") for ordinal, item in enumerate(fields["labels"]))
    if fields["output"] not in get_args(Output):
        raise BundleError(f"{where}: output is {fields['output']!r}, must be one of {', '.join(get_args(Output))}")
    hop_s = fields.get("hop_s", HOP_S)
    if not MIN_HOP_S <= hop_s <= MAX_HOP_S:
        raise BundleError(f"{where}: hop_s is {hop_s:g}, must be {MIN_HOP_S:g} to {MAX_HOP_S:g} seconds")
    sequence_hop_s = hop_s if names_past(network) else None
    ranges, compared, target = _both_windows(
        windows, labels, specs, hop_s=sequence_hop_s, may_record=calibration is not None
    )
    return TrainingOutput(
        name=fields["name"],
        version=fields["version"],
        labels=labels,
        specs=specs,
        output=fields["output"],
        card=fields["card"],
        network=network,
        calibration=ranges.inputs,
        agreement=compared.inputs,
        target=target,
        calibration_sequence=ranges.sequence,
        agreement_sequence=compared.sequence,
        hop_s=hop_s,
        attention=attention_from_json(fields["attention"], f"{where}: attention") if "attention" in fields else None,
    )


class _Windows(NamedTuple):
    inputs: tuple[Float32, ...]
    sequence: Numbers | None


def _both_windows(
    folder: Path, labels: Sequence[Label], specs: Sequence[FeatureSpec], *, hop_s: float | None, may_record: bool
) -> tuple[_Windows, _Windows, Float32]:
    """Windows that set the ranges, those that compare, and their target; with a hop, of sequences."""
    files = folder / "calibration.npz", folder / "agreement.npz"
    if may_record and not any(file.exists() for file in files):
        from converter.recorded_windows import recorded_windows  # decoders, which archives do not need

        ranges, compared = recorded_windows(folder, labels, specs, hop_s=hop_s)
        return _Windows(ranges.inputs, ranges.sequence), _Windows(compared.inputs, compared.sequence), compared.target
    for file in files:
        if not file.is_file():
            raise BundleError(f"{folder}: {file.name} is missing; the folder must be what training wrote")
    both = []
    for file in files:
        inputs, rest = read_windows(file, specs)
        count = len(inputs[0])
        numbers = None if hop_s is None else sequence_numbers(str(file), rest.get("sequence"), count)
        both.append(_Windows(inputs, numbers))
    return both[0], both[1], _target(files[1], rest.get("target"), (count, len(labels)))


def _spec(value: Any, where: str) -> FeatureSpec:
    if not isinstance(value, dict):
        raise BundleError(f"{where} must be an object")
    try:
        return FeatureSpec.from_dict(value)
    except SpecError as error:
        raise BundleError(f"{where}: {error}") from None


def read_windows(path: Path, specs: Sequence[FeatureSpec]) -> tuple[tuple[Float32, ...], dict[str, Any]]:
    """(inputs, the file's other arrays); all inputs are finite and hold equally many windows.

    Raises:
        BundleError: the file is missing or damaged, or an input is not what the specs say.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} cannot be read: {error}") from None
    inputs = []
    for ordinal, spec in enumerate(specs):
        array = arrays.pop(f"input_{ordinal}", None)
        shape = (*spec.shape, 1)
        if array is None or array.dtype != np.float32 or array.shape[1:] != shape or not len(array):
            found = "missing" if array is None else f"{array.dtype} {array.shape}"
            raise BundleError(f"{path}: input_{ordinal} is {found}, must be float32 (n, {', '.join(map(str, shape))})")
        if not np.isfinite(array).all():
            raise BundleError(f"{path}: input_{ordinal} holds a number that is not finite")
        inputs.append(array)
    if len({len(array) for array in inputs}) != 1:
        raise BundleError(f"{path}: the inputs hold {[len(array) for array in inputs]} windows, must be equally many")
    return tuple(inputs), arrays


def _target(path: Path, target: Any, shape: tuple[int, int]) -> Float32:
    if target is None or target.shape != shape:
        found = "missing" if target is None else str(target.shape)
        raise BundleError(f"{path}: target is {found}, must be float32 {shape}: a column for each label")
    if not np.isfinite(target).all() or target.min() < 0 or target.max() > 1:
        raise BundleError(f"{path}: target must hold numbers from 0 to 1")
    checked: Float32 = target.astype(np.float32)
    return checked
