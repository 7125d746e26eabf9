"""A network that hears one second at each hop and remembers: mn04's embedding of the newest second, and a causal head.

The window stays two seconds long, so that the level is taken over two; the backbone hears the last of them. The head
sees the embeddings of the last `PAST_STEPS` hops and the newest one: input `past` (PAST_STEPS, 384), output `next_past`
of the same shape, which starts at zeros. So a hop costs one second of backbone, and the head decides on four and a
half seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.networks.audioset.mn04 import (
    BANDS,
    CLASS_COUNT,
    EMBEDDING_SIZE,
    class_logits_of,
    embedding_of,
    load_published,
)
from training.networks.audioset.reference_forms import ALARM_LOG_MEL, FROZEN_BLOCKS
from training.networks.network_form import feature_inputs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

SPEC = ALARM_LOG_MEL
SECOND_FRAMES = 100
"""Of the window's 197 frames, those of its last second."""

HOP_FRAMES = 50
PAST_STEPS = 6
_UNITS = 64


def build_backbone() -> Any:
    """(SECOND_FRAMES, 128, 1) -> embedding (384,), from random weights."""
    import keras

    inputs = keras.Input((SECOND_FRAMES, BANDS, 1), name="second")
    return keras.Model(inputs, embedding_of(inputs), name="backbone")


def published_backbone(weights: Path) -> Any:
    """The backbone with AudioSet's weights.

    Raises:
        ConfigError: the file does not hold them.
    """
    backbone = build_backbone()
    load_published(backbone, weights)
    return backbone


def divided(backbone: Any) -> tuple[Any, Any]:
    """The backbone as two networks that share its layers: what fine-tuning leaves as it is, and what follows.

    Returns:
        early: (SECOND_FRAMES, 128, 1) -> (time, frequency, channels).
        late: that -> embedding (384,).
    """
    import keras

    between = backbone.get_layer(f"features_{FROZEN_BLOCKS + 1}_block_0_0").input
    return keras.Model(backbone.input, between), keras.Model(between, backbone.output)


def build_head(labels: int, seed: int, *, mean: Float32, spread: Float32, dropout: float = 0.3) -> Any:
    """Embeddings (steps + PAST_STEPS, 384) -> logits (steps, labels); a step sees itself and the PAST_STEPS before.

    Args:
        labels: how many.
        seed: of its random weights.
        mean: of each value of an embedding (384,), which is taken off first.
        spread: of each value (384,), by which it is divided then.
        dropout: of embeddings and hidden values, while it learns.
    """
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((None, EMBEDDING_SIZE), name="embeddings")
    standardized = keras.layers.Normalization(axis=-1, mean=mean, variance=spread**2, name="standardized")(inputs)
    return keras.Model(inputs, _logits_of(standardized, labels, dropout), name="head")


def _logits_of(tensor: Any, labels: int, dropout: float) -> Any:
    """Standardized embeddings (steps + PAST_STEPS, 384) -> (steps, labels), by two convolutions over the past."""
    import keras

    tensor = keras.layers.Dropout(dropout, name="head_dropout")(tensor)
    tensor = keras.layers.Conv1D(_UNITS, 1, activation="relu", name="head_narrow")(tensor)
    for dilation in (1, 2):
        kept = keras.layers.Cropping1D((2 * dilation, 0), name=f"head_kept_{dilation}")(tensor)
        hidden = keras.layers.Conv1D(
            _UNITS, 3, dilation_rate=dilation, activation="relu", name=f"head_past_{dilation}"
        )(tensor)
        hidden = keras.layers.Dropout(dropout, name=f"head_dropout_{dilation}")(hidden)
        tensor = keras.layers.Add(name=f"head_sum_{dilation}")([kept, hidden])
    return keras.layers.Conv1D(labels, 1, name="head_logits")(tensor)


def training_network(late: Any, head: Any, classifier: Any, hops: int) -> Any:
    """Late blocks and head on sequences: what the early blocks gave at each hop -> logits, and the 527 classes' logits.

    Args:
        late: from `divided`; its normalizations keep their statistics.
        head: from `build_head`.
        classifier: (384,) -> (CLASS_COUNT,), the published head, which holds the embedding near to what it was.
        hops: of a sequence.

    Returns:
        (hops, time, frequency, channels) -> [(hops, labels), (hops, CLASS_COUNT)].
    """
    import keras

    inputs = keras.Input((hops, *late.input.shape[1:]), name="early")
    seconds = keras.ops.reshape(inputs, (-1, *late.input.shape[1:]))  # never saved, so no layer is needed
    embeddings = late(seconds, training=False)  # statistics of normalizations are AudioSet's
    classes = keras.ops.reshape(classifier(embeddings, training=False), (-1, hops, CLASS_COUNT))
    past = keras.layers.ZeroPadding1D((PAST_STEPS, 0))(keras.ops.reshape(embeddings, (-1, hops, EMBEDDING_SIZE)))
    return keras.Model(inputs, [head(past), classes], name="sequence")


def published_classifier(weights: Path) -> Any:
    """(384,) -> (CLASS_COUNT,), AudioSet's, not to be trained."""
    import keras

    inputs = keras.Input((EMBEDDING_SIZE,))
    classifier = keras.Model(inputs, class_logits_of(inputs), name="classifier")
    load_published(classifier, weights)
    classifier.trainable = False
    return classifier


def device_network(backbone: Any, head: Any, columns: Sequence[int], *, shift: float = 0.0) -> Any:
    """Trained backbone and head as the device runs them, one flat network of builtin layers.

    Args:
        backbone: as trained.
        head: as trained.
        columns: which of the head's logits remain, in their new order.
        shift: is added to the first of them. Training sequences hold more events than a night, so the score that a
            night needs may lie near 1; a shift moves it, and changes no ranking.

    Returns:
        `input_0` (frames, 128, 1) and `past` (PAST_STEPS, 384) -> `scores` (columns,), logits, and `next_past`; the
        layer `embedding` is all that scores need of `input_0`.
    """
    import keras

    (window,) = feature_inputs((SPEC,))
    past = keras.Input((PAST_STEPS, EMBEDDING_SIZE), name="past")
    second = keras.layers.Cropping2D(((SPEC.shape[0] - SECOND_FRAMES, 0), (0, 0)), name="last_second")(window)
    embedding = embedding_of(second)
    newest = keras.layers.Reshape((1, EMBEDDING_SIZE), name="newest")(embedding)
    heard = keras.layers.Concatenate(axis=1, name="heard")([past, newest])
    standardizer = head.get_layer("standardized")
    standardized = keras.layers.Normalization(
        axis=-1, mean=np.ravel(standardizer.mean), variance=np.ravel(standardizer.variance), name="standardized"
    )(heard)
    scores = keras.layers.Flatten(name="scores")(_logits_of(standardized, len(columns), 0.0))
    next_past = keras.layers.Cropping1D((1, 0), name="next_past")(heard)
    network = keras.Model([window, past], {"scores": scores, "next_past": next_past}, name="second")
    for layer in (*backbone.layers, *head.layers):
        if layer.weights and layer.name not in ("standardized", "head_logits"):
            network.get_layer(layer.name).set_weights(layer.get_weights())
    matrix, bias = head.get_layer("head_logits").get_weights()
    kept = bias[list(columns)]
    kept[0] += shift
    network.get_layer("head_logits").set_weights([matrix[:, :, list(columns)], kept])
    return network
