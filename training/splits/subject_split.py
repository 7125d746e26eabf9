"""Which part each recording of a collection belongs to: reads, writes and checks such a split.

A CSV `file,subject,part`; where the publishers' own parts were taken, a fourth column `official` says `true`. Makes no
split and opens no audio.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from device.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = get_args(Part)

_COLUMNS = ("file", "subject", "part")


@dataclass(frozen=True, slots=True)
class Assignment:
    """One line of a split.

    Attributes:
        file: relative to the collection's folder, with forward slashes.
        subject: what is never divided between parts; empty if unknown: such a recording may only train.
        part: what it is used for.
        official: the publishers chose the part; figures on it are labelled so and choose nothing.
    """

    file: str
    subject: str
    part: Part
    official: bool = False


def save_assignments(path: Path, assignments: Iterable[Assignment]) -> None:
    """Write a split as CSV, sorted by file, so that equal splits are equal bytes."""
    ordered = sorted(assignments, key=lambda one: one.file)
    official = any(one.official for one in ordered)
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow((*_COLUMNS, "official") if official else _COLUMNS)
        for one in ordered:
            row = (one.file, one.subject, one.part)
            writer.writerow((*row, "true" if one.official else "false") if official else row)


def load_assignments(path: Path) -> tuple[Assignment, ...]:
    """The lines of a split, in their order; not yet checked for subjects.

    Raises:
        RecordingError: the file is missing, lacks a column, names an unknown part or a file twice.
    """
    if not path.is_file():
        raise RecordingError(f"{path} is missing: `python -m training split DIR --out {path}` writes it.")
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise RecordingError(f"{path} lacks the column(s) {', '.join(missing)}: a split has file,subject,part.")
        assignments = tuple(_assignment(row, f"{path}, line {reader.line_num}") for row in reader)
    _refuse_repeated_files(path, assignments)
    return assignments


def check_subjects(assignments: Iterable[Assignment], *, official_split: bool = False) -> None:
    """Refuse a split that would make a test unfair.

    Args:
        assignments: all lines of the split.
        official_split: the caller asked for the publishers' parts, whatever they share.

    Raises:
        RecordingError: a subject is in two parts, or a recording of an unknown subject is not in train.
    """
    lines = list(assignments)
    unknown = [one.file for one in lines if not one.subject and one.part != "train"]
    if unknown:
        raise RecordingError(
            f"{len(unknown)} recording(s) of an unknown subject judge, the first is {unknown[0]}: such may only train."
        )
    divided = divided_subjects(lines)
    if divided and not (official_split and all(one.official for one in lines if one.subject in divided)):
        raise RecordingError(_divided_sentence(divided, official=any(one.official for one in lines)))


def divided_subjects(assignments: Iterable[Assignment]) -> dict[str, tuple[str, ...]]:
    """Each subject that is in several parts, and these parts; sorted."""
    parts = defaultdict[str, set[str]](set)
    for one in assignments:
        if one.subject:
            parts[one.subject].add(one.part)
    return {subject: tuple(sorted(found)) for subject, found in sorted(parts.items()) if len(found) > 1}


def _divided_sentence(divided: Mapping[str, tuple[str, ...]], *, official: bool) -> str:
    shown = [f"{subject} ({' and '.join(parts)})" for subject, parts in divided.items()]
    names = ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
    cure = (
        "this is the publishers' split; --official-split takes it as it is, and its figures choose nothing"
        if official
        else "`python -m training split` makes a split that divides none"
    )
    return f"{len(divided)} subject(s) are in two parts: {names}: {cure}."


def _assignment(row: Mapping[str, str | None], where: str) -> Assignment:
    file, subject, part = (row[column] for column in _COLUMNS)
    if not file or subject is None or part not in PARTS:
        raise RecordingError(f"{where} says {part!r} of {file!r}: it must name a file and {', '.join(PARTS)}.")
    official = row.get("official") or "false"
    if official not in {"true", "false"}:
        raise RecordingError(f"{where}, official says {official!r}: it must be true or false.")
    return Assignment(file, subject, part, official == "true")


def _refuse_repeated_files(path: Path, assignments: Iterable[Assignment]) -> None:
    seen = set[str]()
    for one in assignments:
        if one.file in seen:
            raise RecordingError(f"{path} names {one.file} twice: each recording is in one part.")
        seen.add(one.file)
