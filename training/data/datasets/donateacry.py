"""Reads the Donate-a-cry corpus as published: a folder for each reason, its files named by what the app knew.

`<app installation>-<time>-<app version>-<gender>-<age>-<reason>.wav`; published at
https://github.com/gveres/donateacry-corpus. The reason is a parent's guess. An app installation is the best
identification of an infant: it is the subject that a split must keep together.

`cry_intervals.csv` (file, start_s, end_s) says where in each recording an infant cries; it is no part of the corpus but
lies beside copies of it. A line belongs to the recording of its bare name.
"""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from device.errors import RecordingError
from training.data.datasets.annotated_recording import AnnotatedRecording, audio_format
from training.data.datasets.annotation_checks import RawSpan
from training.data.datasets.own_recordings import audio_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from training.data.datasets.annotation_checks import Findings

_NAME = re.compile(
    r"(?P<installation>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"-(?P<time>\d+)-(?P<version>[\d.]+)-(?P<gender>[mf])-(?P<age>\d\d)-(?P<reason>[a-z]{2})",
    re.IGNORECASE,
)
_AGES = {
    "04": "0 to 4 weeks",
    "48": "4 to 8 weeks",
    "26": "2 to 6 months",
    "72": "7 months to 2 years",
    "22": "over 2 years",
}
_REASONS = {
    "hu": "hungry",
    "bu": "burping",
    "bp": "belly_pain",
    "dc": "discomfort",
    "ti": "tired",
    "lo": "lonely",
    "ch": "cold_hot",
    "sc": "scared",
    "dk": "unknown",
}


def read_donateacry(root: Path) -> tuple[AnnotatedRecording, ...]:
    """All WAV files in the reason folders under `root`, sorted by path.

    Raises:
        RecordingError: there are none, a name does not follow the corpus's pattern, or a file is unreadable.
    """
    files = sorted(root.glob("*/*.wav"))
    if not files:
        raise RecordingError(f"{root} holds no reason folders with WAV files: give the corpus's data folder.")
    return tuple(_recording(file) for file in files)


def is_donateacry(folder: Path) -> bool:
    """Whether some recording below the folder is named as the corpus names them."""
    return any(_NAME.fullmatch(file.stem) for file in audio_files(folder))


def read_donateacry_folder(folder: Path, findings: Findings) -> Iterator[AnnotatedRecording]:
    """All recordings below the folder, of any format, with their crying where it is marked; sorted by path."""
    marked = read_intervals(folder, findings)
    for file in audio_files(folder):
        name = _NAME.fullmatch(file.stem)
        if not name:
            findings.report(file, None, "is not named installation-time-version-gender-age-reason")
        elif header := findings.header(file):
            if name["reason"].lower() not in _REASONS:
                listed = ", ".join(_REASONS)
                findings.report(file, None, f'the reason "{name["reason"]}" is unknown: there are {listed}')
            one = _named(file, name, header)
            yield replace(one, events=findings.spans(marked.pop(file.stem, ()), header[1]))
    report_unclaimed(marked, findings)


def read_intervals(folder: Path, findings: Findings) -> dict[str, list[RawSpan]]:
    """A recording's bare name without its suffix -> where in it an infant cries; empty if nobody marked that.

    A line without the columns is a problem.
    """
    table, marked = folder / "cry_intervals.csv", dict[str, list[RawSpan]]()
    if not table.is_file():
        return marked
    with table.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        for row in reader:
            if not row.get("file"):
                findings.report(table, reader.line_num, "names no file")
                continue
            stem = PurePosixPath(row["file"]).stem
            span = RawSpan(table, reader.line_num, row.get("start_s") or "", row.get("end_s") or "", "cry")
            marked.setdefault(stem, []).append(span)
    return marked


def report_unclaimed(marked: Mapping[str, list[RawSpan]], findings: Findings) -> None:
    """Note each recording that is marked and not there."""
    for stem, spans in marked.items():
        findings.report(spans[0].file, spans[0].line, f"its audio {stem} is missing ({len(spans)} intervals)")


def _recording(file: Path) -> AnnotatedRecording:
    name = _NAME.fullmatch(file.stem)
    if not name:
        raise RecordingError(f"{file} is not named like the corpus, installation-time-version-gender-age-reason.wav.")
    return _named(file, name, audio_format(file))


def _named(file: Path, name: re.Match[str], header: tuple[int, float]) -> AnnotatedRecording:
    age, reason = name["age"], name["reason"].lower()
    return AnnotatedRecording(
        file=file,
        set="donateacry",
        labels=("cry", _REASONS.get(reason, reason)),
        subject=name["installation"],
        session=name["time"],
        official_split="",
        sample_rate_hz=header[0],
        duration_s=header[1],
        events=(),
        note=f"gender={name['gender']} age={_AGES.get(age, age)} app={name['version']}",
    )
