"""The measures of each kind of task, averaged over seeds, with 95 % intervals from a bootstrap over subjects.

What a measure needs of a subject's windows is summed once, so that a resample of subjects costs a sum. The averages
over labels (micro, macro, weighted, samples) are those of `label_figures`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.results.run_groups import FOUND, PROBABILITY, TRUTH
from training.statistics import bootstrap_difference, bootstrap_interval, roc_auc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from training.results.run_groups import Rows, RunGroup

    Held = npt.NDArray[np.float64]
    Statistic = Callable[[Held], float]

_BOOTSTRAP_SEED = 2026


@dataclass(frozen=True, slots=True)
class RunMeasure:
    """A figure averaged over seeds, or a difference of two, with its interval over subjects; NaN where undefined."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of task.

    Attributes:
        held: rows of a subject (n, seeds, 3, labels) -> what its measures need (m, seeds, ...).
        measures: name -> statistic of what is held of one seed (m, ...); the one that names the task first.
    """

    held: Callable[[Rows], Held]
    measures: Mapping[str, Statistic]


def measures_of(group: RunGroup) -> tuple[RunMeasure, ...]:
    """All measures of a group's task, the one that names it first."""
    kind, held = _kind(group), _held(group)
    return tuple(_measured(name, statistic, held) for name, statistic in kind.measures.items())


def main_measure(group: RunGroup) -> RunMeasure:
    """The first of them alone."""
    name, statistic = next(iter(_kind(group).measures.items()))
    return _measured(name, statistic, _held(group))


def difference(ours: RunGroup, theirs: RunGroup) -> RunMeasure | None:
    """The task's first measure of ours less theirs, subjects being drawn for both alike.

    None if another task, other labels or other windows judged them.
    """
    is_same_task = (ours.first.task, ours.first.labels) == (theirs.first.task, theirs.first.labels)
    if not is_same_task or not _same_windows(ours.rows_by_subject(), theirs.rows_by_subject()):
        return None
    name, statistic = next(iter(_kind(ours).measures.items()))
    mine, other, over_seeds = _held(ours), _held(theirs), _over_seeds(statistic)
    value = over_seeds(_joined(mine)) - over_seeds(_joined(other))
    if not np.isfinite(value):
        return None
    interval = bootstrap_difference(mine, other, over_seeds, np.random.default_rng(_BOOTSTRAP_SEED))
    return RunMeasure(name, value, interval.low, interval.high)


def _kind(group: RunGroup) -> _Kind:
    labels = group.first.labels
    if group.first.record["activation"] == "sigmoid":
        return _several_labels(len(labels)) if len(labels) > 1 else _ONE_LABEL
    folded = [label.casefold() for label in labels]
    normal = folded.index("normal") if "normal" in folded else None
    return _Kind(_confusion, _CLASSES if normal is None else _classes_with_normal(normal))


def _held(group: RunGroup) -> dict[str, Held]:
    held = _kind(group).held
    return {subject: held(rows) for subject, rows in group.rows_by_subject().items()}


def _measured(name: str, statistic: Statistic, held: Mapping[str, Held]) -> RunMeasure:
    over_seeds = _over_seeds(statistic)
    value = over_seeds(_joined(held))
    if not np.isfinite(value):
        return RunMeasure(name, float("nan"), float("nan"), float("nan"))
    interval = bootstrap_interval(held, over_seeds, np.random.default_rng(_BOOTSTRAP_SEED))
    return RunMeasure(name, value, interval.low, interval.high)


def _over_seeds(statistic: Statistic) -> Statistic:
    """What is held (m, seeds, ...) -> the mean over the seeds."""
    return lambda held: float(np.mean([statistic(held[:, seed]) for seed in range(held.shape[1])]))


def _joined(held: Mapping[str, Held]) -> Held:
    return np.concatenate(list(held.values()))


def _same_windows(one: Mapping[str, Rows], other: Mapping[str, Rows]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(rows[:, 0, TRUTH], other[name][:, 0, TRUTH]) for name, rows in one.items()
    )


def _share(part: Any, whole: Any) -> Any:
    """0 where there is nothing to divide by, as the published report has it."""
    return part / np.maximum(whole, 1)


def _several_labels(labels: int) -> _Kind:
    """Labels that may hold together: precision, recall and F1, averaged in four ways."""
    names = {"precision": 0, "recall": 1, "F1": 2}
    order = [("macro", "F1"), *((kind, name) for kind in ("macro", "micro", "weighted", "samples") for name in names)]
    measures = {
        f"{kind} {name}": lambda held, kind=kind, index=names[name]: float(_averages(held, labels)[kind][index])
        for kind, name in dict.fromkeys(order)
    }
    return _Kind(_label_counts, measures)


