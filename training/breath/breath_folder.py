"""The folder of a fitted network of breath sounds, as `python -m converter` reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.breath.band_frames import SPEC, frame_s, hop_frames, normalize, window_s
from training.breath.window_targets import LABELS, window_targets
from training.evaluation.alarm_counting import HOP_S
from training.train.system.durable_files import replacing, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from training.breath.band_frames import BandFrames
    from training.breath.window_drawing import WindowDrawing

    Float32 = npt.NDArray[np.float32]

CALIBRATION_WINDOWS, AGREEMENT_WINDOWS = 256, 1024
_OF_EACH_LABEL = 200
"""Windows that compare networks hold so many of each label, where there are: most windows are normal breath."""

EVENTS = ("wheeze", "crackle")
"""Labels that become events; of all others the device reports the score alone."""

VERSION = "1.0.0"
_TIMES_S = {"confirm_s": 0.5, "confirm_of_s": 0.5, "min_length_s": 0.0, "hold_s": 3.0, "cooldown_s": 5.0}


def write_folder(
    folder: Path,
    network: Any,
    drawing: WindowDrawing,
    val: Sequence[BandFrames],
    *,
    seed: int,
    recipe: Mapping[str, Any],
) -> None:
    """Write `model.keras`, `description.json`, `calibration.npz` and `agreement.npz`.

    Args:
        folder: existing.
        network: (n, frames, bands, 1) -> logits (n, labels).
        drawing: of the training part, whose windows set the ranges of int8.
        val: recordings of the validation part, whose windows compare networks.
        seed: of the windows that are kept.
        recipe: how it was trained, for the card.
    """
    import keras

    with replacing(folder / "model.keras") as partial:
        keras.Model(network.input, network.outputs[0], name=network.name).save(partial)
    write_json(folder / "description.json", description(recipe))
    rng = np.random.default_rng([seed, 0xCA11])
    decibels, targets = drawing.draw(CALIBRATION_WINDOWS, rng)
    _write(folder / "calibration.npz", decibels, targets)
    known = list(_known_windows(val))
    chosen = balanced_choice(np.stack([targets for _, targets in known]), rng)
    _write(
        folder / "agreement.npz",
        np.stack([known[index][0] for index in chosen]),
        np.stack([known[index][1] for index in chosen]),
    )


def balanced_choice(targets: Float32, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Which windows compare networks: some of each label, then any, `AGREEMENT_WINDOWS` at most, in their order.

    Args:
        targets: of all windows (n, labels).
        rng: draws.
    """
    order = rng.permutation(len(targets))
    of_labels = [order[targets[order, label] > 0][:_OF_EACH_LABEL] for label in range(targets.shape[1])]
    ranked = np.concatenate([*of_labels, order])
    first = np.sort(np.unique(ranked, return_index=True)[1])
    return np.sort(ranked[first][:AGREEMENT_WINDOWS])


def description(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """`description.json`, as JSON types; `evaluate` chooses the operating points later."""
    return {
        "name": "lung",
        "version": VERSION,
        "labels": [_label(name) for name in LABELS],
        "specs": [SPEC.to_dict()],
        "output": "logits",
        "card": {"headline": "Wheezes, crackles and their types at 4 kHz.", "recipe": dict(recipe)},
    }


def _label(name: str) -> dict[str, Any]:
    role = "info" if name in EVENTS else "reject"
    return {"name": name, "role": role, "priority": "low", "operating_point": {"on": 0.5, "off": 0.25, **_TIMES_S}}


def _known_windows(recordings: Sequence[BandFrames]) -> Iterator[tuple[Float32, Float32]]:
    """The windows of the device whose every label is known: decibels and targets."""
    for held in recordings:
        for first in range(0, held.last_start + 1, hop_frames(HOP_S)):
            start_s = first * frame_s()
            targets = window_targets(held.recording, start_s, start_s + window_s())
            if targets is not None and np.isfinite(targets).all():
                yield held.window(first), targets


def _write(path: Path, decibels: Float32, targets: Float32) -> None:
    """An open target counts as 0: calibration does not read it."""
    arrays: dict[str, Any] = {"input_0": normalize(decibels)[..., None], "target": np.nan_to_num(targets)}
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
