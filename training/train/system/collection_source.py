"""Reads the collections that a command names, and who of them is in which part.

A folder is one collection, in any layout that a reader knows, with a split of `python -m training split`; or it holds
several collections with a `manifest.csv` each, and a list in the form of those that are committed says who is in which
part across them.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from device.errors import ConfigError
from training.data.datasets.dataset import Dataset
from training.data.datasets.layouts import read_dataset
from training.data.split_list import CRY_LIST, LUNG_LIST, SCREAM_LIST, read_list
from training.splits.subject_split import PARTS, Assignment, check_subjects, load_assignments
from training.train.system.prepared_data import DataSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_LOG = logging.getLogger(__name__)

COMMITTED = {
    "cry": CRY_LIST,
    "cry_reason": CRY_LIST,
    "scream": SCREAM_LIST,
    "abnormal": SCREAM_LIST,
    "breath": LUNG_LIST,
}
"""The committed list of a task, by its name or the beginning of it."""

_SHOWN_PROBLEMS = 10


def read_source(folders: Sequence[Path], splits: Sequence[Path] | None, task: str, *, official: bool) -> DataSource:
    """Collections with their splits; what is wrong with them is logged.

    Args:
        folders: each a collection, or a folder that holds collections.
        splits: one for each folder; None for the committed list of the task.
        task: the name of the task.
        official: a split may be the publishers', whatever subjects it divides.

    Raises:
        ConfigError: there are not as many splits as folders.
        RecordingError: a collection or a split cannot be read, or a subject is divided.
    """
    lists = _committed(folders, task) if splits is None else list(splits)
    if len(folders) != len(lists):
        raise ConfigError(f"{len(folders)} folders and {len(lists)} splits: name one --split for each --data")
    collections = tuple(_collection(folder, split) for folder, split in zip(folders, lists, strict=True))
    for dataset, assignments in collections:
        check_subjects(assignments, official_split=official)
        _tell_problems(dataset)
    total = hashlib.sha256(b"".join(hashlib.sha256(split.read_bytes()).digest() for split in lists))
    are_official = any(one.official for _, assignments in collections for one in assignments)
    return DataSource(collections, total.hexdigest(), are_official)


def _committed(folders: Sequence[Path], task: str) -> list[Path]:
    """The list of a task, for folders that hold the collections that it names."""
    known = [path for name, path in COMMITTED.items() if task.startswith(name)]
    holding = [folder for folder in folders if not _is_one_collection(folder)]
    if not known or len(holding) != len(folders):
        raise ConfigError("name the split with --split: `python -m training split DIR --out split.csv` writes one")
    return [known[0]] * len(folders)


def _is_one_collection(folder: Path) -> bool:
    """Whether a folder is no folder of collections with manifests."""
    return (folder / "manifest.csv").is_file() or not any(folder.glob("*/manifest.csv"))


def _collection(folder: Path, split: Path) -> tuple[Dataset, tuple[Assignment, ...]]:
    if _is_one_collection(folder):
        return read_dataset(folder), load_assignments(split)
    listed = [clip for clip in read_list(split) if clip.part in PARTS]
    assignments = tuple(Assignment(clip.file, clip.subject, clip.part) for clip in listed if clip.part != "exclude")
    return _joined(folder, sorted({clip.set for clip in listed})), assignments


def _joined(folder: Path, names: Iterable[str]) -> Dataset:
    """Several collections as one, whose files are named from the folder that holds them."""
    found = [read_dataset(folder / name) for name in names]
    recordings = tuple(recording for one in found for recording in one.recordings)
    return Dataset(
        folder.resolve().name, folder, recordings, tuple(problem for one in found for problem in one.problems)
    )


def _tell_problems(dataset: Dataset) -> None:
    """Log the first problems of a collection, and how many there are."""
    for problem in dataset.problems[:_SHOWN_PROBLEMS]:
        _LOG.warning("%s", problem)
    if len(dataset.problems) > _SHOWN_PROBLEMS:
        left = len(dataset.problems) - _SHOWN_PROBLEMS
        _LOG.warning("%s: %d more annotations cannot be used; `describe` lists them", dataset.name, left)
