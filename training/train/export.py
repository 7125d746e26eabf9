"""Writes the converter's input: the network, its description, calibration and agreement windows.

The folder's layout is described in `converter.training_output`. Calibration windows come from the training
part, agreement windows from validation subjects; both are mixed as in training, so that every level, room
and bandwidth is among them.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.decision import OperatingPoint
from training.data.activity_marks import ACTIVITY, load_activity
from training.data.clips import load_clips, load_impulse_responses
from training.data.split_list import read_list
from training.mixing.augment import AugmentSettings, example
from training.mixing.sampling import build_palette
from training.networks import residual
from training.networks.network_inputs import features
from training.train.model_card import model_card

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    import numpy.typing as npt

    from training.mixing.augment import Palette

    Float32 = npt.NDArray[np.float32]

NAME = "cry"
VERSION = "1.0.0"
CALIBRATION_WINDOWS = 768
AGREEMENT_WINDOWS = 1536


def export(
    trained: Any,
    folder: Path,
    *,
    calibration: Palette,
    agreement: Palette,
    point: OperatingPoint,
    card: Mapping[str, Any],
    seed: int,
    windows: tuple[int, int] = (CALIBRATION_WINDOWS, AGREEMENT_WINDOWS),
) -> None:
    """Write the folder.

    Args:
        trained: the network, as `residual.build` makes it.
        folder: created if it is missing.
        calibration: sounds of the training part.
        agreement: sounds of the validation part.
        point: the operating point.
        card: the model card.
        seed: of both sets of windows.
        windows: numbers of calibration and agreement windows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    inference_network(trained).save(folder / "model.keras")
    (folder / "description.json").write_text(json.dumps(description(point, card), indent=2) + "\n")
    inputs, _ = mixed_windows(calibration, windows[0], seed=seed)
    np.savez_compressed(folder / "calibration.npz", **inputs)
    inputs, targets = mixed_windows(agreement, windows[1], seed=seed + 1)
    np.savez_compressed(folder / "agreement.npz", **inputs, target=targets)


def inference_network(trained: Any) -> Any:
    """The network in single precision, without its training head and dropout."""
    network = residual.build(embedding_size=1, dropout=0.0, seed=0).network
    network.set_weights(trained.get_weights())
    return network


def description(point: OperatingPoint, card: Mapping[str, Any]) -> dict[str, Any]:
    """`description.json`, as JSON types."""
    label = {"name": "cry", "role": "alarm", "priority": "high", "operating_point": asdict(point)}
    return {
        "name": NAME,
        "version": VERSION,
        "labels": [label],
        "specs": [spec.to_dict() for spec in residual.SPECS],
        "output": "logits",
        "card": dict(card),
    }


def mixed_windows(palette: Palette, count: int, *, seed: int) -> tuple[dict[str, Any], Float32]:
    """Inputs by name, each (count, frames, bins, 1), and targets (count, 1)."""
    rng = np.random.default_rng([seed, 0xE490])
    examples = [example(rng, palette, AugmentSettings()) for _ in range(count)]
    features_of = [features(one.samples) for one in examples]
    inputs = {f"input_{index}": np.stack([pair[index] for pair in features_of])[..., None] for index in range(2)}
    return inputs, np.array([[one.target] for one in examples], np.float32)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder that `teach` wrote")
    parser.add_argument("--network", type=Path, required=True, metavar="KERAS", help="a trained network")
    parser.add_argument("--point", type=Path, required=True, metavar="JSON", help="what `operate` wrote")
    parser.add_argument(
        "--recipe", type=Path, required=True, metavar="JSON", help="how it was trained: recipe, commands"
    )
    parser.add_argument("--folder", type=Path, required=True, metavar="DIR", help="folder for the converter")
    parser.add_argument("--seed", type=int, default=1, help="of the windows (default 1)")


def run(args: argparse.Namespace) -> int:
    """Export, and print the folder."""
    import keras

    operated, recorded = json.loads(args.point.read_text()), json.loads(args.recipe.read_text())
    active = load_activity(args.work / ACTIVITY)
    training, validation = (
        build_palette(load_clips(args.data, part), active, load_impulse_responses(args.data, part), {})
        for part in ("train", "val")
    )
    export(
        keras.saving.load_model(args.network, compile=False),
        args.folder,
        calibration=training,
        agreement=validation,
        point=OperatingPoint(**operated["operating_point"]),
        card=model_card(
            clips=read_list(),
            recipe=recorded["recipe"],
            validation=operated["validation"],
            commands=recorded["commands"],
        ),
        seed=args.seed,
    )
    print(args.folder)
    return 0
