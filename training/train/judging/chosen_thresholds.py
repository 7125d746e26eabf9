"""What validation chooses once a network is trained: the temperature of its logits and the thresholds of its labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.train.judging.task_measures import (
    ThresholdSurface,
    best_temperature,
    joint_thresholds,
    probabilities,
    youden_threshold,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from training.networks.network_form import Activation

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What was chosen on validation.

    Attributes:
        activation: of the labels.
        temperature: what logits are divided by.
        surface: thresholds and what was tried; None for exclusive labels, of which the most probable one is taken.
    """

    activation: Activation
    temperature: float
    surface: ThresholdSurface | None

    def scores(self, logits: Float32) -> Float64:
        """Calibrated probabilities: (n, labels) -> the same shape."""
        return probabilities(logits, self.activation, self.temperature)

    def decided(self, scores: Float64) -> npt.NDArray[np.bool_]:
        """Which labels are taken to hold: (n, labels) -> the same shape."""
        if self.surface is None:
            taken: npt.NDArray[np.bool_] = np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, None]
            return taken
        reached: npt.NDArray[np.bool_] = scores >= np.array(self.surface.thresholds)
        return reached

    def to_dict(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """As JSON types."""
        thresholds = None if self.surface is None else dict(zip(labels, self.surface.thresholds, strict=True))
        return {"temperature": self.temperature, "thresholds": thresholds}


def choose(targets: Float32, logits: Float32, activation: Activation) -> Choice:
    """Temperature by the least cross entropy; thresholds by macro F1 (several labels) or Youden's J (one label)."""
    temperature = best_temperature(targets, logits, activation)
    scores = probabilities(logits, activation, temperature)
    if activation == "softmax":
        return Choice(activation, temperature, None)
    find = joint_thresholds if targets.shape[1] > 1 else youden_threshold
    return Choice(activation, temperature, find(targets, scores))
