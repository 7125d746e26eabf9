"""What a network must be for the device to run it; each refusal is one sentence.

The laws: one graph and one signature; only operations of `OPERATORS_RUN`; no state; every size fixed and bounded;
every operation reads what was there before it; inputs and scores as the manifest lists them. What a runtime makes of
the shapes itself is bounded by the trial that follows (`device.runtime.bundle_trial`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from device.errors import BundleError
from device.hearing.network.operators import OPERATORS_RUN
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from device.hearing.network.graph import Graph, Operation, Signature, Tensor

    Shapes = Mapping[str, tuple[int, ...]]

MAX_RANK = 8
MAX_TENSOR_BYTES = 16 * 2**20
MAX_ALL_BYTES = 64 * 2**20
"""Of all tensors that are computed, were none of their memory used twice; the shipped model needs 0.6 MB."""

SCORES = "scores"
"""Name of the network's output with one score per label; other outputs are extras. Inputs are `input_0`, ..."""

MAX_NAME = 128

_BYTES = {"FLOAT32": 4, "FLOAT16": 2, "INT32": 4, "INT64": 8, "INT16": 2, "INT8": 1, "UINT8": 1, "BOOL": 1}
_EDGES = ("INT8", "FLOAT32")


def check_network(graph: Graph, inputs: Shapes, outputs: Shapes) -> None:
    """Refuse a network that the device does not run, or that does not fit its manifest.

    Args:
        graph: of the network.
        inputs: name -> shape of every input, with the axes for batch and channel.
        outputs: name -> shape of the outputs that it must have; others are extras.

    Raises:
        BundleError: the first law that does not hold.
    """
    if graph.subgraphs != 1 or len(graph.signatures) != 1:
        graphs, signatures = quantity(graph.subgraphs, "graph"), quantity(len(graph.signatures), "signature")
        raise BundleError(f"the network has {graphs} and {signatures}, must have one of each")
    for tensor in graph.tensors:
        _check_tensor(tensor)
    total = sum(_size(tensor) for tensor in graph.tensors if not tensor.constant_bytes)
    if total > MAX_ALL_BYTES:
        raise BundleError(f"the network's tensors take {total} bytes, may take {MAX_ALL_BYTES}")
    _check_order(graph)
    _check_edges(graph, graph.signatures[0], inputs, outputs)


def _check_tensor(tensor: Tensor) -> None:
    where = f"the network's tensor {tensor.name!r:.60}"
    if tensor.kind not in _BYTES:
        raise BundleError(f"{where} is {tensor.kind}, must be one of {', '.join(_BYTES)}")
    if tensor.varies:
        raise BundleError(f"{where} has a size that is not fixed; convert the network with fixed shapes")
    if tensor.is_variable:
        raise BundleError(f"{where} keeps its value between windows, which the device does not support")
    if len(tensor.shape) > MAX_RANK or any(size < 1 for size in tensor.shape):
        raise BundleError(f"{where} has shape {tensor.shape!s:.80}, sizes must be 1 or more on {MAX_RANK} axes at most")
    size = _size(tensor)
    if size > MAX_TENSOR_BYTES:
        raise BundleError(f"{where} takes {size} bytes, may take {MAX_TENSOR_BYTES}")
    if tensor.constant_bytes not in (0, size):
        raise BundleError(f"{where} takes {size} bytes, the file holds {tensor.constant_bytes}")
    _check_quantization(tensor, where)


def _size(tensor: Tensor) -> int:
    return math.prod(tensor.shape) * _BYTES[tensor.kind]


def _check_quantization(tensor: Tensor, where: str) -> None:
    scales, points = tensor.scales, tensor.zero_points
    if not all(math.isfinite(scale) and scale >= 0 for scale in scales):
        raise BundleError(f"{where} has a scale that is not finite, or below 0")
    if len(points) not in (0, len(scales)) or any(abs(point) > 2**15 for point in points):
        raise BundleError(f"{where} has zero points that do not fit its scales")
    if len(scales) > 1:
        axis = tensor.channel_axis
        if not 0 <= axis < len(tensor.shape) or len(scales) != tensor.shape[axis]:
            raise BundleError(f"{where} has {len(scales)} scales, which fit none of its axes {tensor.shape!s:.80}")


def _check_order(graph: Graph) -> None:
    """Every operation is one that the device runs, reads what is there, and alone writes what it writes."""
    written = {index for index, tensor in enumerate(graph.tensors) if tensor.constant_bytes}
    for index in graph.inputs:
        if index in written:
            raise BundleError("the network's inputs are constants, or listed twice")
        written.add(index)
    for operation in graph.operations:
        _check_operation(operation, written)
        written.update(operation.outputs)
    if not written.issuperset(graph.outputs):
        raise BundleError("the network has an output that no operation computes")


def _check_operation(operation: Operation, written: set[int]) -> None:
    if operation.name not in OPERATORS_RUN:
        name = operation.custom_name or operation.name
        raise BundleError(
            f"the network has a {name!r:.60} operation, which the device does not run; convert it without"
        )
    if not operation.outputs or not operation.inputs:
        raise BundleError(f"the network has a {operation.name} operation without inputs or outputs")
    if not written.issuperset(operation.inputs):
        raise BundleError(f"the network has a {operation.name} operation that reads what nothing has computed")
    if len(set(operation.outputs)) != len(operation.outputs) or not written.isdisjoint(operation.outputs):
        raise BundleError(f"the network has a {operation.name} operation that writes over another tensor")


def _check_edges(graph: Graph, signature: Signature, wanted: Shapes, must_give: Shapes) -> None:
    inputs, outputs = _by_name(signature.inputs, "input"), _by_name(signature.outputs, "output")
    if set(inputs) != set(wanted):
        raise BundleError(
            f"the network's inputs are {', '.join(sorted(inputs))}, the specs need {', '.join(sorted(wanted))}"
        )
    for name in must_give:
        if name not in outputs:
            raise BundleError(f"the network has no output {name!r}, only {', '.join(sorted(outputs))}")
    if sorted(inputs.values()) != sorted(graph.inputs) or not set(outputs.values()) <= set(graph.outputs):
        raise BundleError("the network's signature names tensors that are not its inputs and outputs")
    for name, shape in wanted.items():
        _check_edge(graph.tensors[inputs[name]], name, shape)
    for name, index in outputs.items():
        _check_edge(graph.tensors[index], name, must_give.get(name))


def _by_name(named: Sequence[tuple[str, int]], what: str) -> dict[str, int]:
    for name, _ in named:
        if not 0 < len(name) <= MAX_NAME or not (name.isascii() and name.isprintable()):
            raise BundleError(f"the network has an {what} named {name!r:.60}, must be 1 to {MAX_NAME} ASCII characters")
    found = dict(named)
    if len(found) != len(named):
        raise BundleError(f"the network has two {what}s of one name")
    return found


def _check_edge(tensor: Tensor, name: str, shape: tuple[int, ...] | None) -> None:
    where = f"the network's {name}"
    if shape is not None and tensor.shape != shape:
        raise BundleError(f"{where} has shape {tensor.shape}, labels and specs need {shape}")
    if tensor.shape[:1] != (1,):
        raise BundleError(f"{where} has shape {tensor.shape}, its first axis must be the batch of 1")
    if tensor.kind not in _EDGES:
        raise BundleError(f"{where} is {tensor.kind}, must be INT8 or FLOAT32")
    if tensor.kind == "INT8" and not (len(tensor.scales) == 1 == len(tensor.zero_points) and tensor.scales[0] > 0):
        raise BundleError(f"{where} has scales {list(tensor.scales)!s:.60}, must have one above 0, and a zero point")
