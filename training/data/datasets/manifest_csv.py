"""Reads a collection that is a folder of audio with a `manifest.csv`.

The columns are `file` (relative to the folder), `set`, `labels` (joined by `|`), `subject`, `session`,
`split`, `sr`, `duration` (seconds), `events` (JSON, a list of `[start_s, end_s, label]`) and `note`;
further ones are ignored. `read_manifest` wants every line right and opens no audio: the committed lists rest on it.
`read_manifest_folder` goes on past what is wrong, opens each header, and adds Donate-a-cry's
`cry_intervals.csv` where it lies beside the manifest.
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from device.errors import RecordingError
from training.data.datasets.annotated_recording import AnnotatedRecording, AnnotatedSpan
from training.data.datasets.annotation_checks import RawSpan
from training.data.datasets.donateacry import read_intervals, report_unclaimed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from training.data.datasets.annotation_checks import Findings

_COLUMNS = ("file", "set", "labels", "subject", "session", "split", "sr", "duration", "events", "note")


def read_manifest(folder: Path) -> tuple[AnnotatedRecording, ...]:
    """All recordings that `folder/manifest.csv` lists, in its order; the audio itself is not opened.

    Raises:
        RecordingError: the manifest is missing, lacks a column, or a line of it is invalid.
    """
    path = folder / "manifest.csv"
    return tuple(_recording(folder, row, f"{path}, line {line}") for line, row in _rows(path))


def is_manifest_folder(folder: Path) -> bool:
    """Whether the folder holds a manifest."""
    return (folder / "manifest.csv").is_file()


def read_manifest_folder(folder: Path, findings: Findings) -> Iterator[AnnotatedRecording]:
    """All recordings that `folder/manifest.csv` lists and whose audio opens, in its order.

    Raises:
        RecordingError: the manifest is missing or lacks a column.
    """
    path, known = folder / "manifest.csv", dict[str, int]()
    marked = read_intervals(folder, findings)
    for line, row in _rows(path):
        try:
            recording = _recording(folder, {**row, "events": ""}, "it")
        except RecordingError as error:
            findings.report(path, line, str(error).removesuffix("."))
            continue
        first = known.setdefault(row["file"], line)
        if first != line:
            findings.report(path, line, f"{row['file']} is listed already in line {first}")
        elif header := findings.header(recording.file, path, line):
            raw = [*_raw_spans(path, line, row["events"]), *marked.pop(recording.file.stem, ())]
            yield replace(recording, duration_s=header[1], events=findings.spans(raw, header[1]))
    report_unclaimed(marked, findings)


def _raw_spans(path: Path, line: int, text: str | None) -> Iterator[RawSpan]:
    """The items of an `events` column; what is no list of three becomes a span of no times, which is a problem."""
    try:
        items = json.loads(text or "[]")
    except ValueError:
        items = [text]
    for item in items if isinstance(items, list) else [items]:
        start, end, label = item if isinstance(item, list) and len(item) == 3 else (json.dumps(item), "", "")
        yield RawSpan(path, line, start, end, str(label))


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Each line's number and columns.

    Raises:
        RecordingError: the manifest is missing or lacks a column.
    """
    if not path.is_file():
        raise RecordingError(f"{path} is missing: give the folder that holds the collection's manifest.csv.")
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise RecordingError(f"{path} lacks the column(s) {', '.join(missing)}: its first line must name them.")
        yield from ((reader.line_num, row) for row in reader)


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
