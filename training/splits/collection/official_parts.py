"""The publishers' own parts, as they are: also where they share subjects.

`train`, `val` (or `valid`, `dev`) and `test` with whatever follows; of numbered folds the last is the test and the one
before it validates. Where the publishers have no validation part, some of the training subjects that are in no test
become it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from device.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from training.data.datasets.dataset import Dataset
    from training.splits.subject_split import Part

_NAMES: tuple[tuple[str, Part], ...] = (("train", "train"), ("val", "val"), ("dev", "val"), ("test", "test"))


def official_parts(dataset: Dataset) -> dict[str, Part]:
    """File name in the split -> the publishers' part, for each recording that has one.

    Raises:
        RecordingError: no recording has one, or a part has a name of which nobody knows what it is for.
    """
    splits = {dataset.file_name(one): one.official_split for one in dataset.recordings if one.official_split}
    if not splits:
        raise RecordingError(f"{dataset.folder} has no official split: leave --official-split out for one by subject.")
    known = _known(set(splits.values()))
    return {file: known[split] for file, split in splits.items()}


def _known(names: Iterable[str]) -> dict[str, Part]:
    folds = sorted((name for name in names if re.fullmatch(r"fold\d+", name)), key=lambda name: int(name[4:]))
    last: dict[int, Part] = {len(folds) - 1: "test", len(folds) - 2: "val"}
    known = {name: last.get(place, "train") for place, name in enumerate(folds)}
    known |= {name: part for name in names for beginning, part in _NAMES if name.lower().startswith(beginning)}
    strange = sorted(set(names) - known.keys())
    if strange:
        raise RecordingError(f'the official part "{strange[0]}" is neither train, val, test nor a fold.')
    return known
