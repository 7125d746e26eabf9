"""What collections that follow no publisher have in common: which files are audio, whose they are, which labels occur.

A recording's subject is told by, in this order: the subfolder it lies in; its name, `SUBJECT__anything.wav` with two
underscores. A `labels.txt` in the collection's folder lists the labels that may occur, one a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.data.datasets.annotated_recording import AnnotatedRecording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedSpan

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64", ".sph"}
)
"""Of files that libsndfile opens."""

SUBJECT_PATTERN = "SUBJECT__anything.wav"


def audio_files(folder: Path) -> Iterator[Path]:
    """All audio below a folder, sorted by path; nothing of hidden files and folders."""
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.suffix.lower() in AUDIO_SUFFIXES and not hidden and file.is_file():
            yield file


def subject_in_name(file: Path) -> str:
    """The subject that `SUBJECT__anything.wav` names; empty if the name does not follow that pattern."""
    subject, separator, _ = file.stem.partition("__")
    return subject if separator else ""


def subject_of(file: Path, folder: Path) -> str:
    """The subject of a recording: the subfolder of `folder` in which it lies, or by its name; empty if unknown."""
    inside = file.relative_to(folder).parts
    return inside[0] if len(inside) > 1 else subject_in_name(file)


def known_labels(folder: Path) -> frozenset[str]:
    """The labels of `labels.txt`; empty if there is no such file: then any label may occur."""
    file = folder / "labels.txt"
    lines = file.read_text(encoding="utf-8-sig").splitlines() if file.is_file() else []
    return frozenset(line.strip() for line in lines if line.strip())


def own_recording(
    file: Path, folder: Path, header: tuple[int, float], labels: tuple[str, ...], **known: str
) -> AnnotatedRecording:
    """A recording without events.

    Args:
        file: the audio.
        folder: of the collection, whose name is the set's.
        header: sample rate in Hz and length in seconds.
        labels: of the whole file.
        known: `subject`, `official_split` and `note`, where they are.
    """
    return AnnotatedRecording(
        file=file,
        set=folder.resolve().name,
        labels=labels,
        subject=known.get("subject", ""),
        session="",
        official_split=known.get("official_split", ""),
        sample_rate_hz=header[0],
        duration_s=header[1],
        events=(),
        note=known.get("note", ""),
    )


def labels_of(events: tuple[AnnotatedSpan, ...]) -> tuple[str, ...]:
    """The labels of spans, each once, sorted: what a whole recording is labelled with."""
    return tuple(sorted({span.label for span in events}))
