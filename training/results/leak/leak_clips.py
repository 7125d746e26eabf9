"""The clips of the leak experiment: one pool of augmented clips, and clips of patients whom no network has seen.

In the honest arms only training clips are augmented. That clips of unseen patients are augmented as well, for a
control, and that the pool is divided by clip, is what this experiment is about; nothing else in training does either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from device.errors import ConfigError
from training.data.datasets.layouts import read_dataset
from training.data.examples import examples_of
from training.data.split_list import LUNG_LIST, read_list
from training.data.tasks import BREATH_SOUNDS
from training.preparation.class_balance import Drawn, balanced
from training.preparation.feature_batch import feature_batch
from training.preparation.prepared_stretch import PUBLISHED_LUNG_CLEANING
from training.preparation.recipes import lung_augmentation
from training.splits.subject_split import Assignment, check_subjects, load_assignments
from training.train.system.prepared_parts import Place, PreparedPart

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from device.hearing.spec import FeatureSpec
    from training.data.examples import Example
    from training.scaling.feature_cache import FeatureCache

_POOL_SEED = 0x1EA7


@dataclass(frozen=True, slots=True)
class ComputedBy:
    """Who computes features, and where they are kept; no figure depends on it."""

    workers: int = 1
    scheduler: str | None = None
    cache: FeatureCache | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LeakClips:
    """All clips of the experiment.

    Attributes:
        pool: of the patients that teach, balanced and augmented.
        val: of the patients that choose, as recorded.
        unseen: of the patients that judge, as recorded.
        unseen_augmented: of the patients that judge, balanced and augmented as the pool is: a control.
    """

    pool: PreparedPart
    val: PreparedPart
    unseen: PreparedPart
    unseen_augmented: PreparedPart


def leak_clips(
    data: Path, split: Path | None, spec: FeatureSpec, *, clips_per_class: int, computed_by: ComputedBy
) -> LeakClips:
    """Read a collection of breath sounds and prepare all clips of the experiment.

    Args:
        data: folder of the collection.
        split: who teaches, chooses and judges; None for the committed list.
        spec: features of the network.
        clips_per_class: of each combination of labels in the pool; a rare one has at most 8 copies of each event.
        computed_by: who computes.

    Raises:
        ConfigError: the collection has no examples of a part.
        RecordingError: it cannot be read, or a subject is in two parts.
    """
    dataset = read_dataset(data)
    assignments = _committed(data) if split is None else load_assignments(split)
    check_subjects(assignments)
    examples = examples_of(dataset, assignments, BREATH_SOUNDS)
    by_part = {part: examples.of(part) for part in ("train", "val", "test")}
    empty = [part for part, held in by_part.items() if not held]
    if empty:
        raise ConfigError(f"{data} has no breath sounds of the part {empty[0]}; the experiment needs all three parts")
    pool, unseen = (_augmented(by_part[part], clips_per_class) for part in ("train", "test"))
    return LeakClips(
        pool=_prepared(pool, data, spec, computed_by, is_augmented=True),
        val=_prepared(by_part["val"], data, spec, computed_by),
        unseen=_prepared(by_part["test"], data, spec, computed_by),
        unseen_augmented=_prepared(unseen, data, spec, computed_by, is_augmented=True),
    )


def split_at_random(count: int, seed: int) -> tuple[list[int], list[int], list[int]]:
    """Clips to teach, choose and judge, 80, 10 and 10 %, whoever they are of: indices."""
    order = np.random.default_rng([seed, _POOL_SEED]).permutation(count).tolist()
    first, second = round(0.8 * count), round(0.9 * count)
    return order[:first], order[first:second], order[second:]


def _committed(data: Path) -> tuple[Assignment, ...]:
    name = data.resolve().name
    lines = [line for line in read_list(LUNG_LIST) if line.set == name and line.part in {"train", "val", "test"}]
    if not lines:
        raise ConfigError(f"the committed list of breath sounds knows no collection {name}; name a split with --split")
    return tuple(Assignment(line.file.removeprefix(f"{name}/"), line.subject, line.part) for line in lines)  # type: ignore[arg-type]


def _augmented(examples: Sequence[Example], clips_per_class: int) -> tuple[Drawn, ...]:
    """Balanced clips, of which repetitions are to be augmented, as published; whatever part they are of."""
    teaching = [replace(example, part="train") for example in examples]
    return balanced(teaching, np.random.default_rng(_POOL_SEED), per_class=clips_per_class)


def _prepared(
    clips: Sequence[Example | Drawn],
    data: Path,
    spec: FeatureSpec,
    computed_by: ComputedBy,
    *,
    is_augmented: bool = False,
) -> PreparedPart:
    inputs, targets = feature_batch(
        clips,
        [spec],
        cleaning=PUBLISHED_LUNG_CLEANING,
        augmentation=lung_augmentation(BREATH_SOUNDS) if is_augmented else None,
        seed=_POOL_SEED,
        cache=computed_by.cache,
        workers=computed_by.workers,
        scheduler=computed_by.scheduler,
        progress="augmented clips" if is_augmented else "clips",
    )
    return PreparedPart(tuple(inputs), targets, tuple(_place(clip, data) for clip in clips))


def _place(clip: Example | Drawn, data: Path) -> Place:
    example = clip.example if isinstance(clip, Drawn) else clip
    file = example.recording.file.relative_to(data).as_posix()
    return Place(file, example.start_s, example.end_s, example.subject)
