"""The one figure by which validation chooses a checkpoint, for each kind of task, and the choices made after training.

Pure functions of numbers: (n, labels) of targets and of logits or probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.statistics import roc_auc

if TYPE_CHECKING:
    import numpy.typing as npt

    from training.networks.network_form import Activation

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]

GRID = tuple(round(0.20 + 0.02 * step, 2) for step in range(21))
"""Thresholds 0.20, 0.22, ... 0.60 that each label of several is tried at, jointly."""


def probabilities(logits: Float32, activation: Activation, temperature: float = 1.0) -> Float64:
    """Logits divided by a temperature, as probabilities: (n, labels) -> the same shape."""
    z = logits.astype(np.float64) / temperature
    if activation == "sigmoid":
        return np.where(z >= 0, 1.0, np.exp(np.minimum(z, 0))) / (1.0 + np.exp(-np.abs(z)))
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    shares: Float64 = powers / powers.sum(axis=1, keepdims=True)
    return shares


def measure_name(labels: tuple[str, ...], activation: Activation) -> str:
    """What `task_measure` computes."""
    if activation == "sigmoid":
        return "ROC AUC" if len(labels) == 1 else "macro F1"
    return "average of sensitivity and specificity" if "normal" in _folded(labels) else "balanced accuracy"


def task_measure(targets: Float32, scores: Float64, labels: tuple[str, ...], activation: Activation) -> float:
    """The figure that the best checkpoint maximizes, in 0..1.

    One label: area under the ROC curve (a half where a class is missing). Several that may hold together: macro F1 at
    the best joint thresholds. Exclusive labels, one of them `normal`: ICBHI's average score (SE + SP) / 2. Other
    exclusive labels: balanced accuracy.
    """
    if activation == "sigmoid" and len(labels) == 1:
        held = targets[:, 0] > 0.5
        return roc_auc(scores[held, 0], scores[~held, 0]) if 0 < held.sum() < len(held) else 0.5
    if activation == "sigmoid":
        return joint_thresholds(targets, scores).merit
    truth, found = targets.argmax(axis=1), scores.argmax(axis=1)
    if "normal" in _folded(labels):
        return average_score(truth, found, _folded(labels).index("normal"))
    return balanced_accuracy(truth, found)


def _folded(labels: tuple[str, ...]) -> list[str]:
    return [label.casefold() for label in labels]


def average_score(truth: npt.NDArray[np.intp], found: npt.NDArray[np.intp], normal: int) -> float:
    """(SE + SP) / 2 as ICBHI defines it: abnormal windows given their own class, normal ones called normal."""
    right, is_normal = truth == found, truth == normal
    return float(np.mean([right[held].mean() if held.any() else 0.0 for held in (~is_normal, is_normal)]))


def balanced_accuracy(truth: npt.NDArray[np.intp], found: npt.NDArray[np.intp]) -> float:
    """Mean over the classes that occur of the share found."""
    return float(np.mean([(found[truth == one] == one).mean() for one in np.unique(truth)]))


@dataclass(frozen=True, slots=True, eq=False)
class ThresholdSurface:
    """What validation gives at each threshold.

    Attributes:
        thresholds: the best, one for each label.
        merit: the figure at them.
        grid: thresholds tried.
        merits: for each label its F1 (several labels), or Youden's J (one label), at each of the grid: (labels, grid).
    """

    thresholds: tuple[float, ...]
    merit: float
    grid: tuple[float, ...]
    merits: Float64


def joint_thresholds(targets: Float32, scores: Float64, grid: tuple[float, ...] = GRID) -> ThresholdSurface:
    """The thresholds, one for each label, whose macro F1 is highest over all combinations.

    Macro F1 is a mean over labels of what depends on a label's own threshold alone: its maximum over the joint grid
    lies where each label's F1 has its own. Of equals the one nearest to a half is taken.
    """
    merits = np.array([[_f1(targets[:, k] > 0.5, scores[:, k] >= at) for at in grid] for k in range(targets.shape[1])])
    near_half = -np.abs(np.array(grid) - 0.5) * 1e-9
    best = (merits + near_half).argmax(axis=1)
    return ThresholdSurface(
        tuple(grid[index] for index in best), float(merits[np.arange(len(best)), best].mean()), grid, merits
    )


def _f1(truth: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> float:
    right = int((truth & found).sum())
    either = int(truth.sum() + found.sum())
    return 2 * right / either if either else 0.0


def youden_threshold(targets: Float32, scores: Float64) -> ThresholdSurface:
    """The threshold of one label with the highest sensitivity + specificity - 1 (W. J. Youden, Cancer 3, 1950)."""
    grid = tuple(round(0.01 * step, 2) for step in range(1, 100))
    truth = targets[:, 0] > 0.5
    merits = np.array([[_youden(truth, scores[:, 0] >= at) for at in grid]])
    best = int((merits[0] - np.abs(np.array(grid) - 0.5) * 1e-9).argmax())
    return ThresholdSurface((grid[best],), float(merits[0, best]), grid, merits)


def _youden(truth: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> float:
    sensitivity = float(found[truth].mean()) if truth.any() else 0.0
    specificity = float((~found[~truth]).mean()) if (~truth).any() else 0.0
    return sensitivity + specificity - 1


def mean_loss(targets: Float32, logits: Float32, activation: Activation) -> float:
    """The loss without weights of a part: (n, labels) each, in double precision."""
    z, y = logits.astype(np.float64), targets.astype(np.float64)
    if activation == "sigmoid":
        return float(np.mean(np.logaddexp(0, z) - y * z))
    top = z.max(axis=1, keepdims=True)
    log_sum = top[:, 0] + np.log(np.exp(z - top).sum(axis=1))
    return float(np.mean(y.sum(axis=1) * log_sum - (y * z).sum(axis=1)))


def best_temperature(targets: Float32, logits: Float32, activation: Activation) -> float:
    """The divisor of the logits with the least cross entropy (C. Guo et al., ICML 2017), 0.25 to 8 in steps of 2 %."""
    tried = np.exp(np.arange(np.log(0.25), np.log(8.0), 0.02))
    losses = [mean_loss(targets, (logits / np.float32(one)), activation) for one in tried]
    return round(float(tried[int(np.argmin(losses))]), 4)
