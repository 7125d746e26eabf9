"""Whose recording it is, by a column of a table in the collection's folder.

Without a column's name: the column `subject` of `subjects.csv` if it lies there, and else what the reader found.
"""

from __future__ import annotations

import csv
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from device.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from training.data.datasets.dataset import Dataset

_FILE_COLUMNS = ("file", "cry_audio_file", "filename", "file_name", "path")


def subjects_of(dataset: Dataset, column: str | None = None) -> dict[str, str]:
    """File name in the split -> subject, for all recordings in their order; empty where it is unknown.

    Args:
        dataset: the collection.
        column: of `subjects.csv`, `manifest.csv` or another CSV in its folder, beside a column that names the file.

    Raises:
        RecordingError: no table has the column; the sentence lists the columns that there are.
    """
    found = {dataset.file_name(one): one.subject for one in dataset.recordings}
    table = dataset.folder / "subjects.csv"
    if column is None and not table.is_file():
        return found
    named = _column(dataset.folder, column or "subject")
    bare = {PurePosixPath(file).name: subject for file, subject in named.items()}
    return {file: named.get(file, bare.get(PurePosixPath(file).name, "")) for file in found}


def _column(folder: Path, column: str) -> dict[str, str]:
    """File as the table names it -> what stands in the column."""
    tables = sorted(folder.glob("*.csv"), key=lambda table: (table.name != "subjects.csv", table.name))
    heads = {table: _heads(table) for table in tables}
    for table, head in heads.items():
        file = next((one for one in head if one.strip().casefold() in _FILE_COLUMNS), None)
        if column in head and file is not None:
            return _read(table, file, column)
    known = "; ".join(f"{table.name}: {', '.join(head)}" for table, head in heads.items()) or "no CSV lies there"
    raise RecordingError(f'no table in {folder} has the column "{column}" beside a column "file" ({known}).')


def _heads(table: Path) -> list[str]:
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        return next(csv.reader(lines), [])


def _read(table: Path, file: str, column: str) -> dict[str, str]:
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        return {_slashes(row[file]): (row[column] or "").strip() for row in csv.DictReader(lines)}


def _slashes(name: str | None) -> str:
    return (name or "").strip().replace("\\", "/")


def unknown_sentence(files: Mapping[str, str] | Iterable[str]) -> str:
    """What to do where no subject is known at all."""
    count = len(list(files))
    return (
        f"of none of the {count} recordings is the subject known: put each subject's recordings into a folder of their "
        "own, name them SUBJECT__anything.wav, or name a column that says it with --subject-column."
    )
