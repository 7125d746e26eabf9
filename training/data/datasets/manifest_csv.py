"""Reads a collection that is a folder of audio with a `manifest.csv`.

The columns are `file` (relative to the folder), `set`, `labels` (joined by `|`), `subject`, `session`,
`split`, `sr`, `duration` (seconds), `events` (JSON, a list of `[start_s, end_s, label]`) and `note`;
further ones are ignored.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

from device.errors import RecordingError
from training.data.datasets.annotated_recording import AnnotatedRecording, AnnotatedSpan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_COLUMNS = ("file", "set", "labels", "subject", "session", "split", "sr", "duration", "events", "note")


def read_manifest(folder: Path) -> tuple[AnnotatedRecording, ...]:
    """All recordings that `folder/manifest.csv` lists, in its order; the audio itself is not opened.

    Raises:
        RecordingError: the manifest is missing, lacks a column, or a line of it is invalid.
    """
    path = folder / "manifest.csv"
    if not path.is_file():
        raise RecordingError(f"{path} is missing: give the folder that holds the collection's manifest.csv.")
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise RecordingError(f"{path} lacks the column(s) {', '.join(missing)}: its first line must name them.")
        return tuple(_recording(folder, row, f"{path}, line {reader.line_num}") for row in reader)


def _recording(folder: Path, row: Mapping[str, str], where: str) -> AnnotatedRecording:
    try:
        return AnnotatedRecording(
            file=folder / row["file"],
            set=row["set"],
            labels=tuple(row["labels"].split("|")),
            subject=row["subject"],
            session=row["session"],
            official_split=row["split"],
            sample_rate_hz=int(row["sr"]),
            duration_s=float(row["duration"]),
            events=_spans(row["events"]),
            note=row["note"],
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise RecordingError(
            f"{where} cannot be understood ({error}): each column needs its documented form."
        ) from error


def _spans(text: str) -> tuple[AnnotatedSpan, ...]:
    return tuple(AnnotatedSpan(float(start), float(end), str(label)) for start, end, label in json.loads(text or "[]"))
