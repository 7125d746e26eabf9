"""What a cry may be about, by one linear layer on the shared backbone's embeddings of the crying so far.

The head keeps one row: the standardized embeddings of the cry, each hop of which counts less the older it is. It starts
at zeros, which stand for the average cry, so that a short cry says little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from training.networks.audioset.mn04 import EMBEDDING_SIZE, embedding_of
from training.networks.audioset.second_network import SECOND_FRAMES, SPEC
from training.networks.network_form import feature_inputs

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

NEWEST_SHARE = 0.2
"""Of the newest hop in what is kept: after 2.5 s a hop counts a third of what it did."""


class Standard(NamedTuple):
    """Mean and spread of each number of an embedding, (384,) each."""

    mean: Float32
    spread: Float32


def crying_so_far(embeddings: Float32, standard: Standard) -> Float32:
    """What the head keeps at each hop of one cry: embeddings (hops, 384) -> (hops, 384)."""
    kept = np.zeros_like(embeddings)
    before = np.zeros(embeddings.shape[1], np.float32)
    for hop, newest in enumerate((embeddings - standard.mean) / standard.spread):
        kept[hop] = before = (1 - NEWEST_SHARE) * before + NEWEST_SHARE * newest
    return kept


def reason_network(backbone: Any, standard: Standard, kernel: Float32, bias: Float32) -> Any:
    """The network as the device runs it, one flat network of builtin layers.

    Args:
        backbone: as trained for cries.
        standard: of the embeddings.
        kernel: of the linear layer (384, labels).
        bias: of it (labels,).

    Returns:
        `input_0` (frames, 128, 1) and `past` (1, 384) -> `scores` (labels,), logits of labels of which one holds, and
        `next_past`; the layer `embedding` is all that scores need of `input_0`.
    """
    import keras

    (window,) = feature_inputs((SPEC,))
    past = keras.Input((1, EMBEDDING_SIZE), name="past")
    second = keras.layers.Cropping2D(((SPEC.shape[0] - SECOND_FRAMES, 0), (0, 0)), name="last_second")(window)
    newest = keras.layers.Reshape((1, EMBEDDING_SIZE), name="newest")(embedding_of(second))
    standardized = keras.layers.Normalization(
        axis=-1, mean=standard.mean, variance=standard.spread**2, name="standardized"
    )(newest)
    next_past = keras.layers.Add(name="next_past")(
        [
            keras.layers.Rescaling(1 - NEWEST_SHARE, name="kept")(past),
            keras.layers.Rescaling(NEWEST_SHARE, name="added")(standardized),
        ]
    )
    so_far = keras.layers.Reshape((EMBEDDING_SIZE,), name="so_far")(next_past)
    scores = keras.layers.Dense(len(bias), name="scores")(so_far)
    network = keras.Model([window, past], {"scores": scores, "next_past": next_past}, name="reason")
    for layer in backbone.layers:
        if layer.weights:
            network.get_layer(layer.name).set_weights(layer.get_weights())
    network.get_layer("scores").set_weights([kernel, bias])
    return network
