"""Reads a CSV with a line for each recording: its file and its label, and what else is known.

The columns, by the first name that occurs, upper and lower case alike: the file (`Cry_Audio_File`, `file`, `filename`,
`path`), its labels (`Label`, `labels`, `class`, `category`), several joined by `|`; if present `subject`, `split`, and
`start_s` with `end_s`: then a line is one event, and a recording may have many.
A file is named relative to the CSV; one that does not lie there is looked for by its bare name below the folder.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from device.errors import RecordingError
from training.data.datasets.annotation_checks import RawSpan
from training.data.datasets.own_recordings import audio_files, known_labels, labels_of, own_recording, subject_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.datasets.annotation_checks import Findings

_NAMES = {
    "file": ("cry_audio_file", "file", "filename", "file_name", "path"),
    "label": ("label", "labels", "class", "category"),
    "subject": ("subject",),
    "split": ("split",),
    "start": ("start_s",),
    "end": ("end_s",),
}


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the table: its number, and what its columns say."""

    number: int
    said: Mapping[str, str]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label.strip() for label in self.said["label"].split("|") if label.strip())


def has_label_table(folder: Path) -> bool:
    """Whether a CSV in the folder has a column for the file and one for its label."""
    return _table(folder) is not None


def read_label_table(folder: Path, findings: Findings) -> Iterator[AnnotatedRecording]:
    """The recordings of the folder's table, in the order of their first lines.

    Raises:
        RecordingError: no CSV in the folder has the columns.
    """
    table = _table(folder)
    if table is None:
        raise RecordingError(f"{folder} holds no CSV with a column for the file and one for its label: add one.")
    named: dict[str, list[_Line]] = {}
    for line in _lines(table):
        named.setdefault(line.said["file"], []).append(line)
    places = _places(folder, named)
    for name, lines in named.items():
        file = places[name]
        if isinstance(file, str):
            findings.report(table, lines[0].number, file)
        elif header := findings.header(file, table, lines[0].number):
            yield from _recording(file, table, header, lines, findings)


def _recording(
    file: Path, table: Path, header: tuple[int, float], lines: list[_Line], findings: Findings
) -> Iterator[AnnotatedRecording]:
    folder, first = table.parent, lines[0]
    known = known_labels(folder)
    subject = first.said.get("subject") or subject_of(Path(file.name), Path())
    one = own_recording(file, folder, header, first.labels, subject=subject, official_split=first.said.get("split", ""))
    if "start" in first.said and "end" in first.said:
        events = findings.spans(_spans(table, lines), header[1], known)
        yield replace(one, events=events, labels=labels_of(events))
        return
    for again in lines[1:]:
        findings.report(table, again.number, f"{again.said['file']} is listed already in line {first.number}")
    unknown = [label for label in first.labels if known and label not in known]
    if unknown:
        listed = ", ".join(sorted(known))
        findings.report(table, first.number, f'the label "{unknown[0]}" is unknown: there are {listed}')
    if first.labels:
        yield one
    else:
        findings.report(table, first.number, f"{first.said['file']} has no label")


def _spans(table: Path, lines: Iterable[_Line]) -> Iterator[RawSpan]:
    for line in lines:
        yield from (
            RawSpan(table, line.number, line.said["start"], line.said["end"], label) for label in line.labels or ("",)
        )


def _table(folder: Path) -> Path | None:
    """The first CSV, by name, whose first line names a file and a label."""
    tables = (path for path in sorted(folder.glob("*.csv")) if path.is_file())
    return next((path for path in tables if {"file", "label"} <= _columns(path).keys()), None)


def _columns(table: Path) -> dict[str, str]:
    """What a column says -> its name in this table."""
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        heads = {head.strip().casefold(): head for head in next(csv.reader(lines), [])}
    found = ((says, next((heads[name] for name in names if name in heads), None)) for says, names in _NAMES.items())
    return {says: head for says, head in found if head is not None}


def _lines(table: Path) -> Iterator[_Line]:
    columns = _columns(table)
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        reader = csv.DictReader(lines)
        for row in reader:
            said = {says: (row.get(head) or "").strip() for says, head in columns.items()}
            yield _Line(reader.line_num, said)


def _places(folder: Path, names: Iterable[str]) -> dict[str, Path | str]:
    """Each name's recording, or what is wrong with the name."""
    by_name: dict[str, list[Path]] = {}
    for file in audio_files(folder):
        by_name.setdefault(file.name, []).append(file)
    return {name: _place(folder, name, by_name) for name in names}


def _place(folder: Path, name: str, by_name: Mapping[str, list[Path]]) -> Path | str:
    if not name:
        return "names no file"
    bare = PurePosixPath(name.replace("\\", "/")).name
    if not Path(name).is_absolute() and ".." not in Path(name).parts and (folder / name).is_file():
        return folder / name
    found = by_name.get(bare, [])
    if len(found) > 1:
        return f"{name} may be any of {len(found)} files of that name: name its folder too"
    return found[0] if found else f"its audio {name} is missing"
