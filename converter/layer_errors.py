"""Where a quantized network goes wrong: on the window that is farthest off, the layer whose values are lost most.

Both graphs keep the names of their tensors, so each is compared with the same one in float. A layer that loses what
the layers before it still had is where to look: its range is set by few wild values, or its weights are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from device.hearing.network.graph import read_graph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LayerError:
    """How far one layer's values are from those in float.

    Attributes:
        name: of its tensor.
        error: root mean square of the difference, relative to that of the values.
        before: the largest such error of the layers before it.
    """

    name: str
    error: float
    before: float


class GraphPair(NamedTuple):
    """One graph before and after quantization.

    Attributes:
        float_network: the graph in float.
        network: the quantized one.
    """

    float_network: bytes
    network: bytes


def layer_errors(pair: GraphPair, window: Mapping[str, Float32]) -> list[LayerError]:
    """Errors of the layers that both graphs have, in the order in which they run.

    Args:
        pair: the graphs.
        window: what one window gives each input by name, with the batch axis.
    """
    float_network, network = pair
    exact, found = _values(float_network, window), _values(network, window)
    graph = read_graph(network)
    errors: list[LayerError] = []
    for operation in graph.operations:
        name = graph.tensors[operation.outputs[0]].name
        if name in exact and name in found and exact[name].shape == found[name].shape:
            apart = float(np.sqrt(np.mean((found[name] - exact[name]) ** 2)))
            size = float(np.sqrt(np.mean(exact[name] ** 2)))
            before = max((error.error for error in errors), default=0.0)
            errors.append(LayerError(name, apart / max(size, 1e-9), before))
    return errors


def blamed(pairs: Sequence[tuple[GraphPair, Mapping[str, Float32]]], window: int, apart: float) -> str:
    """One clause: which window is farthest off, and which layer loses most on it.

    Args:
        pairs: each graph of the network, and what this window gives its inputs.
        window: its number.
        apart: how far its probability is off.
    """
    errors = [error for pair, inputs in pairs for error in layer_errors(pair, inputs)]
    where = f"agreement window {window} is farthest off, by {apart:.3f}"
    if not errors:
        return where
    lost = max(errors, key=lambda error: error.error - error.before)
    return f"{where}; layer {lost.name} loses most there, {lost.error:.0%} of its values' size after {lost.before:.0%}"


def _values(network: bytes, window: Mapping[str, Float32]) -> dict[str, Float32]:
    """Every tensor that is computed, by name, as real numbers."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=network,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    inputs = interpreter.get_signature_runner().get_input_details()
    for name, values in window.items():
        detail = inputs[name]
        interpreter.set_tensor(detail["index"], _quantized(values, detail))
    interpreter.invoke()
    graph = read_graph(network)
    computed = {index for operation in graph.operations for index in operation.outputs}
    details = [detail for detail in interpreter.get_tensor_details() if detail["index"] in computed]
    return {detail["name"]: _real(interpreter.get_tensor(detail["index"]), detail) for detail in details}


def _quantized(values: Float32, detail: Any) -> Any:
    scale, zero_point = detail["quantization"]
    if detail["dtype"] is np.float32:
        return values
    return np.clip(np.rint(values / scale) + zero_point, -128, 127).astype(np.int8)


def _real(values: Any, detail: Any) -> Float32:
    scale, zero_point = detail["quantization"]
    real = np.asarray(values, np.float32)
    return (real - np.float32(zero_point)) * np.float32(scale) if scale else real
