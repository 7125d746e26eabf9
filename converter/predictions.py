"""One network's probabilities on the agreement windows: by Keras, as a float graph, in int8, without XNNPACK.

A network that carries its past is given the windows of each sequence in their order, and whoever runs it carries its
own past: Keras that of Keras, the device's runtime that of the converted network.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from converter import toolchain
from converter.golden.golden_windows import golden_sequence, golden_sounds
from converter.rebuilding.cut_network import carries_past
from converter.rebuilding.rebuild import output_names
from converter.window_sequences import sampled, spans, steps
from device.errors import BundleError, ClassifierError
from device.hearing.bundle.contents import Bundle
from device.hearing.classifier import Classifier
from device.hearing.features import window_features
from device.hearing.network.check import SCORES
from device.hearing.network.parts import NEXT_PAST, PAST
from device.hearing.network.probabilities import sigmoid, softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from converter.training_output import TrainingOutput
    from device.hearing.bundle.contents import Head
    from device.hearing.network.graph import Graph

    Float32 = npt.NDArray[np.float32]

_BATCH = 64
_SAMPLED_WINDOWS = 64
"""Agreement windows for the slow checks, whose errors show on any window: the float graph and the plain kernels."""


class Graphs(NamedTuple):
    """A converted network: one graph, or a backbone and a head."""

    network: bytes
    head: Head | None = None

    @property
    def size(self) -> int:
        """Bytes of both."""
        return len(self.network) + (0 if self.head is None else len(self.head.network))


def keras_probabilities(model: Any, trained: TrainingOutput) -> Float32:
    """By Keras, before conversion: (windows, labels); no number (NaN) where a past came out that is not finite."""
    sequences = spans(trained.agreement_sequence, len(trained.agreement[0]))
    past = _no_past(model, len(sequences))
    scores = np.empty((len(trained.agreement[0]), len(trained.labels)), np.float32)
    for chosen, windows in steps(sequences, _BATCH):
        inputs = [array[windows] for array in trained.agreement]
        scores[windows], next_past = _keras_step(model, inputs, None if past is None else past[chosen])
        if past is not None and next_past is not None:
            past[chosen] = next_past
            scores[np.array(windows)[~np.isfinite(next_past).all(axis=(1, 2))]] = np.nan
    if trained.output == "probabilities":
        return scores
    return sigmoid(scores) if trained.output == "logits" else softmax(scores).astype(np.float32)


def _no_past(model: Any, sequences: int) -> Float32 | None:
    """Zeros (sequences, steps, size); None for a network that keeps nothing."""
    shape = next((tensor.shape[1:] for tensor in model.inputs if tensor.name == PAST), None)
    return None if shape is None else np.zeros((sequences, *shape), np.float32)


def _keras_step(model: Any, inputs: list[Float32], past: Float32 | None) -> tuple[Float32, Float32 | None]:
    """(scores, next past) of a batch."""
    if past is not None:
        named = {f"input_{ordinal}": array for ordinal, array in enumerate(inputs)} | {PAST: past}
        inputs = [named[tensor.name] for tensor in model.inputs]
    tree = toolchain.keras().tree
    results = tree.flatten(model(tree.pack_sequence_as(model.input, inputs), training=False))
    named_results = dict(zip(output_names(model), results, strict=True))
    next_past = None if past is None else np.asarray(named_results[NEXT_PAST], np.float32)
    return np.asarray(named_results[SCORES], np.float32), next_past


def converted_probabilities(
    trained: TrainingOutput, graphs: Graphs, windows: Sequence[int] | None = None, *, accelerated: bool = True
) -> Float32:
    """By a converted network on the device's runtime: (windows, labels), of some windows if given.

    Args:
        trained: gives the windows.
        graphs: the converted network.
        windows: which ones; of a network that carries its past, those of whole sequences.
        accelerated: see `Classifier`.

    Raises:
        BundleError: it does not fit labels and specs, or fails on a window.
    """
    chosen = range(len(trained.agreement[0])) if windows is None else windows
    numbers, past, rows, before = trained.agreement_sequence, None, [], None
    try:
        with Classifier(network_bundle(trained, graphs, {}), accelerated=accelerated) as classifier:
            for window in chosen:
                if numbers is None or before is None or numbers[window] != numbers[before]:
                    past = None
                output = classifier.classify_after([array[window, :, :, 0] for array in trained.agreement], past)
                rows.append(output.probabilities)
                past, before = output.next_past, window
    except ClassifierError as error:
        raise BundleError(f"the converted network fails on an agreement window: {error}") from None
    return np.stack(rows)


def network_bundle(trained: TrainingOutput, graphs: Graphs, card: dict[str, Any]) -> Bundle:
    """A bundle without golden cases."""
    return Bundle(
        name=trained.name,
        version=trained.version,
        labels=trained.labels,
        specs=trained.specs,
        output=trained.output,
        network=graphs.network,
        golden=(),
        card=card,
        head=graphs.head,
        attention=trained.attention,
    )


def translation_error(trained: TrainingOutput, graphs: Graphs, as_float: Float32) -> float:
    """Largest difference in probability between Keras and the float graphs, over sampled windows."""
    windows = sampled_windows(trained)
    return float(np.abs(converted_probabilities(trained, graphs, windows) - as_float[windows]).max())


def plain_kernel_figures(trained: TrainingOutput, graphs: Graphs, as_int8: Float32) -> dict[str, float]:
    """How far int8 probabilities move without XNNPACK, as in the older runtime: for the report."""
    windows = sampled_windows(trained)
    apart = np.abs(converted_probabilities(trained, graphs, windows, accelerated=False) - as_int8[windows])
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
    """By Keras, of every golden sound and of each window of the golden sequence: (windows, labels)."""
    spec = trained.specs[0]
    windows = list(golden_sounds(spec.sample_rate_hz, spec.window_samples).values())
    numbers = None
    if carries_past(model):
        hop = round(trained.hop_s * spec.sample_rate_hz)
        sequence = golden_sequence(spec.sample_rate_hz, spec.window_samples, hop, past_steps(model))
        numbers = np.array([*range(len(windows)), *[len(windows)] * len(sequence.probabilities)])
        windows += sequence.windows(spec.window_samples)
    features = tuple(
        np.stack([window_features(each, samples)[..., None] for samples in windows]) for each in trained.specs
    )
    return keras_probabilities(model, dataclasses.replace(trained, agreement=features, agreement_sequence=numbers))


def past_steps(model: Any) -> int:
    """Rows of the past of a Keras model that carries one."""
    return int(next(tensor.shape[1] for tensor in model.inputs if tensor.name == PAST))


def sampled_windows(trained: TrainingOutput) -> list[int]:
    """Evenly spread windows, `_SAMPLED_WINDOWS` or about so many of whole sequences."""
    count = len(trained.agreement[0])
    if trained.agreement_sequence is not None:
        return sampled(spans(trained.agreement_sequence, count), _SAMPLED_WINDOWS)
    return [int(index) for index in np.linspace(0, count - 1, min(_SAMPLED_WINDOWS, count))]
