"""Describes a bundle for a person to read: labels, features, operations, tensors, steps, sizes, cost."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from converter.inspection.graph_cost import BOARDS, estimated_ms, operation_costs
from device.hearing.network.graph import read_graph
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from device.hearing.bundle.contents import Bundle
    from device.hearing.network.graph import Graph, Tensor


MOST_LAYERS = 60


def describe(bundle: Bundle) -> str:
    """Several lines of text."""
    named = graphs(bundle)
    lines = [*_head(bundle, named.values())]
    for name, graph in named.items():
        lines += [f"--- {name}"] if name else []
        lines += [line for part in (_operations, _edges, _layers, _coarsest) for line in part(graph)]
    return "\n".join([*lines, *_time(list(named.values()))])


def graphs(bundle: Bundle) -> dict[str, Graph]:
    """The graphs of a bundle by the names of its parts; the name of the only one is empty."""
    if bundle.head is None:
        return {"": read_graph(bundle.network)}
    return {"backbone": read_graph(bundle.network), "head": read_graph(bundle.head.network)}


def _head(bundle: Bundle, graphs: Iterable[Graph]) -> Iterator[str]:
    yield f"{bundle.name} {bundle.version}, {bundle.sample_rate_hz} Hz, windows of {bundle.window_samples} samples"
    yield f"sha256 {bundle.sha256}{f', says it was signed with key {bundle.signer}' if bundle.signer else ''}"
    constants = sum(graph.weight_bytes for graph in graphs)
    yield f"network {bundle.network_bytes} bytes, {constants} of them constants; {bundle.output} out"
    if bundle.head is not None:
        shape = bundle.head.shape
        yield f"carries a past of {shape.steps} x {shape.size} from window to window, {bundle.head.hop_s:g} s apart"
        digest = sha256(bundle.network).hexdigest()
        yield f"backbone {len(bundle.network)} bytes, gives {shape.embedding}, sha256 {digest}"
    for label in bundle.labels:
        point = label.operating_point
        yield f"label {label.name}: {label.role}, {label.priority}, on {point.on:g}, off {point.off:g}"
    for ordinal, spec in enumerate(bundle.specs):
        kind = f"{spec.n_mfcc} MFCC of {spec.n_mels} mel" if spec.n_mfcc else f"{spec.n_mels} log-mel"
        yield f"input_{ordinal}: {spec.frame_count} x {spec.bins}, {kind}, hop {spec.hop}, hash {spec.spec_hash}"
    yield "golden cases: " + ", ".join(
        f"{case.name} ({', '.join(f'{p:.3f}' for p in case.probabilities)})" for case in bundle.golden
    )
    for each in bundle.sequences:
        yield f"golden sequence: {each.name}, {quantity(len(each.probabilities), 'window')}"


def _operations(graph: Graph) -> Iterator[str]:
    yield f"{quantity(len(graph.operations), 'operation')}:"
    for name, count in sorted(graph.counts.items(), key=lambda item: -item[1]):
        yield f"  {count:4d} {name}"


def _edges(graph: Graph) -> Iterator[str]:
    for what, indices in (("in", graph.inputs), ("out", graph.outputs)):
        for index in indices:
            yield f"{what:>3} {_tensor_line(graph.tensors[index])}"


def _layers(graph: Graph) -> Iterator[str]:
    """Every operation that holds constants or multiplies, the costliest first if there are many."""
    costs = [cost for cost in operation_costs(graph) if cost.macs or cost.constant_bytes]
    chosen = sorted(costs, key=lambda cost: -(cost.macs + cost.constant_bytes))[:MOST_LAYERS]
    left_out = quantity(len(costs) - len(chosen), "smaller one is left out", "smaller ones are left out")
    yield f"layers with constants or multiplications ({left_out}):" if len(costs) > len(chosen) else "layers:"
    yield f"  {'no':>4} {'operation':<18} {'bytes':>9} {'MAC':>12}  result"
    for cost in sorted(chosen, key=lambda cost: cost.number):
        result = _tensor_line(graph.tensors[cost.operation.outputs[0]])
        yield f"  {cost.number:4d} {cost.operation.name:<18} {cost.constant_bytes:9d} {cost.macs:12d}  {result}"


def _time(graphs: Sequence[Graph]) -> Iterator[str]:
    total = sum(cost.macs for graph in graphs for cost in operation_costs(graph))
    yield f"{total / 1e6:.2f} million multiplications (MAC); one core, by arithmetic and not measured:"
    for board in BOARDS:
        best, worst = estimated_ms(total, board)
        reached = f"{board.low:.3g}" if board.low == board.high else f"{board.low:.3g} to {board.high:.3g}"
        times = f"{best:.2f}" if best == worst else f"{best:.2f} to {worst:.2f}"
        yield f"  {board.name:<12} {total / 1e6:.2f} M / {reached} G a second = {times} ms   ({board.why})"
    count = sum(len(graph.operations) for graph in graphs)
    yield f"  and what each of the {count} operations costs besides, which is not in it"


def _coarsest(graph: Graph) -> Iterator[str]:
    """The activations whose int8 steps are widest: most precision is lost there."""
    activations = [tensor for tensor in graph.tensors if len(tensor.scales) == 1 and not tensor.constant_bytes]
    yield "widest steps:"
    for tensor in sorted(activations, key=lambda item: -item.scales[0])[:5]:
        yield f"    {_tensor_line(tensor)}"


def _tensor_line(tensor: Tensor) -> str:
    shape = " x ".join(map(str, tensor.shape)) or "scalar"
    steps = f", step {tensor.scales[0]:.4g}, zero at {tensor.zero_points[0]}" if tensor.scales else ""
    return f"{tensor.kind} {shape}{steps} ({tensor.name[:60]})"
