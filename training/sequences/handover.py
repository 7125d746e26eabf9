"""`python -m training hand-over`: writes a fitted network as the folder that the converter reads.

One folder for each event: the network with the logits of that event, its description, and sequences of windows to
calibrate by (training part) and to check agreement with (validation part). The first event's model scores the rejected
labels besides, so that a nursery which runs both models has each of them once. The backbone is the same in all of them,
bit for bit, so that the device runs it once for all.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError
from device.hearing.features import computer, finish
from training.networks.audioset.second_network import HOP_FRAMES, SPEC, device_network
from training.networks.audioset_teacher import LiteTeacher
from training.sequences.drawing import MARKER, hop_targets
from training.sequences.fitted_parts import load_parts
from training.sequences.material import load_material
from training.sequences.mixture import MixtureSettings, mix_sequence
from training.sequences.sound_kinds import EVENTS, LABELS, REJECTED
from training.sequences.work_terms import is_free_only, refuse_other_terms
from training.train.system.durable_files import replacing, write_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import numpy.typing as npt

    from training.data.split_list import Part
    from training.sequences.material import SequenceMaterial

    Float32 = npt.NDArray[np.float32]

CALIBRATION_SEQUENCES, AGREEMENT_SEQUENCES = 24, 48
MOST_SHIFT = 10.0
VERSION = "1.0.0"

_TIMES_S = {"confirm_s": 1.0, "confirm_of_s": 1.5, "min_length_s": 0.0, "hold_s": 5.0, "cooldown_s": 10.0}


def labels_of(event: str, learned: Sequence[str] = LABELS) -> tuple[str, ...]:
    """What a model of one event scores: the event, and in the first event's model the rejected labels it learned."""
    return (event, *(label for label in REJECTED if label in learned)) if event == EVENTS[0] else (event,)


def columns_of(event: str, learned: Sequence[str] = LABELS) -> tuple[int, ...]:
    """Which logits a model of one event keeps, in the order of its labels."""
    return tuple(LABELS.index(label) for label in labels_of(event, learned))


def description(event: str, card: dict[str, Any], learned: Sequence[str] = LABELS) -> dict[str, Any]:
    """`description.json` of one event's model, as JSON types; `evaluate` chooses its operating point later."""
    alarm, *rejected = labels_of(event, learned)
    labels = [_label(alarm, "alarm", "high"), *(_label(name, "reject", "low") for name in rejected)]
    return {
        "name": event,
        "version": VERSION,
        "labels": labels,
        "specs": [SPEC.to_dict()],
        "output": "logits",
        "card": card,
    }


def windows_of(material: SequenceMaterial, count: int, *, seed: int) -> tuple[Float32, Float32, npt.NDArray[np.int32]]:
    """Sequences of windows as the device hears them.

    Returns:
        features: float32 (n, frames, bins, 1).
        targets: float32 (n, labels).
        sequence: the number of each window's sequence, int32 (n,).
    """
    features, targets, numbers = [], [], []
    for number in range(count):
        mixed = mix_sequence(np.random.default_rng([seed, number, 0x4A4D]), material, MixtureSettings())
        frames = computer(SPEC).frames(mixed.samples)
        starts = range(0, len(frames) - SPEC.shape[0] + 1, HOP_FRAMES)
        features += [finish(SPEC, frames[first : first + SPEC.shape[0]])[..., None] for first in starts]
        targets.append(hop_targets(mixed.present, mixed.unknown, len(starts))[0])
        numbers += [number] * len(starts)
    return np.stack(features), np.concatenate(targets), np.array(numbers, np.int32)


def _label(name: str, role: str, priority: str) -> dict[str, Any]:
    return {"name": name, "role": role, "priority": priority, "operating_point": {"on": 0.5, "off": 0.25, **_TIMES_S}}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--run", type=Path, required=True, metavar="RUN", help="folder that `fit` wrote")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder that `mix` wrote")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for one folder for each event")
    parser.add_argument("--seed", type=int, default=1, help="of the windows (default 1)")
    parser.add_argument(
        "--shift",
        type=float,
        default=0.0,
        metavar="LOG_ODDS",
        help="added to each event's logit: moves its threshold, and changes no ranking (default 0)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the folders, and print them."""
    shift = _shift(args.shift)
    backbone, head = load_parts(args.run)
    refuse_other_terms(args.run, args.work)
    try:
        fitted = json.loads((args.run / "fit.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{args.run / 'fit.json'} cannot be read ({error}): run `python -m training fit` anew"
        ) from None
    card = {"headline": "Hears one second of sound each hop.", "recipe": {**fitted["settings"], **_mixture(), **shift}}
    parts: dict[str, tuple[Float32, Float32, npt.NDArray[np.int32]]] = {}
    wanted: tuple[tuple[str, Part, int], ...] = (
        ("calibration", "train", CALIBRATION_SEQUENCES),
        ("agreement", "val", AGREEMENT_SEQUENCES),
    )
    free_only, learned = is_free_only(args.work), LABELS
    for name, part, count in wanted:
        material = load_material(args.data, part, LiteTeacher(args.work / MARKER), mined={}, free_only=free_only)
        parts[name] = windows_of(material, count, seed=args.seed)
        learned = material.labels if part == "train" else learned
    for event in (event for event in EVENTS if event in learned):
        columns = columns_of(event, learned)
        folder = args.out / event
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / "model.keras") as partial:
            device_network(backbone, head, columns, shift=args.shift).save(partial)
        write_json(folder / "description.json", description(event, card, learned))
        for name, (features, targets, numbers) in parts.items():
            arrays: dict[str, Any] = {
                "input_0": features,
                "target": targets[:, list(columns)],
                "sequence": numbers,
            }
            with replacing(folder / f"{name}.npz") as partial, partial.open("wb") as file:
                np.savez_compressed(file, **arrays)
        print(folder)
    return 0


def _shift(log_odds: float) -> dict[str, Any]:
    """What the card says of a shift; nothing of none.

    Raises:
        ConfigError: it is no number that leaves a score between 0 and 1.
    """
    if not abs(log_odds) <= MOST_SHIFT:
        raise ConfigError(f"--shift is {log_odds:g}, must be {-MOST_SHIFT:g} to {MOST_SHIFT:g}")
    return {"shift_log_odds": log_odds} if log_odds else {}


def _mixture() -> dict[str, Any]:
    settings = asdict(MixtureSettings())
    return {"mixture": {name: value for name, value in settings.items() if name != "channel"}}
