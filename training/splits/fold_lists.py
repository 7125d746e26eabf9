"""`python -m training folds`: one split for each fold of a cross-validation by subject.

Each list is what `train --split` takes: a line `file,subject,part` for each recording that the task knows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from device.errors import ConfigError
from training.data.datasets.layouts import read_dataset
from training.data.tasks import find_task
from training.splits.grouped_folds import grouped_folds, parts_of_fold
from training.splits.subject_split import Assignment, Part, check_subjects, save_assignments

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.tasks import Task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("data", type=Path, metavar="DIR", help="the collection, in any layout that is known")
    parser.add_argument("--task", default="cry_reason", help="whose labels are spread evenly (%(default)s)")
    parser.add_argument("--folds", type=int, default=5, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the order in which subjects choose (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder for fold-0.csv, fold-1.csv, ...")


def run(args: argparse.Namespace) -> int:
    """Write the lists and print what each holds."""
    task = find_task(args.task)
    dataset = read_dataset(args.data)
    targets = known_targets(dataset.recordings, task)
    if not targets:
        raise ConfigError(f"no recording in {args.data} has a label and a subject that {task.name} knows")
    fold_of = grouped_folds(
        [recording.subject for recording in targets],
        list(targets.values()),
        args.folds,
        np.random.default_rng(args.seed),
    )
    args.out.mkdir(parents=True, exist_ok=True)
    for fold in range(args.folds):
        parts = parts_of_fold(fold_of, fold)
        assignments = [
            Assignment(dataset.file_name(one), one.subject, cast("Part", parts[one.subject])) for one in targets
        ]
        check_subjects(assignments)
        save_assignments(args.out / f"fold-{fold}.csv", assignments)
        print(f"fold {fold}: {_summary(targets, parts, task)}")
    return 0


def known_targets(
    recordings: tuple[AnnotatedRecording, ...], task: Task
) -> dict[AnnotatedRecording, tuple[float, ...]]:
    """The target of each recording that has one and whose subject is known."""
    found = {one: task.target_of(one.labels) for one in recordings if one.subject}
    return {one: target for one, target in found.items() if target is not None}


def _summary(targets: Mapping[AnnotatedRecording, tuple[float, ...]], parts: Mapping[str, str], task: Task) -> str:
    """Recordings of each label in each part, and the subjects."""
    lines = []
    for part in ("train", "val", "test"):
        held = [one for one in targets if parts[one.subject] == part]
        counts = np.sum([targets[one] for one in held], axis=0)
        named = ", ".join(f"{int(count)} {label}" for label, count in zip(task.labels, counts, strict=True))
        lines.append(f"{part} {named} of {len({one.subject for one in held})} subjects")
    return "; ".join(lines)
