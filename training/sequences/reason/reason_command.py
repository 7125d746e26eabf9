"""`python -m training reason`: fits the reason of a cry on the shared backbone, judges it, and hands it over.

OUT/figures.json      cross-validation by recorder, and the test part
OUT/cry-reason/       the folder that the converter reads

The development recorders of the committed list (train and val) are cross-validated; the head that ships learns from the
train part. The test part is judged once, and chooses nothing.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError
from training.data.tasks import CRY_REASON
from training.evaluation.abstention import cross_validated_figures
from training.networks.audioset.reason_network import NEWEST_SHARE, reason_network
from training.networks.audioset.second_network import SPEC
from training.sequences.fitted_parts import load_parts
from training.sequences.reason.crying import COLLECTION, CRYING, noted_cries, noted_windows
from training.sequences.reason.reason_folds import (
    RIDGE,
    answered_from,
    cross_validation,
    excludes_chance,
    fit_head,
)
from training.train.system.durable_files import replacing, write_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from training.data.split_list import Part
    from training.evaluation.measured import Figure
    from training.sequences.reason.reason_folds import FittedHead

NAME = "cry-reason"
LEAST_HEARD_S = 3.0
"""A verdict stands on at least so many seconds of hops."""

CALIBRATION_RECORDINGS = 48


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--run", type=Path, required=True, metavar="RUN", help="folder that `fit` wrote")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for figures and model")
    parser.add_argument("--folds", type=int, default=5, help="of the cross-validation (%(default)s)")
    parser.add_argument(
        "--wanted",
        type=float,
        default=0.7,
        metavar="SHARE",
        help="balanced accuracy that answers shall reach on validation (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, help="of folds and bootstrap (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Fit, judge, write, and print the figures and whether the model will answer."""
    if not 0.5 <= args.wanted <= 1:
        raise ConfigError(f"--wanted is {args.wanted:g}, must be 0.5 to 1")
    backbone, head = load_parts(args.run)
    train, val, test = (list(noted_cries(args.data, part, backbone, head)) for part in ("train", "val", "test"))
    rng = np.random.default_rng(args.seed)
    figures, judged = cross_validation([*train, *val], folds=args.folds, wanted=args.wanted, rng=rng)
    least = answered_from(figures, judged, args.wanted)
    fitted = fit_head(train)
    tested = cross_validated_figures(
        NAME, [(fitted.judged([*train, *val]), fitted.judged(test))], wanted=args.wanted, rng=rng
    )[:4]
    figures_json = {
        "answers_from": least,
        "excludes_chance": excludes_chance(figures),
        "cross_validation": [asdict(figure) for figure in figures],
        "test": [asdict(figure) for figure in tested],
    }
    write_folder(args.out / NAME, args.data, reason_network(backbone, *fitted), description(least, figures, fitted))
    write_json(args.out / "figures.json", figures_json)
    for where, found in (("cross-validation", figures), ("test", tested)):
        print("\n".join(f"{where}: {_line(figure)}" for figure in found))
    print(_headline(figures))
    return 0


def description(least: float, figures: Sequence[Figure], fitted: FittedHead) -> dict[str, Any]:
    """`description.json`, as JSON types."""
    point = {
        "on": round(least, 3),
        "off": 0.5,
        "confirm_s": LEAST_HEARD_S,
        "confirm_of_s": LEAST_HEARD_S,
        "min_length_s": 0.0,
        "hold_s": 0.0,
        "cooldown_s": 0.0,
    }
    recipe = {
        "collection": COLLECTION,
        "ridge": RIDGE,
        "newest_share": NEWEST_SHARE,
        "crying_from": CRYING,
        "weights": int(fitted.kernel.shape[0]),
    }
    return {
        "name": NAME,
        "version": "1.0.0",
        "labels": [
            {"name": name, "role": "verdict", "priority": "low", "operating_point": point} for name in CRY_REASON.labels
        ],
        "specs": [SPEC.to_dict()],
        "output": "softmax",
        "card": {
            "headline": _headline(figures),
            "recipe": recipe,
            "cross_validation": [_row(figure) for figure in figures],
        },
    }


def write_folder(folder: Path, data: Path, network: Any, described: dict[str, Any]) -> None:
    """What the converter reads: network, description, and windows of the train and val parts."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "model.keras") as partial:
        network.save(partial)
    write_json(folder / "description.json", described)
    parts: tuple[tuple[str, Part, int | None], ...] = (
        ("calibration", "train", CALIBRATION_RECORDINGS),
        ("agreement", "val", None),
    )
    for name, part, most in parts:
        with replacing(folder / f"{name}.npz") as partial, partial.open("wb") as file:
            np.savez_compressed(file, **_windows(data, part, most))


def _windows(data: Path, part: Part, most: int | None) -> dict[str, Any]:
    """Windows of the first recordings of a part, or of all, each a sequence by itself."""
    found = list(noted_windows(data, part))[:most]
    counts = [len(windows) for *_, windows in found]
    return {
        "input_0": np.concatenate([windows for *_, windows in found]),
        "target": np.repeat(np.array([target for *_, target, _ in found], np.float32), counts, axis=0),
        "sequence": np.repeat(np.arange(len(found), dtype=np.int32), counts),
    }


def _row(figure: Figure) -> dict[str, Any]:
    """A figure as a line of the card's table."""
    return {
        "system": figure.system,
        "measure": figure.measure,
        "of": figure.of,
        "value": None if figure.value is None else round(figure.value, 3),
        "low": None if figure.low is None else round(figure.low, 3),
        "high": None if figure.high is None else round(figure.high, 3),
    }


def _line(figure: Figure) -> str:
    value = "none" if figure.value is None else f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
    return f"{figure.system}, {figure.measure}, {figure.of}: {value}; {figure.items} recordings of {figure.subjects}"


def _headline(figures: Sequence[Figure]) -> str:
    """The one sentence of the card."""
    own = next(one for one in figures if (one.measure, one.of) == ("balanced accuracy", "all"))
    reached = f"balanced accuracy {own.value:.3f} by cross-validation over recorders"
    interval = f"95 % interval ({own.low:.3f} to {own.high:.3f})"
    stands = f"{own.items} recordings of {own.subjects} app installations"
    if excludes_chance(figures):
        return f"Better than a guess: {reached}, whose {interval} excludes 0.5, a guess; {stands}."
    return (
        f"No better than a guess: {reached}, whose {interval} includes 0.5, a guess; {stands}. So it abstains from "
        "every cry: its verdict is always null."
    )
