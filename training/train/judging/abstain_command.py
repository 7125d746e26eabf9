"""The command `python -m training abstain`: the runs of a cross-validation as one verdict, with the majority beside it.

For tasks that hardly can be decided, such as the reason of a cry: balanced accuracy over all tested subjects, what the
majority class gives, and what is left if the network abstains below a confidence that validation chose.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from device.errors import ConfigError
from training.evaluation.abstention import JudgedPart, cross_validated_figures
from training.train.judging.prediction_file import load_predictions

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="folders that `train` wrote, one for each fold"
    )
    parser.add_argument(
        "--wanted",
        type=float,
        default=0.7,
        metavar="SHARE",
        help="balanced accuracy that answers shall reach on validation (%(default)s)",
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--seed", type=int, default=1, help="of the bootstrap (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Judge all folds, print the figures, and write them."""
    if not 0.5 <= args.wanted <= 1:
        raise ConfigError(f"--wanted is {args.wanted:g}, must be 0.5 to 1")
    folds = [(_part(folder, "val"), _part(folder, "test")) for folder in args.runs]
    try:
        figures = cross_validated_figures(
            _system(args.runs[0]), folds, wanted=args.wanted, rng=np.random.default_rng(args.seed)
        )
    except ValueError as error:
        raise ConfigError(f"{error}: give the runs of the folds that `folds` wrote, each once") from error
    for figure in figures:
        value = (
            "none is answered"
            if figure.value is None
            else f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
        )
        print(f"{figure.system}, {figure.measure}, {figure.of}: {value}")
    print(f"{figures[0].items} recordings of {figures[0].subjects} subjects in {len(folds)} folds")
    if args.json:
        text = json.dumps({"figures": [asdict(figure) for figure in figures]}, indent=1)
        args.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _part(folder: Path, part: str) -> JudgedPart:
    """A part's predictions; of exclusive labels, or of one label and its absence."""
    found = load_predictions(folder / f"predictions-{part}.npz")
    target, probability = found.target.astype(np.float64), found.probability.astype(np.float64)
    if target.shape[1] == 1:
        target, probability = (np.concatenate([one, 1 - one], axis=1) for one in (target, probability))
    if not np.allclose(target.sum(axis=1), 1):
        raise ConfigError(f"{folder} is of labels that may hold together: give runs of exclusive ones")
    return JudgedPart(found.subject, target, probability)


def _system(folder: Path) -> str:
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return f"{record['system']}/{record['form']}"
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{folder} holds no finished run ({error}): name folders that `train` wrote") from error
