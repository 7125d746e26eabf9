"""`python -m training describe DIR`: says what a collection holds, and what is doubtful in it.

Prints a report; with `--out` also writes it, its figures as JSON, the near duplicates as CSV, and example pictures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.data.datasets.annotation_checks import UNUSABLE
from training.data.datasets.layouts import LAYOUTS, read_dataset
from training.scaling.scaling_options import add_scaling_options
from training.splits.collection.subject_column import subjects_of
from training.splits.near_duplicates import write_near_duplicates
from training.survey.example_pictures import draw_examples
from training.survey.survey import survey
from training.survey.survey_text import survey_text

if TYPE_CHECKING:
    import argparse

    from training.data.datasets.dataset import Dataset
    from training.survey.survey import Survey


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("data", type=Path, metavar="DIR", help="the collection")
    parser.add_argument("--layout", metavar="NAME", help=f"one of {', '.join(LAYOUTS)}; recognized if not given")
    parser.add_argument("--subject-column", metavar="NAME", help="column of a CSV in DIR: whose recording")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for the report, its figures and pictures")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of the report")
    parser.add_argument("--skip-sounds", action="store_true", help="do not search for the same sound under two names")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of pictures (%(default)s)")
    add_scaling_options(parser, has_cache=False)


def run(args: argparse.Namespace) -> int:
    """Print the report; 0, whatever it says."""
    dataset = read_dataset(args.data, args.layout)
    found = survey(
        dataset,
        subjects_of(dataset, args.subject_column),
        compare_sounds=not args.skip_sounds,
        workers=args.workers,
        scheduler=args.scheduler,
    )
    text = json.dumps(found.as_json(), indent=1, allow_nan=False) + "\n"
    print(text if args.json else survey_text(found), end="")
    if args.out:
        _write(args.out, dataset, found, seed=args.seed)
    return 0


def _write(folder: Path, dataset: Dataset, found: Survey, *, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.txt").write_text(survey_text(found), encoding="utf-8")
    (folder / "report.json").write_text(json.dumps(found.as_json(), indent=1, allow_nan=False), encoding="utf-8")
    if found.near_duplicates is not None:
        write_near_duplicates(folder / "near_duplicates.csv", found.near_duplicates)
    labels = [label for label in found.labels if label != UNUSABLE]
    draw_examples(folder / "examples.png", dataset, labels, np.random.default_rng(seed))
