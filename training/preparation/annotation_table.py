"""The annotations of a collection as one CSV: a line for each example of a task, with its target.

`file,subject,part,start_s,end_s` and a column for each label of the task: what a spreadsheet or another program reads.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from device.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from training.data.examples import Example

COLUMNS = ("file", "subject", "part", "start_s", "end_s")


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
