"""Runs of one system for one task, as they are averaged: several seeds, each with one split or all folds.

Seeds of one split are judged by the same windows. Folds are splits whose tested subjects are disjoint: their windows
are joined, so that each subject is tested once for every seed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    import numpy.typing as npt

    from training.results.run_folder import TrainedRun
    from training.train.judging.prediction_file import Predictions

    Rows = npt.NDArray[np.float64]

TRUTH, FOUND, PROBABILITY = 0, 1, 2
"""What the third axis of rows holds."""


@dataclass(frozen=True, slots=True, eq=False)
class RunGroup:
    """Runs that one line of a table stands for.

    Attributes:
        seeds: seed -> its runs, one for each fold, in the order of the folds.
    """

    seeds: Mapping[int, Sequence[TrainedRun]]

    @property
    def runs(self) -> list[TrainedRun]:
        """All of them, seed by seed."""
        return [run for runs in self.seeds.values() for run in runs]

    @property
    def first(self) -> TrainedRun:
        """Any: system, task and labels are the same in all."""
        return self.runs[0]

    @property
    def folds(self) -> int:
        """How many splits each seed was trained on."""
        return len(next(iter(self.seeds.values())))

    def rows_by_subject(self) -> dict[str, Rows]:
        """Subject -> (n, seeds, 3, labels): truth, what was found, and probability, of each tested window."""
        rows = np.stack([np.concatenate([_rows(run) for run in runs]) for runs in self.seeds.values()], axis=1)
        runs = next(iter(self.seeds.values()))
        subjects = np.concatenate([run.test.subject for run in runs])
        return {str(name): rows[subjects == name] for name in np.unique(subjects)}


def grouped(runs: Iterable[TrainedRun]) -> list[RunGroup]:
    """Runs that belong together, by system, form, task and kind of split, in the order of their names."""
    kinds: defaultdict[Hashable, list[TrainedRun]] = defaultdict(list)
    for run in runs:
        kinds[run.system, run.task, run.labels, run.official].append(run)
    return [group for kind in sorted(kinds, key=str) for group in _groups(kinds[kind])]


def _groups(runs: Sequence[TrainedRun]) -> list[RunGroup]:
    """Folds joined if every seed has all of them; otherwise a group for each set of tested windows."""
    by_windows: defaultdict[str, dict[int, TrainedRun]] = defaultdict(dict)
    for run in sorted(runs, key=lambda run: run.name):
        by_windows[_windows(run.test)][run.seed] = run  # of two of one seed the last by name
    splits = sorted(by_windows.values(), key=lambda held: min(run.name for run in held.values()))
    seeds = sorted({seed for held in splits for seed in held})
    if _are_folds(splits) and all(sorted(held) == seeds for held in splits):
        return [RunGroup({seed: [held[seed] for held in splits] for seed in seeds})]
    return [RunGroup({seed: [held[seed]] for seed in sorted(held)}) for held in splits]


def _are_folds(splits: Sequence[Mapping[int, TrainedRun]]) -> bool:
    """Whether no subject is tested by two splits."""
    tested = [set(next(iter(held.values())).test.subject.tolist()) for held in splits]
    return sum(map(len, tested)) == len(set().union(*tested))


def _windows(part: Predictions) -> str:
    """What names the windows of a part: equal for equal ones."""
    return repr((part.file.tolist(), part.start_s.tolist(), part.end_s.tolist(), part.subject.tolist()))


def _rows(run: TrainedRun) -> Rows:
    part = run.test
    return np.stack([part.target > 0.5, run.found(part), part.probability], axis=1).astype(np.float64)
