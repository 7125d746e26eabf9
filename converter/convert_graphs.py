"""The graphs of a trained network, in float and quantized: one, or a backbone and a head.

Nothing but each graph's own form is checked here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.gate import check_finite, check_graph, check_past
from converter.predictions import Graphs, golden_keras_probabilities, keras_probabilities
from converter.quantize import by_input, to_float, to_graph
from converter.rebuilding.carried_past import carried, head_calibration
from converter.rebuilding.cut_network import carries_past, cut_network, rebuilt_parts
from converter.rebuilding.rebuild import load_network, rebuild
from converter.window_sequences import check_full, spans
from device.errors import BundleError
from device.hearing.bundle.contents import Head
from device.hearing.network.graph import read_graph
from device.hearing.network.operators import OPERATORS_RUN
from device.hearing.network.parts import EMBEDDING, PAST

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from converter.quantize import Calibration, InputType, Quantization
    from converter.rebuilding.cut_network import CutNetwork
    from converter.training_output import TrainingOutput
    from device.hearing.bundle.contents import Bundle
    from device.hearing.network.graph import Graph

    Float32 = npt.NDArray[np.float32]

_ATTEMPTS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """A network before and after conversion.

    Attributes:
        model: by Keras.
        parts: of the model, by Keras; None for one that keeps nothing.
        as_float: its probabilities on the agreement windows, all finite.
        in_float: the graphs in float.
        quantized: the quantized ones.
        quantization: of them.
        rebuilt: the model that both were converted from, whose names their tensors have; None for two parts.
    """

    model: Any
    parts: CutNetwork | None
    as_float: Float32
    in_float: Graphs
    quantized: Graphs
    quantization: Quantization
    rebuilt: Any = None

    def read_graphs(self) -> list[Graph]:
        """The quantized graphs."""
        head = self.quantized.head
        return [read_graph(each) for each in (self.quantized.network, *([] if head is None else [head.network]))]


def converted(
    trained: TrainingOutput,
    quantization: Quantization = "int8",
    input_type: InputType = "int8",
    backbone: Bundle | None = None,
) -> Converted:
    """The networks of what training wrote.

    Numbers that are not finite are refused before anything is converted: they end TensorFlow's process.

    Args:
        trained: what training wrote.
        quantization: of the graphs.
        input_type: of inputs and outputs of int8 graphs.
        backbone: whose backbone is taken, so that both bundles hold the same one; None to quantize its own.

    Raises:
        BundleError: it answers no finite number, cannot be converted, or its graph is not what the device runs; or its
            backbone is another one than that of the bundle.
    """
    model = load_network(trained.network)
    parts = cut_network(model, trained.specs, len(trained.labels)) if carries_past(model) else None
    rebuilt = None if parts else rebuild(model, trained.specs, len(trained.labels))
    if parts is not None:
        _check_sequences(trained, parts)
    if backbone is not None:
        _check_backbone(backbone, parts)
    as_float = keras_probabilities(model, trained)
    check_finite(as_float, "Keras")
    check_finite(golden_keras_probabilities(model, trained), "Keras", "golden sounds")
    if parts is None:
        float_network = to_float(rebuilt)
        network, _ = quantized(rebuilt, trained.calibration, quantization, input_type)
        return Converted(model, None, as_float, Graphs(float_network), Graphs(network), quantization, rebuilt)
    in_float, graphs = _both_parts(trained, parts, quantization, input_type)
    if backbone is not None:
        graphs = graphs._replace(network=backbone.network)
    return Converted(model, parts, as_float, in_float, graphs, quantization)


def _check_sequences(trained: TrainingOutput, parts: CutNetwork) -> None:
    for what, numbers, inputs in (
        ("calibration", trained.calibration_sequence, trained.calibration),
        ("agreement", trained.agreement_sequence, trained.agreement),
    ):
        check_full(what, spans(numbers, len(inputs[0])), parts.shape.steps)


def _both_parts(
    trained: TrainingOutput, parts: CutNetwork, quantization: Quantization, input_type: InputType
) -> tuple[Graphs, Graphs]:
    """(float, quantized) backbone and head."""
    backbone, head = rebuilt_parts(parts, len(trained.specs))
    given = carried(parts, trained.calibration, trained.calibration_sequence)
    calibration = head_calibration(given, trained.calibration_sequence)
    network, _ = quantized(backbone, trained.calibration, quantization, input_type)
    head_network, graph = quantized(head, calibration, quantization, input_type)
    if quantization == "int8":
        check_past(graph)
    pairs = ((to_float(backbone), to_float(head)), (network, head_network))
    one, other = (Graphs(first, Head(second, parts.shape, trained.hop_s)) for first, second in pairs)
    return one, other


def _check_backbone(bundle: Bundle, parts: CutNetwork | None) -> None:
    """Refuse a bundle whose backbone was converted from other weights, or a network that has none."""
    if parts is None:
        raise BundleError(f"the network has no input {PAST!r}, so it is not cut, and takes no backbone of another one")
    part: Any = bundle.card
    for member in ("conversion", "backbone", "weights_sha256"):
        part = part.get(member) if isinstance(part, Mapping) else None
    converted_from = None if part is None else str(part)
    if bundle.head is None or converted_from is None:
        raise BundleError(f"{bundle.name} {bundle.version} has no backbone of its own, so there is none to take")
    found = weights_sha256(parts.backbone, named=False)
    if found != converted_from:
        raise BundleError(
            f"{bundle.name} {bundle.version} has a backbone of the weights {converted_from:.12}, the network's are "
            f"{found:.12}: they must be equal to share it"
        )


def weights_sha256(model: Any, *, named: bool = True) -> str:
    """Hash of the trained weights; the `.keras` file's own hash would change with its date.

    Args:
        model: by Keras.
        named: whether the names of the weights count too.
    """
    digest = hashlib.sha256()
    for weight in model.weights:
        values = np.ascontiguousarray(np.asarray(weight))
        digest.update(f"{weight.path if named else ''} {values.dtype.str} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def quantized(
    rebuilt: Any, calibration: Calibration, quantization: Quantization = "int8", input_type: InputType = "int8"
) -> tuple[bytes, Graph]:
    """A network whose graph passed the gate, and that graph.

    TensorFlow 2.21 leaves a split of all zeros (the initial state of an unrolled GRU or LSTM) in float
    in about every second conversion of the same network; so the conversion is repeated before it is refused.

    Raises:
        BundleError: it cannot be converted, or its graph is not wholly int8 in any attempt.
    """
    for attempt in range(_ATTEMPTS):
        network = to_graph(rebuilt, calibration, quantization, input_type)
        graph = read_graph(network)
        try:
            check_graph(graph, is_int8=quantization == "int8")
        except BundleError:
            if attempt + 1 == _ATTEMPTS or not all(one.name in OPERATORS_RUN for one in graph.operations):
                raise
        else:
            break
    return network, graph


def graph_inputs(networks: Converted, trained: TrainingOutput, window: int) -> list[dict[str, Float32]]:
    """What an agreement window gives the inputs of each graph, with the batch axis, as Keras computes it."""
    features = by_input([array[window : window + 1] for array in trained.agreement])
    if networks.parts is None:
        return [features]
    before = _sequence_until(trained, window)
    given = carried(networks.parts, [array[before] for array in trained.agreement], np.zeros(len(before), np.int64))
    return [features, {EMBEDDING: given.embedding[-1:], PAST: given.past[-1:]}]


def _sequence_until(trained: TrainingOutput, window: int) -> Sequence[int]:
    """A window with those before it in its sequence."""
    span = next(each for each in spans(trained.agreement_sequence, len(trained.agreement[0])) if window in each)
    return list(range(span[0], window + 1))
