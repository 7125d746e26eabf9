"""Describes a bundle for a person to read: labels, features, operations, tensors, quantization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.hearing.network.graph import read_graph
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.hearing.bundle.contents import Bundle
    from device.hearing.network.graph import Graph, Tensor


def describe(bundle: Bundle) -> str:
    """Several lines of text."""
    graph = read_graph(bundle.network)
    return "\n".join([*_head(bundle, graph), *_operations(graph), *_edges(graph), *_coarsest(graph)])


def _head(bundle: Bundle, graph: Graph) -> Iterator[str]:
    yield f"{bundle.name} {bundle.version}, {bundle.sample_rate_hz} Hz, windows of {bundle.window_samples} samples"
    yield f"sha256 {bundle.sha256}"
    yield f"network {len(bundle.network)} bytes, {graph.weight_bytes} of them constants; {bundle.output} out"
    for label in bundle.labels:
        point = label.operating_point
        yield f"label {label.name}: {label.role}, {label.priority}, on {point.on:g}, off {point.off:g}"
    for ordinal, spec in enumerate(bundle.specs):
        kind = f"{spec.n_mfcc} MFCC of {spec.n_mels} mel" if spec.n_mfcc else f"{spec.n_mels} log-mel"
        yield f"input_{ordinal}: {spec.frame_count} x {spec.bins}, {kind}, hop {spec.hop}, hash {spec.spec_hash}"
    yield "golden cases: " + ", ".join(
        f"{case.name} ({', '.join(f'{p:.3f}' for p in case.probabilities)})" for case in bundle.golden
    )


def _operations(graph: Graph) -> Iterator[str]:
    yield f"{quantity(len(graph.operations), 'operation')}:"
    for name, count in sorted(graph.counts.items(), key=lambda item: -item[1]):
        yield f"  {count:4d} {name}"


def _edges(graph: Graph) -> Iterator[str]:
    for what, indices in (("in", graph.inputs), ("out", graph.outputs)):
        for index in indices:
            yield f"{what:>3} {_tensor_line(graph.tensors[index])}"


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
