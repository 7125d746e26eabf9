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
    from collections.abc import Mapping
    from pathlib import Path

_COLUMNS = ("filename", "fold", "category", "esc10", "src_file", "take")


def read_esc50(root: Path) -> tuple[AnnotatedRecording, ...]:
    """All clips that `root/meta/esc50.csv` lists, in its order.

    Raises:
        RecordingError: the table or a clip it lists is missing or unreadable, or the table lacks a column.
    """
    table = root / "meta" / "esc50.csv"
    if not table.is_file():
        raise RecordingError(f"{table} is missing: give the folder of ESC-50 that holds meta/ and audio/.")
    with table.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise RecordingError(f"{table} lacks the column(s) {', '.join(missing)}: use the table ESC-50 ships.")
        return tuple(_recording(root, row) for row in reader)


def _recording(root: Path, row: Mapping[str, str]) -> AnnotatedRecording:
    file = root / "audio" / row["filename"]
    sample_rate_hz, duration_s = audio_format(file)
    return AnnotatedRecording(
        file=file,
        set="esc50",
        labels=(row["category"],),
        subject=row["src_file"],
        session=row["src_file"],
        official_split=f"fold{row['fold']}",
        sample_rate_hz=sample_rate_hz,
        duration_s=duration_s,
        events=(),
        note=f"take={row['take']} esc10={row['esc10']}",
    )
