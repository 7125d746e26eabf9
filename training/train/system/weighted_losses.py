"""The losses as plain functions of `keras.ops`: the same on every backend; nothing of them is saved with a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from training.networks.network_form import Activation

    Float32 = npt.NDArray[np.float32]
    Loss = Callable[[Any, Any], Any]

MOST_WEIGHT = 20.0
"""A label that is rarer than one in twenty-one weighs no more than that."""


def label_weights(targets: Float32, activation: Activation) -> Float32:
    """What each label weighs, from how often it holds in the training part: (n, labels) -> (labels,).

    For labels that may hold together, negatives over positives (the `pos_weight` of a binary cross entropy); for
    exclusive ones, what gives every class the same total weight. A label without an example weighs 1.
    """
    count, held = len(targets), targets.sum(axis=0)
    known = np.maximum(held, 1.0)
    weights = (count - held) / known if activation == "sigmoid" else count / (known * targets.shape[1])
    clipped: Float32 = np.where(held > 0, np.clip(weights, 1 / MOST_WEIGHT, MOST_WEIGHT), 1.0).astype(np.float32)
    return clipped


def loss_function(activation: Activation, weights: Float32) -> Loss:
    """The loss of one batch: (targets, logits), both (n, labels) -> a value for each window (n,)."""
    return _binary(weights) if activation == "sigmoid" else _categorical(weights)


def _binary(weights: Float32) -> Loss:
    """Mean over labels of -w y log p - (1 - y) log(1 - p), from logits, as PyTorch's BCEWithLogitsLoss."""

    def loss(targets: Any, logits: Any) -> Any:
        from keras import ops

        targets = ops.cast(targets, logits.dtype)
        positive, negative = ops.softplus(-logits), ops.softplus(logits)
        weighted = ops.convert_to_tensor(weights, logits.dtype) * targets * positive + (1 - targets) * negative
        return ops.mean(weighted, axis=-1)

    return loss


def _categorical(weights: Float32) -> Loss:
    """Cross entropy from logits; each class by its weight."""

    def loss(targets: Any, logits: Any) -> Any:
        from keras import ops

        weighted = ops.cast(targets, logits.dtype) * ops.convert_to_tensor(weights, logits.dtype)
        return -ops.sum(weighted * ops.log_softmax(logits, axis=-1), axis=-1)

    return loss
