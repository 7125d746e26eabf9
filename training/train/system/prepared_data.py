"""From a collection, a split and a recipe to the arrays that the loop takes.

Balancing, augmenting and learning a standardization happen on the training part alone; the test part is not opened
before it is asked for.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError
from training.data.examples import Example, examples_of
from training.networks.residual_dual import standardized
from training.preparation.class_balance import Drawn, balanced
from training.preparation.dense_windows import dense_windows
from training.preparation.feature_batch import feature_batch
from training.preparation.prepared_stretch import CLEANINGS
from training.preparation.recipes import alarm_augmentation, four_augmentations, lung_augmentation
from training.train.system.prepared_parts import Place, PreparedData, PreparedPart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from device.hearing.spec import FeatureSpec
    from training.data.examples import AssignedFile, Collection
    from training.data.tasks import Task
    from training.preparation.recipes import Recipe
    from training.scaling.feature_cache import FeatureCache
    from training.train.system.system_recipes import SystemRecipe

    Float32 = npt.NDArray[np.float32]

SMOKE_WINDOWS = {"train": 8, "val": 4, "test": 4}
"""Of each part, in a smoke test."""

_LEARNED_FROM = ((0.0,), (1.0,))
"""Mean and scale of a spec whose standardization is yet to be learned."""


@dataclass(frozen=True, slots=True, eq=False)
class Computing:
    """By what features are computed; no result depends on it.

    Attributes:
        cache: where they are kept; None for nowhere.
        workers: processes.
        scheduler: address of a Dask cluster that computes instead.
    """

    cache: FeatureCache | None = None
    workers: int = 1
    scheduler: str | None = None


_HERE = Computing()


@dataclass(frozen=True, slots=True, eq=False)
class DataSource:
    """One or several collections with their splits.

    Attributes:
        collections: each with the assignments of its files.
        split_hash: SHA-256 of the lists of assignments.
        official_split: one of them is the publishers'.
    """

    collections: tuple[tuple[Collection, tuple[AssignedFile, ...]], ...]
    split_hash: str
    official_split: bool


def prepare(
    source: DataSource,
    task: Task,
    specs: tuple[FeatureSpec, ...],
    recipe: SystemRecipe,
    *,
    seed: int,
    smoke: bool = False,
    computing: Computing = _HERE,
) -> PreparedData:
    """All parts as arrays.

    Args:
        source: collections and splits.
        task: what is trained for.
        specs: of the network's inputs.
        recipe: cleaning, balance and augmentation.
        seed: of what is drawn and of every augmentation.
        smoke: a few examples of each part alone.
        computing: workers and cache.

    Raises:
        ConfigError: the training or the validation part has no example of a label.
        RecordingError: a recording cannot be read.
    """
    examples, names, excluded = _examples(source, task)
    if smoke:
        examples = {part: _few(examples[part], SMOKE_WINDOWS[part]) for part in examples}
    _refuse_missing_labels(examples, task, smoke=smoke)
    features = functools.partial(
        feature_batch,
        cleaning=CLEANINGS[recipe.cleaning],
        cache=computing.cache,
        workers=computing.workers,
        scheduler=computing.scheduler,
    )
    drawn = _drawn(examples["train"], recipe, seed, smoke=smoke)
    inputs, targets = features(
        drawn, specs, augmentation=_augmentation(recipe, task), seed=seed, progress="training recordings"
    )
    learned = tuple(map(_learned, specs, inputs))
    inputs = [_scaled(spec, found, array) for spec, found, array in zip(specs, learned, inputs, strict=True)]

    def part_of(held: Sequence[Example], part: str) -> PreparedPart:
        arrays, wanted = features(held, learned, progress=f"{part} recordings")
        return PreparedPart(tuple(arrays), wanted, _places(held, names))

    return PreparedData(
        specs=learned,
        train=PreparedPart(tuple(inputs), targets, _places([one.example for one in drawn], names)),
        val=part_of(examples["val"], "val"),
        test=lambda: part_of(examples["test"], "test"),
        hashes={"split": source.split_hash, "audio": _audio_hash(examples, names)},
        excluded=excluded,
        official_split=source.official_split,
        dense=lambda part, count: part_of(dense_windows(examples[part], _longest_s(learned), count), part),
    )


def _examples(source: DataSource, task: Task) -> tuple[dict[str, tuple[Example, ...]], dict[Path, str], dict[str, int]]:
    """Examples by part, the name of each file, and what was left out by reason."""
    items: dict[str, list[Example]] = {"train": [], "val": [], "test": []}
    names: dict[Path, str] = {}
    excluded: dict[str, int] = {}
    for dataset, assignments in source.collections:
        found = examples_of(dataset, assignments, task)
        for example in found.items:
            items[example.part].append(example)
            relative = example.recording.file.relative_to(dataset.folder).as_posix()
            names[example.recording.file] = relative if len(source.collections) == 1 else f"{dataset.name}/{relative}"
        for reason, count in found.excluded.items():
            excluded[reason] = excluded.get(reason, 0) + count
    return {part: tuple(held) for part, held in items.items()}, names, excluded


def _few(examples: Sequence[Example], count: int) -> tuple[Example, ...]:
    """The first ones, each target in its turn."""
    waiting: dict[tuple[float, ...], list[Example]] = {}
    for example in examples:
        waiting.setdefault(example.target, []).append(example)
    taken: list[Example] = []
    while len(taken) < count and any(waiting.values()):
        taken += [held.pop(0) for held in waiting.values() if held]
    return tuple(taken[:count])


def _refuse_missing_labels(examples: dict[str, tuple[Example, ...]], task: Task, *, smoke: bool) -> None:
    for part in ("train", "val", "test"):
        if not examples[part]:
            raise ConfigError(f'no recording of the part "{part}" has a label that {task.name} knows: see describe')
    held = np.array([one.target for one in examples["train"]]).sum(axis=0)
    missing = [label for label, count in zip(task.labels, held, strict=True) if not count]
    if missing and not smoke:
        raise ConfigError(f"the training part has no example of {', '.join(missing)}: split it otherwise")


def _drawn(examples: Sequence[Example], recipe: SystemRecipe, seed: int, *, smoke: bool) -> tuple[Drawn, ...]:
    """Training examples as the recipe draws or copies them; copy 0 is the example as it was recorded."""
    if recipe.balanced and not smoke:
        return balanced(examples, np.random.default_rng([seed, 0xBA1A]))
    if smoke:
        return tuple(Drawn(one, 0) for one in examples)
    last = max(recipe.copies, recipe.copies_of_labelled)
    return tuple(
        Drawn(one, copy)
        for copy in range(1 if recipe.only_copies else 0, last + 1)
        for one in examples
        if copy <= (last if any(one.target) else recipe.copies)
    )


def _augmentation(recipe: SystemRecipe, task: Task) -> Callable[[Example], Recipe] | None:
    if recipe.augmentation == "by_label":
        return lung_augmentation(task)
    return {"four": four_augmentations, "alarm": alarm_augmentation}.get(recipe.augmentation)


def _longest_s(specs: Iterable[FeatureSpec]) -> float:
    return max(spec.window_samples / spec.sample_rate_hz for spec in specs)


def _learned(spec: FeatureSpec, array: Float32) -> FeatureSpec:
    """A spec whose fixed mean and scale were left open, with those of the training part."""
    is_open = spec.normalization == "fixed" and (spec.mean, spec.scale) == _LEARNED_FROM
    return standardized(spec, array[..., 0]) if is_open else spec


def _scaled(spec: FeatureSpec, learned: FeatureSpec, array: Float32) -> Float32:
    """Features that were computed before their standardization was learned, as the device will compute them."""
    if learned is spec:
        return array
    mean, scale = (np.array(one, np.float32)[:, None] for one in (learned.mean, learned.scale))
    scaled: Float32 = (array - mean) / scale
    return scaled


def _places(examples: Iterable[Example], names: dict[Path, str]) -> tuple[Place, ...]:
    return tuple(Place(names[one.recording.file], one.start_s, one.end_s, one.subject) for one in examples)


def _audio_hash(examples: dict[str, tuple[Example, ...]], names: dict[Path, str]) -> str:
    """SHA-256 over the names and contents of all files that examples were cut from."""
    total = hashlib.sha256()
    files: dict[str, Any] = {
        names[one.recording.file]: one.recording.file for held in examples.values() for one in held
    }
    for name in sorted(files):
        total.update(name.encode() + b"\0" + hashlib.sha256(files[name].read_bytes()).digest())
    return total.hexdigest()
