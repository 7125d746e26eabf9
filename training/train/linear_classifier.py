"""Logistic regression on standardized inputs, fitted by Newton's method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.hearing.network.probabilities import sigmoid

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LinearClassifier:
    """A logistic regression: probability = sigmoid(weights . (x - mean) / scale + bias)."""

    mean: Float32
    scale: Float32
    weights: Float32
    bias: float

    def __call__(self, inputs: Float32) -> Float32:
        """Probability of the positive class: (n, size) -> (n,)."""
        standardized: Float32 = (inputs - self.mean) / self.scale
        return sigmoid(standardized @ self.weights + np.float32(self.bias))


def fit_classifier(inputs: Float32, targets: Float32, ridge: float) -> LinearClassifier:
    """Regularized logistic regression by Newton's method, both classes with equal total weight.

    Args:
        inputs: (n, size).
        targets: 0 or 1, (n,).
        ridge: penalty on the squared weights.
    """
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0) + np.float32(1e-6)
    rows = np.c_[(inputs - mean) / scale, np.ones(len(targets))].astype(np.float64)
    sample_weights = np.where(targets > 0, 0.5 / max(targets.sum(), 1), 0.5 / max((1 - targets).sum(), 1))
    penalty = np.full(rows.shape[1], ridge)
    penalty[-1] = 0.0
    weights = np.zeros(rows.shape[1])
    for _ in range(12):
        probability = 0.5 * (1 + np.tanh(0.5 * (rows @ weights)))
        gradient = rows.T @ (sample_weights * (probability - targets)) + penalty * weights
        curvature = sample_weights * np.maximum(probability * (1 - probability), 1e-6)
        hessian = (rows * curvature[:, None]).T @ rows + np.diag(penalty + 1e-9)
        weights -= np.linalg.solve(hessian, gradient)
    return LinearClassifier(mean, scale, weights[:-1].astype(np.float32), float(weights[-1]))
