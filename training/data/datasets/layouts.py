"""Chooses the reader of a folder: by what lies in it, or by the layout's name.

The order of `LAYOUTS` is the order in which a folder is tried: the most telling first. `docs/datasets.md` describes
each layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import RecordingError
from training.data.datasets import donateacry, esc50, icbhi, label_table, manifest_csv, sprsound
from training.data.datasets.annotation_checks import Findings
from training.data.datasets.class_folders import has_class_folders, read_class_folders
from training.data.datasets.collection_folder import is_collection_folder, read_collection_folder
from training.data.datasets.dataset import Dataset
from training.data.datasets.label_tracks import has_label_tracks, read_label_tracks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording


@dataclass(frozen=True, slots=True)
class Layout:
    """How a collection lies on disk.

    Attributes:
        holds: what a folder of this layout holds, for a sentence.
        recognizes: whether a folder is laid out so.
        read: its recordings; what is wrong goes to the findings.
    """

    holds: str
    recognizes: Callable[[Path], bool]
    read: Callable[[Path, Findings], Iterable[AnnotatedRecording]]


LAYOUTS = {
    "manifest": Layout("a manifest.csv", manifest_csv.is_manifest_folder, manifest_csv.read_manifest_folder),
    "collections": Layout("folders that hold a manifest.csv", is_collection_folder, read_collection_folder),
    "esc50": Layout("meta/esc50.csv and audio/", esc50.is_esc50, esc50.read_esc50_folder),
    "sprsound": Layout("*_wav and *_json as SPRSound publishes them", sprsound.is_sprsound, sprsound.read_sprsound),
    "icbhi": Layout("WAV and cycle annotations named as ICBHI 2017", icbhi.is_icbhi, icbhi.read_icbhi),
    "donateacry": Layout(
        "recordings named as Donate-a-cry", donateacry.is_donateacry, donateacry.read_donateacry_folder
    ),
    "table": Layout("a CSV of file and label", label_table.has_label_table, label_table.read_label_table),
    "tracks": Layout("an Audacity label track beside each recording", has_label_tracks, read_label_tracks),
    "classes": Layout("a folder for each class", has_class_folders, read_class_folders),
}
"""Every layout by its name."""


def read_dataset(folder: Path, layout: str | None = None) -> Dataset:
    """Read a collection.

    Args:
        folder: of the collection.
        layout: a key of `LAYOUTS`; None to recognize it.

    Raises:
        RecordingError: the folder is missing or follows no known layout, or the layout is unknown; the sentence
            lists those that there are. Also where the layout's own tables are missing or lack a column.
    """
    if not folder.is_dir():
        raise RecordingError(f"{folder} is no folder: give the one that holds the recordings.")
    reader = LAYOUTS[_layout_of(folder, layout)].read
    findings = Findings()
    recordings = tuple(reader(folder, findings))
    return Dataset(folder.resolve().name, folder, recordings, tuple(findings.problems))


def _layout_of(folder: Path, layout: str | None) -> str:
    if layout is not None and layout not in LAYOUTS:
        raise RecordingError(f'no layout is called "{layout}": there are {", ".join(LAYOUTS)}.')
    names = [layout] if layout else [name for name, one in LAYOUTS.items() if one.recognizes(folder)]
    if not names:
        known = "; ".join(f"{name}: {one.holds}" for name, one in LAYOUTS.items())
        raise RecordingError(f"{folder} follows no known layout ({known}): lay it out so, or name one with --layout.")
    return names[0]
