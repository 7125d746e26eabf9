"""Recordings as the lists' tests need them: only their metadata, no sound."""

from __future__ import annotations

from pathlib import Path

from training.data.datasets.annotated_recording import AnnotatedRecording

DATA = Path("data")


def recording(
    file: str, *labels: str, subject: str = "s", duration_s: float = 5.0, official_split: str = "", note: str = ""
) -> AnnotatedRecording:
    """A recording of the set that the file's first folder names."""
    return AnnotatedRecording(
        file=DATA / file,
        set=file.partition("/")[0],
        labels=labels,
        subject=subject,
        session="",
        official_split=official_split,
        sample_rate_hz=16_000,
        duration_s=duration_s,
        events=(),
        note=note,
    )
