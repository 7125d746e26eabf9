"""Reads ESC-50 as published: `meta/esc50.csv` and `audio/<fold>-<Freesound id>-<take>-<target>.wav`.

K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015. Several clips cut
from one Freesound sound share its id: that is the subject a split must keep together.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from device.errors import RecordingError
from training.data.datasets.annotated_recording import AnnotatedRecording, audio_format

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from training.data.datasets.annotation_checks import Findings

_COLUMNS = ("filename", "fold", "category", "esc10", "src_file", "take")


def read_esc50(root: Path) -> tuple[AnnotatedRecording, ...]:
    """All clips that `root/meta/esc50.csv` lists, in its order.

    Raises:
        RecordingError: the table or a clip it lists is missing or unreadable, or the table lacks a column.
    """
    return tuple(_recording(root, row, audio_format(root / "audio" / row["filename"])) for _, row in _rows(root))


def is_esc50(folder: Path) -> bool:
    """Whether the folder holds the table of ESC-50."""
    return (folder / "meta" / "esc50.csv").is_file()


def read_esc50_folder(folder: Path, findings: Findings) -> Iterator[AnnotatedRecording]:
    """The clips of `folder/meta/esc50.csv` whose audio opens, in its order.

    Raises:
        RecordingError: the table is missing or lacks a column.
    """
    table, known = folder / "meta" / "esc50.csv", dict[str, int]()
    for line, row in _rows(folder):
        first = known.setdefault(row["filename"] or "", line)
        if first != line:
            findings.report(table, line, f"{row['filename']} is listed already in line {first}")
        elif not all(row[column] for column in _COLUMNS):
            findings.report(table, line, "lacks a column: each line has " + ", ".join(_COLUMNS))
        elif header := findings.header(folder / "audio" / row["filename"], table, line):
            yield _recording(folder, row, header)


def _rows(root: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Each line's number and columns."""
    table = root / "meta" / "esc50.csv"
    if not table.is_file():
        raise RecordingError(f"{table} is missing: give the folder of ESC-50 that holds meta/ and audio/.")
    with table.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise RecordingError(f"{table} lacks the column(s) {', '.join(missing)}: use the table ESC-50 ships.")
        yield from ((reader.line_num, row) for row in reader)


def _recording(root: Path, row: Mapping[str, str], header: tuple[int, float]) -> AnnotatedRecording:
    return AnnotatedRecording(
        file=root / "audio" / row["filename"],
        set="esc50",
        labels=(row["category"],),
        subject=row["src_file"],
        session=row["src_file"],
        official_split=f"fold{row['fold']}",
        sample_rate_hz=header[0],
        duration_s=header[1],
        events=(),
        note=f"take={row['take']} esc10={row['esc10']}",
    )
