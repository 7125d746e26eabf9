"""Compares float and int8 probabilities: how far they moved and how that changes decisions."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from device.hearing.bundle.contents import Label

    Float32 = npt.NDArray[np.float32]


_RESAMPLES = 200
_BOOTSTRAP_SEED = 20_240_501


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """One label's probabilities over the agreement windows, float against int8.

    Attributes:
        label: its name.
        mean_difference: mean |p_int8 - p_float|.
        p99_difference: 99th percentile of it.
        largest_difference: its maximum.
        same_side: share of windows on the same side of the threshold `on`.
        auc_float: ROC AUC of the float network; None if the target holds one class only.
        auc_int8: ROC AUC of the int8 network.
        auc_lost_95: what int8 costs of it, 95 % interval of a bootstrap over the windows; None as for the AUC.
        least: smallest int8 probability.
        most: largest int8 probability.
    """

    label: str
    mean_difference: float
    p99_difference: float
    largest_difference: float
    same_side: float
    auc_float: float | None
    auc_int8: float | None
    least: float
    most: float
    auc_lost_95: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, rounded to six decimals."""
        return {name: _rounded(value) for name, value in dataclasses.asdict(self).items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_rounded(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value


def label_figures(
    labels: Sequence[Label], as_float: Float32, as_int8: Float32, target: Float32
) -> tuple[LabelFigures, ...]:
    """Figures of each label: probabilities and target (windows, labels)."""
    return tuple(
        _figures(label, as_float[:, column], as_int8[:, column], target[:, column] >= 0.5)
        for column, label in enumerate(labels)
    )


def roc_auc(scores: Float32, positive: npt.NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve: the share of (positive, negative) pairs in order, ties counted half.

    Mann and Whitney's U from mean ranks. None if a class is missing.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(count) - (count - 1) / 2
    u = mean_rank[place][positive].sum() - positives * (positives + 1) / 2
    return float(u / (positives * negatives))


def _figures(label: Label, as_float: Float32, as_int8: Float32, positive: npt.NDArray[np.bool_]) -> LabelFigures:
    apart = np.abs(as_int8.astype(np.float64) - as_float)
    on = label.operating_point.on
    return LabelFigures(
        label=label.name,
        mean_difference=float(apart.mean()),
        p99_difference=float(np.percentile(apart, 99)),
        largest_difference=float(apart.max()),
        same_side=float(np.mean((as_float >= on) == (as_int8 >= on))),
        auc_float=roc_auc(as_float, positive),
        auc_int8=roc_auc(as_int8, positive),
        least=float(as_int8.min()),
        most=float(as_int8.max()),
        auc_lost_95=_auc_lost_95(as_float, as_int8, positive),
    )


def _auc_lost_95(as_float: Float32, as_int8: Float32, positive: npt.NDArray[np.bool_]) -> tuple[float, float] | None:
    """The interval of the loss, from resampled windows that hold both classes; the same ones for both networks."""
    rng, lost = np.random.default_rng(_BOOTSTRAP_SEED), []
    for _ in range(_RESAMPLES):
        chosen = rng.integers(0, len(positive), len(positive))
        before, after = (roc_auc(scores[chosen], positive[chosen]) for scores in (as_float, as_int8))
        if before is not None and after is not None:
            lost.append(before - after)
    if not lost:
        return None
    low, high = np.percentile(lost, (2.5, 97.5))
    return float(low), float(high)
