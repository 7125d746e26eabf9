"""What int8 costs in a task's own measure, on windows of subjects that chose nothing.

The measures are those by which training judges (`run.json` names one), computed alike: macro F1 at the thresholds that
validation chose, area under the ROC curve of one label, ICBHI's average of sensitivity and specificity, balanced
accuracy. Pure functions of (n, labels).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.score_agreement import roc_auc
from device.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from converter.report.run_files import RunFiles

    Float32 = npt.NDArray[np.float32]

_RESAMPLES = 1000
_SEED = 2026
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class TaskLoss:
    """A task's measure before and after.

    Attributes:
        measure: its name.
        in_float: by Keras, 0 to 1.
        in_int8: by the converted network.
        lost_95: interval of the difference, from a bootstrap over subjects; NaN if it is undefined.
        equal_decisions: share of the windows whose labels are decided alike.
    """

    measure: str
    in_float: float
    in_int8: float
    lost_95: tuple[float, float]
    equal_decisions: float


def task_loss(run: RunFiles, as_float: Float32, as_int8: Float32) -> TaskLoss:
    """Both networks' measure on the test part: probabilities (n, labels).

    Raises:
        BundleError: the run was judged by a measure that is not known here.
    """
    name = str(run.record["measure"])
    if name not in _MEASURES:
        raise BundleError(f'{run.name} was judged by "{name}"; known are {", ".join(_MEASURES)}')
    measure, subjects = _MEASURES[name], run.predicted["subject"]
    labels = tuple(str(label).casefold() for label in run.record["labels"])
    both = [_Judged(labels, run.predicted["target"], one, _decided(run.record, one)) for one in (as_float, as_int8)]
    equal = float((both[0].decided == both[1].decided).all(axis=1).mean())
    before, after = map(measure, both)
    return TaskLoss(name, before, after, _lost_95(subjects, both, measure), equal)


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Windows as one network judges them: targets, probabilities and decisions, (n, labels) each."""

    labels: tuple[str, ...]
    target: Float32
    scores: Float32
    decided: npt.NDArray[np.bool_]

    def taken(self, indices: npt.NDArray[np.intp]) -> _Judged:
        return _Judged(self.labels, self.target[indices], self.scores[indices], self.decided[indices])


def _lost_95(
    subjects: npt.NDArray[np.str_], both: Sequence[_Judged], measure: Callable[[_Judged], float]
) -> tuple[float, float]:
    """The difference where whole subjects are drawn with replacement; draws without a figure are left out."""
    rng, places = np.random.default_rng(_SEED), [np.flatnonzero(subjects == one) for one in np.unique(subjects)]
    lost = []
    for _ in range(_RESAMPLES):
        drawn = rng.integers(0, len(places), len(places))
        windows = np.concatenate([places[index] for index in drawn])
        before, after = (measure(one.taken(windows)) for one in both)
        lost.append(before - after)
    defined = np.array(lost)[np.isfinite(lost)]
    low, high = np.percentile(defined, (2.5, 97.5)) if len(defined) else (np.nan, np.nan)
    return float(low), float(high)


def _decided(record: Mapping[str, Any], scores: Float32) -> npt.NDArray[np.bool_]:
    """Which labels hold: by the thresholds of validation, or the most probable one."""
    if record["activation"] == "softmax":
        return np.asarray(np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, None])
    thresholds = record.get("thresholds") or {}
    return np.asarray(scores >= np.array([thresholds.get(name, _HALF) for name in record["labels"]], np.float32))


def _macro_f1(judged: _Judged) -> float:
    truth = judged.target > _HALF
    hits, either = (truth & judged.decided).sum(axis=0), truth.sum(axis=0) + judged.decided.sum(axis=0)
    return float(np.mean(2 * hits / np.maximum(either, 1)))


def _auc(judged: _Judged) -> float:
    area = roc_auc(judged.scores[:, 0], judged.target[:, 0] > _HALF)
    return float("nan") if area is None else area


def _average_score(judged: _Judged) -> float:
    """(SE + SP) / 2: abnormal windows given their own class, normal ones called normal."""
    truth, found, normal = judged.target.argmax(axis=1), judged.decided.argmax(axis=1), judged.labels.index("normal")
    parts = [truth != normal, truth == normal]
    return float(np.mean([(truth == found)[held].mean() if held.any() else 0.0 for held in parts]))


def _balanced_accuracy(judged: _Judged) -> float:
    truth, found = judged.target.argmax(axis=1), judged.decided.argmax(axis=1)
    return float(np.mean([(found[truth == one] == one).mean() for one in np.unique(truth)]))


_MEASURES: dict[str, Callable[[_Judged], float]] = {
    "macro F1": _macro_f1,
    "ROC AUC": _auc,
    "average of sensitivity and specificity": _average_score,
    "balanced accuracy": _balanced_accuracy,
}
