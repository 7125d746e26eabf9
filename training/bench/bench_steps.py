"""The runs of the bench: a table of systems, seeds and budgets, and the commands that train and judge them.

Three seeds for what is cheap or may be shipped, one for the heavy published forms. A budget is processor time; a run
that it ends is called so in the results. Knows no network and runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.data.tasks import find_task
from training.train.system.system_recipes import recipe_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDS = 5
"""Of the cross-validation of a cry's reason: 89 test recordings of one split are too few for a figure."""

SPLITS = "splits"
"""Folder, below that of the runs, for the lists that the bench writes."""

BREATH_COLLECTION = "sprsound"
"""What stands in for ICBHI, of which a sample is at hand."""

REASON_COLLECTION = "donateacry"


@dataclass(frozen=True, slots=True)
class BenchRow:
    """A system of the bench.

    Attributes:
        form: `system/form`, as the catalogue names it.
        budget_core_minutes: processor time of one run.
        seeds: how many runs, or cross-validations.
        is_evaluated: whether the first run is judged through the device's listener, too.
    """

    form: str
    budget_core_minutes: float
    seeds: int = 1
    is_evaluated: bool = False

    @property
    def needs_weights(self) -> bool:
        """Whether it starts from AudioSet's weights."""
        return self.form.startswith("audioset/")


ROWS = (
    BenchRow("cnn_bilstm/published", 10, seeds=3),
    BenchRow("cnn_bilstm/streaming", 10, seeds=3, is_evaluated=True),
    BenchRow("cnn_bilstm/mlp-raw", 5),
    BenchRow("cnn_bilstm/mlp", 5),
    BenchRow("cnn_bilstm/cnn", 5),
    BenchRow("cnn_bilstm/cnn-dropout", 5),
    BenchRow("cnn_bilstm/dropout", 5),
    BenchRow("baseline/cry-reason", 5, seeds=3),
    BenchRow("residual_dual/streaming", 6, seeds=3),
    BenchRow("baseline/lung", 10, seeds=3, is_evaluated=True),
    BenchRow("audioset/frozen-4k", 15, seeds=3, is_evaluated=True),
    BenchRow("audioset/fine-tuned-4k", 30, is_evaluated=True),
    BenchRow("transfer/dual", 15),
    BenchRow("transfer/mobilenetv3-large", 20),
    BenchRow("baseline/cry", 10, seeds=3, is_evaluated=True),
    BenchRow("baseline/scream", 15, seeds=3, is_evaluated=True),
    BenchRow("resnet34/streaming", 15, seeds=3, is_evaluated=True),
    BenchRow("audioset/frozen", 15, is_evaluated=True),
    BenchRow("audioset/fine-tuned", 30, is_evaluated=True),
    BenchRow("residual_dual/published", 10, seeds=3),
    BenchRow("han/single", 30),
    BenchRow("han/published", 45),
    BenchRow("resnet34/published", 30),
    BenchRow("transfer/vgg16", 30),
    BenchRow("transfer/vgg19", 30),
    BenchRow("transfer/inceptionv3", 30),
    BenchRow("transfer/resnet152v2", 30),
)
"""In the order in which they run: what is cheap first."""

CLASSICAL = ("svm", "random-forest")


@dataclass(frozen=True, slots=True)
class BenchPlaces:
    """Where a bench reads and writes.

    Attributes:
        data: folder that holds the collections.
        weights: AudioSet's, for the rows that start from them.
        runs: folder for the run folders.
    """

    data: Path
    weights: Path
    runs: Path


@dataclass(frozen=True, slots=True)
class BenchStep:
    """One command of the bench.

    Attributes:
        name: of the run, or what the step makes.
        made: the file that is there once it has ended well.
        arguments: of `python -m training`.
    """

    name: str
    made: Path
    arguments: tuple[str, ...]


def bench_steps(places: BenchPlaces) -> Iterator[BenchStep]:
    """All commands in their order; those that later ones read come first."""
    yield _folds_step(places)
    yield from (_classical_step(kind, places) for kind in CLASSICAL)
    for row in ROWS:
        for seed in range(1, row.seeds + 1):
            yield from _train_steps(row, seed, places)
        if row.is_evaluated:
            yield _evaluate_step(row, places)
    leak = places.runs / "leak"
    limits = ("--epochs", "20", "--patience", "8", "--clips-per-class", "3000", "--seeds", "3")
    arguments = ("leak", "--data", _shown(places.data / BREATH_COLLECTION), "--out", _shown(leak), *limits)
    yield BenchStep("leak", leak / "leak.json", arguments)


def breath_list(places: BenchPlaces) -> Path:
    """The part of the committed list that is of the one collection that breath sounds are learned from."""
    return places.runs / SPLITS / f"{BREATH_COLLECTION}.csv"


def _folds_step(places: BenchPlaces) -> BenchStep:
    folder = places.runs / SPLITS / "folds"
    data = _shown(places.data / REASON_COLLECTION)
    options = ("--task", "cry_reason", "--folds", str(FOLDS), "--seed", "1")
    return BenchStep("folds", folder / f"fold-{FOLDS - 1}.csv", ("folds", data, *options, "--out", _shown(folder)))


def _classical_step(kind: str, places: BenchPlaces) -> BenchStep:
    folder = places.runs / f"{kind}-1"
    arguments = ("classical", "--kind", kind, *_breath_source(places), "--out", _shown(folder), "--seed", "1")
    return BenchStep(folder.name, folder / "run.json", arguments)


def _train_steps(row: BenchRow, seed: int, places: BenchPlaces) -> Iterator[BenchStep]:
    """One run, or one for each fold."""
    name = f"{row.form.replace('/', '-')}-{seed}"
    if _task_of(row) != "cry_reason":
        source = _breath_source(places) if _is_breath(row) else ("--data", _shown(places.data))
        yield _train_step(row, name, source, seed, places)
        return
    for fold in range(FOLDS):
        split = places.runs / SPLITS / "folds" / f"fold-{fold}.csv"
        source = ("--data", _shown(places.data / REASON_COLLECTION), "--split", _shown(split))
        yield _train_step(row, f"{name}-fold-{fold}", source, seed, places)


def _train_step(row: BenchRow, name: str, source: tuple[str, ...], seed: int, places: BenchPlaces) -> BenchStep:
    folder = places.runs / name
    start = ("--weights", _shown(places.weights)) if row.needs_weights else ()
    limits = ("--seed", str(seed), "--budget-core-minutes", f"{row.budget_core_minutes:g}")
    arguments = ("train", "--system", row.form, *source, *start, *limits, "--out", _shown(folder))
    return BenchStep(name, folder / "run.json", arguments)


def _evaluate_step(row: BenchRow, places: BenchPlaces) -> BenchStep:
    folder = places.runs / f"{row.form.replace('/', '-')}-1"
    made = folder / "evaluation.json"
    arguments = ("evaluate", "--model", _shown(folder), "--data", _shown(places.data), "--json", _shown(made))
    return BenchStep(f"{folder.name}, through the listener", made, arguments)


def _breath_source(places: BenchPlaces) -> tuple[str, ...]:
    return ("--data", _shown(places.data / BREATH_COLLECTION), "--split", _shown(breath_list(places)))


def _task_of(row: BenchRow) -> str:
    return find_task(recipe_of(row.form).task).name


def _is_breath(row: BenchRow) -> bool:
    return _task_of(row).startswith("breath")


def _shown(path: Path) -> str:
    return path.as_posix()
