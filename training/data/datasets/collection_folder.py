"""Reads a folder of collections, each in a subfolder with its `manifest.csv`, as one.

A subject is known within its collection: `<set>/<subject>`, so that two collections' patient 1 stay two. Subfolders
without a manifest are passed over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from training.data.datasets.manifest_csv import is_manifest_folder, read_manifest_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.datasets.annotation_checks import Findings


def is_collection_folder(folder: Path) -> bool:
    """Whether some subfolder holds a manifest."""
    return any(is_manifest_folder(inner) for inner in folder.iterdir() if inner.is_dir())


def read_collection_folder(folder: Path, findings: Findings) -> Iterator[AnnotatedRecording]:
    """All recordings of all collections, sorted by collection."""
    for inner in sorted(folder.iterdir()):
        if inner.is_dir() and is_manifest_folder(inner):
            for one in read_manifest_folder(inner, findings):
                yield replace(one, subject=f"{inner.name}/{one.subject}" if one.subject else "")
