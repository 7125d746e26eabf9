"""One network's probabilities on the agreement windows: by Keras, as a float graph, in int8, without XNNPACK."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from converter import toolchain
from converter.golden_windows import golden_sounds
from converter.rebuilding.rebuild import output_names
from device.errors import BundleError, ClassifierError
from device.hearing.bundle.contents import Bundle
from device.hearing.classifier import Classifier, sigmoid, softmax
from device.hearing.features import window_features
from device.hearing.network.check import SCORES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from converter.training_output import TrainingOutput
    from device.hearing.network.graph import Graph

    Float32 = npt.NDArray[np.float32]

_BATCH = 64
_SAMPLED_WINDOWS = 64
"""Agreement windows for the slow checks, whose errors show on any window: the float graph and the plain kernels."""


def keras_probabilities(model: Any, trained: TrainingOutput) -> Float32:
    """By Keras, before conversion: (windows, labels)."""
    pack = toolchain.keras().tree.pack_sequence_as
    parts = []
    for first in range(0, len(trained.agreement[0]), _BATCH):
        inputs = [array[first : first + _BATCH] for array in trained.agreement]
        results = model(pack(model.input, inputs), training=False)
        parts.append(np.asarray(_scores(model, results), np.float32))
    scores = np.concatenate(parts)
    if trained.output == "probabilities":
        return scores
    return sigmoid(scores) if trained.output == "logits" else softmax(scores)


def converted_probabilities(
    trained: TrainingOutput, network: bytes, windows: Sequence[int] | None = None, *, accelerated: bool = True
) -> Float32:
    """By a converted network on the device's runtime: (windows, labels), of some windows if given.

    Raises:
        BundleError: it does not fit labels and specs, or fails on a window.
    """
    chosen = range(len(trained.agreement[0])) if windows is None else windows
    try:
        with Classifier(network_bundle(trained, network, {}), accelerated=accelerated) as classifier:
            rows = [
                classifier.classify([array[window, :, :, 0] for array in trained.agreement]).probabilities
                for window in chosen
            ]
    except ClassifierError as error:
        raise BundleError(f"the converted network fails on an agreement window: {error}") from None
    return np.stack(rows)


def network_bundle(trained: TrainingOutput, network: bytes, card: dict[str, Any]) -> Bundle:
    """A bundle without golden cases."""
    return Bundle(
        name=trained.name,
        version=trained.version,
        labels=trained.labels,
        specs=trained.specs,
        output=trained.output,
        network=network,
        golden=(),
        card=card,
    )


def translation_error(trained: TrainingOutput, float_network: bytes, as_float: Float32) -> float:
    """Largest difference in probability between Keras and the float graph, over sampled windows."""
    windows = _sampled(len(as_float))
    return float(np.abs(converted_probabilities(trained, float_network, windows) - as_float[windows]).max())


def plain_kernel_figures(trained: TrainingOutput, network: bytes, as_int8: Float32) -> dict[str, float]:
    """How far int8 probabilities move without XNNPACK, as in the older runtime: for the report."""
    windows = _sampled(len(as_int8))
    apart = np.abs(converted_probabilities(trained, network, windows, accelerated=False) - as_int8[windows])
    return {"mean_difference": round(float(apart.mean()), 6), "largest_difference": round(float(apart.max()), 6)}


def saturated_shares(trained: TrainingOutput, graph: Graph) -> list[float]:
    """Share of each int8 input's values that its range cuts off, on the loudest tenth of the agreement windows.

    A value within half a step of the range is not cut off: it is rounded to the range's end.
    """
    shares = []
    inputs = dict(graph.signatures[0].inputs)
    for ordinal, windows in enumerate(trained.agreement):
        tensor = graph.tensors[inputs[f"input_{ordinal}"]]
        if tensor.kind != "INT8":
            continue
        scale, zero_point = tensor.scales[0], tensor.zero_points[0]
        low, high = (-128.5 - zero_point) * scale, (127.5 - zero_point) * scale
        loudest = np.argsort(windows.mean(axis=(1, 2, 3)))[-max(1, len(windows) // 10) :]
        shares.append(float(np.mean((windows[loudest] < low) | (windows[loudest] > high))))
    return shares


def golden_keras_probabilities(model: Any, trained: TrainingOutput) -> Float32:
    """By Keras, of every golden sound: (sounds, labels)."""
    spec = trained.specs[0]
    sounds = golden_sounds(spec.sample_rate_hz, spec.window_samples).values()
    features = tuple(
        np.stack([window_features(each, samples)[..., None] for samples in sounds]) for each in trained.specs
    )
    return keras_probabilities(model, dataclasses.replace(trained, agreement=features))


def _scores(model: Any, results: Any) -> Any:
    """The scores among what a Keras model returned."""
    return toolchain.keras().tree.flatten(results)[output_names(model).index(SCORES)]


def _sampled(count: int) -> list[int]:
    """Evenly spread indices, at most `_SAMPLED_WINDOWS`."""
    return [int(index) for index in np.linspace(0, count - 1, min(_SAMPLED_WINDOWS, count))]
