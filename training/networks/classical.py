"""Classical baselines of the networks: a support vector machine and a random forest on the same features.

A window becomes one vector: mean, spread, 10th and 90th percentile of each bin over the frames. Both give a value for
each label that is used as a network's logit is, so thresholds and temperature are chosen alike. scikit-learn is
imported where it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from training.networks.network_form import Activation

    Float32 = npt.NDArray[np.float32]

Kind = Literal["svm", "random-forest"]
KINDS: tuple[Kind, ...] = ("svm", "random-forest")

TREES = 300
_LEAST_SHARE = 1e-3
_NEVER_SEEN = -10.0


@dataclass(frozen=True, slots=True, eq=False)
class ClassicalModel:
    """Fitted estimators.

    Attributes:
        kind: of the estimators.
        estimators: one for exclusive labels, or one for each label; None for a label that training had in all or none.
        activation: of the labels.
        labels: how many there are.
    """

    kind: Kind
    estimators: tuple[Any, ...]
    activation: Activation
    labels: int

    @property
    def parameters(self) -> int:
        """Numbers that were fitted: coordinates of support vectors, or nodes of trees."""
        return sum(_parameters_of(one) for one in self.estimators if one is not None)

    def logits(self, inputs: Sequence[Float32]) -> Float32:
        """One value for each label: for each input (n, frames, bins, 1) -> (n, labels)."""
        vectors = summary_of(inputs)
        if self.activation == "softmax":
            return _exclusive(self.kind, self.estimators[0], vectors, self.labels)
        columns = [_single(self.kind, estimator, vectors) for estimator in self.estimators]
        return np.stack(columns, axis=1).astype(np.float32)


def fit_classical(
    kind: Kind, inputs: Sequence[Float32], targets: Float32, activation: Activation, seed: int
) -> ClassicalModel:
    """Fit a baseline.

    Args:
        kind: "svm" or "random-forest".
        inputs: for each input (n, frames, bins, 1).
        targets: (n, labels) of 0 and 1; with "softmax" exactly one holds.
        activation: of the labels.
        seed: of the forest.
    """
    vectors, labels = summary_of(inputs), targets.shape[1]
    if activation == "softmax":
        return ClassicalModel(kind, (_fitted(kind, vectors, targets.argmax(axis=1), seed),), activation, labels)
    held = [targets[:, label] > 0.5 for label in range(labels)]
    fitted = tuple(_fitted(kind, vectors, one, seed) if 0 < one.sum() < len(one) else None for one in held)
    return ClassicalModel(kind, fitted, activation, labels)


def summary_of(inputs: Sequence[Float32]) -> Float32:
    """One vector for each window: for each input (n, frames, bins, 1) -> (n, 4 x all bins)."""
    parts = []
    for array in inputs:
        frames = array[..., 0].astype(np.float64)  # (n, frames, bins)
        low, high = np.percentile(frames, (10, 90), axis=1)
        parts += [frames.mean(axis=1), frames.std(axis=1), low, high]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _fitted(kind: Kind, vectors: Float32, classes: npt.NDArray[Any], seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    if kind == "svm":
        estimator = make_pipeline(StandardScaler(), SVC(class_weight="balanced"))
    else:
        estimator = RandomForestClassifier(
            TREES, class_weight="balanced_subsample", min_samples_leaf=2, random_state=seed, n_jobs=1
        )
    return estimator.fit(vectors, classes)


def _single(kind: Kind, estimator: Any, vectors: Float32) -> Float32:
    """The logit of one label (n,)."""
    if estimator is None:
        return np.full(len(vectors), _NEVER_SEEN, np.float32)
    if kind == "svm":
        return np.asarray(estimator.decision_function(vectors), np.float32)
    share = np.clip(estimator.predict_proba(vectors)[:, 1], _LEAST_SHARE, 1 - _LEAST_SHARE)
    return np.asarray(np.log(share / (1 - share)), np.float32)


def _exclusive(kind: Kind, estimator: Any, vectors: Float32, labels: int) -> Float32:
    """Logits of exclusive labels (n, labels); a label that training had not is never taken."""
    if kind == "svm":
        values = np.asarray(estimator.decision_function(vectors), np.float32)
        values = np.stack([-values, values], axis=1) if values.ndim == 1 else values
    else:
        values = np.log(np.maximum(estimator.predict_proba(vectors), _LEAST_SHARE)).astype(np.float32)
    logits = np.full((len(vectors), labels), _NEVER_SEEN, np.float32)
    logits[:, np.asarray(estimator.classes_, np.intp)] = values
    return logits


def _parameters_of(estimator: Any) -> int:
    if hasattr(estimator, "estimators_"):
        return int(sum(tree.tree_.node_count for tree in estimator.estimators_))
    machine = estimator[-1]
    return int(machine.support_vectors_.size + machine.dual_coef_.size)
