"""The annotations of a collection as one CSV: a line for each example of a task, with its target.

`file,subject,part,start_s,end_s` and a column for each label of the task: what a spreadsheet or another program reads.
`python -m training annotations` writes it for a collection in any known layout.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import RecordingError
from training.data.datasets.layouts import read_dataset
from training.data.examples import examples_of
from training.data.tasks import find_task
from training.splits.subject_split import check_subjects, load_assignments

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from training.data.examples import Example

COLUMNS = ("file", "subject", "part", "start_s", "end_s")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("data", type=Path, metavar="DIR", help="the collection, in any layout that is known")
    parser.add_argument("--task", required=True, metavar="NAME", help="whose labels become columns")
    parser.add_argument("--split", type=Path, required=True, metavar="CSV", help="file,subject,part")
    parser.add_argument("--official-split", action="store_true", help="the publishers' parts, which may share subjects")
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="what is written")


def run(args: argparse.Namespace) -> int:
    """Write the table, and print how many examples there are and what was left out for which reason."""
    task, dataset, assignments = find_task(args.task), read_dataset(args.data), load_assignments(args.split)
    check_subjects(assignments, official_split=args.official_split)
    for problem in dataset.problems:
        print(problem)
    examples = examples_of(dataset, assignments, task)
    write_annotations(args.out, examples.items, dataset.folder, task.labels)
    print(f"{len(examples.items)} examples of {len(dataset.recordings)} recordings")
    for reason, count in sorted(examples.excluded.items()):
        print(f"left out: {count}, {reason}")
    return 0


def write_annotations(path: Path, examples: Iterable[Example], folder: Path, labels: Sequence[str]) -> None:
    """Write examples as CSV, in their order.

    Args:
        path: of the CSV; an existing one is replaced.
        examples: with one target for each of `labels`.
        folder: files are named relative to it.
        labels: of the task.
    """
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow((*COLUMNS, *labels))
        for one in examples:
            file = one.recording.file.relative_to(folder).as_posix()
            times = (f"{one.start_s:.3f}", f"{one.end_s:.3f}")
            writer.writerow((file, one.subject, one.part, *times, *(f"{value:g}" for value in one.target)))


def read_annotations(path: Path) -> tuple[dict[str, str], ...]:
    """The lines of such a CSV by column.

    Raises:
        RecordingError: it is missing or lacks a column.
    """
    if not path.is_file():
        raise RecordingError(f"{path} is missing: give the CSV that was written of a collection's annotations.")
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise RecordingError(f"{path} lacks the column(s) {', '.join(missing)}: its first line must name them.")
        return tuple(reader)
