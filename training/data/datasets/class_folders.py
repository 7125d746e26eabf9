"""Reads a folder for each class: `CLASS/night.wav`, `CLASS/SUBJECT/night.wav` or `CLASS/SUBJECT__night.wav`.

The folder's name is the label of all recordings in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.data.datasets.own_recordings import audio_files, known_labels, own_recording, subject_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.datasets.annotation_checks import Findings

_LEAST_CLASSES = 2


def has_class_folders(folder: Path) -> bool:
    """Whether two subfolders or more hold audio, and the folder itself holds none."""
    first_parts = [file.relative_to(folder).parts for file in audio_files(folder)]
    return len({parts[0] for parts in first_parts}) >= _LEAST_CLASSES and all(len(parts) > 1 for parts in first_parts)


def read_class_folders(folder: Path, findings: Findings) -> Iterator[AnnotatedRecording]:
    """All recordings in the class folders, sorted by path."""
    known = known_labels(folder)
    for file in audio_files(folder):
        label, *inside = file.relative_to(folder).parts
        if not inside:
            findings.report(file, None, "lies in no class folder")
        elif header := findings.header(file):
            if known and label not in known:
                listed = ", ".join(sorted(known))
                findings.report(file, None, f'its folder "{label}" is no known label: there are {listed}')
            yield own_recording(file, folder, header, (label,), subject=subject_of(file, folder / label))