def _label_counts(rows: Rows) -> Held:
    """(n, seeds, 3, labels) -> (1, seeds, 3 * labels + 4): hits, found, true by label; shares of windows, windows."""
    truth, found = rows[:, :, TRUTH] > 0.5, rows[:, :, FOUND] > 0.5
    by_label = [(truth & found).sum(axis=0), found.sum(axis=0), truth.sum(axis=0)]  # (seeds, labels) each
    hits, claimed, true = ((one).sum(axis=2) for one in (truth & found, found, truth))  # (n, seeds) each
    shares = [_share(hits, claimed), _share(hits, true), _share(2 * hits, claimed + true), np.ones_like(hits)]
    return np.concatenate([*by_label, np.stack([one.sum(axis=0) for one in shares], axis=1)], axis=1)[None].astype(
        float
    )


def _averages(held: Held, labels: int) -> dict[str, tuple[Any, Any, Any]]:
    """Precision, recall and F1 by kind of average, from what `_label_counts` sums."""
    total = held.sum(axis=0)
    hits, claimed, true = (total[labels * index : labels * (index + 1)] for index in range(3))
    of_labels = _three(hits, claimed, true)
    weights = _share(true, true.sum())
    return {
        "micro": _three(hits.sum(), claimed.sum(), true.sum()),
        "macro": (of_labels[0].mean(), of_labels[1].mean(), of_labels[2].mean()),
        "weighted": ((of_labels[0] * weights).sum(), (of_labels[1] * weights).sum(), (of_labels[2] * weights).sum()),
        "samples": tuple(total[-4:-1] / max(total[-1], 1)),
    }


def _three(hits: Any, claimed: Any, true: Any) -> tuple[Any, Any, Any]:
    return _share(hits, claimed), _share(hits, true), _share(2 * hits, claimed + true)


def _confusion(rows: Rows) -> Held:
    """(n, seeds, 3, labels) -> (1, seeds, labels, labels): how often each class (row) was taken for each."""
    return np.asarray(np.einsum("nsi,nsj->sij", rows[:, :, TRUTH], rows[:, :, FOUND])[None], np.float64)


def _recalls(held: Held) -> Held:
    """Of each class that occurs the share that was recognized."""
    counts = held.sum(axis=0)
    occurs = counts.sum(axis=1) > 0
    return np.asarray(np.diag(counts)[occurs] / counts.sum(axis=1)[occurs])


def _accuracy(held: Held) -> float:
    counts = held.sum(axis=0)
    return float(np.trace(counts) / counts.sum())


def _classes_with_normal(normal: int) -> dict[str, Statistic]:
    """ICBHI's measures (B. M. Rocha et al., Physiological Measurement 40:3, 2019): abnormal ones by their own class."""

    def shares(held: Held) -> tuple[float, float]:
        counts = held.sum(axis=0)
        abnormal = np.arange(len(counts)) != normal
        all_abnormal, all_normal = counts[abnormal].sum(), counts[normal].sum()
        if not all_abnormal or not all_normal:
            return float("nan"), float("nan")
        return float(np.diag(counts)[abnormal].sum() / all_abnormal), float(counts[normal, normal] / all_normal)

    def harmonic(held: Held) -> float:
        se, sp = shares(held)
        return 2 * se * sp / (se + sp) if se + sp != 0 else 0.0

    return {
        "AS": lambda held: sum(shares(held)) / 2,
        "SE": lambda held: shares(held)[0],
        "SP": lambda held: shares(held)[1],
        "HS": harmonic,
        "accuracy": _accuracy,
    }


def _auc(rows: Held) -> float:
    """(n, 3, 1) -> area under the ROC curve; NaN where a class is missing."""
    positive, scores = rows[:, TRUTH, 0] > 0.5, rows[:, PROBABILITY, 0]
    if not 0 < positive.sum() < len(positive):
        return float("nan")
    return roc_auc(scores[positive], scores[~positive])


def _found_among(rows: Held, *, positive: bool) -> float:
    """Of the windows that are positive, or of the others, the share that was decided right; NaN without such."""
    chosen = rows[(rows[:, TRUTH, 0] > 0.5) == positive]
    return float(np.mean((chosen[:, FOUND, 0] > 0.5) == positive)) if len(chosen) else float("nan")


_CLASSES: dict[str, Statistic] = {
    "balanced accuracy": lambda held: float(_recalls(held).mean()),
    "accuracy": _accuracy,
}
_ONE_LABEL = _Kind(
    lambda rows: rows,
    {
        "ROC AUC": _auc,
        "sensitivity": lambda rows: _found_among(rows, positive=True),
        "specificity": lambda rows: _found_among(rows, positive=False),
    },
)
