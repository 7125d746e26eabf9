"""Chooses layers that stay in float by the error that was measured, and converts a network with them."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from converter.convert_graphs import graph_inputs
from converter.gate import check_graph
from converter.inspection.graph_cost import operation_costs
from converter.layer_errors import GraphPair, layer_errors
from converter.predictions import Graphs, converted_probabilities, sampled_windows
from converter.quantize import to_selective
from device.hearing.network.graph import read_graph

if TYPE_CHECKING:
    from collections.abc import Iterable

    from converter.convert_graphs import Converted
    from converter.training_output import TrainingOutput

_MEASURED_WINDOWS = 8
"""Those farthest off, of the sampled agreement windows."""


def ranked_layers(networks: Converted, trained: TrainingOutput) -> list[str]:
    """Names of the layers of an int8 network that lose something, the one that loses most first.

    A layer's loss is its error less the largest one before it, mean over the windows that are farthest off.
    """
    sampled = sampled_windows(trained)
    apart = np.abs(converted_probabilities(trained, networks.quantized, sampled) - networks.as_float[sampled])
    worst = np.argsort(-apart.max(axis=1), kind="stable")[:_MEASURED_WINDOWS]
    pair = GraphPair(networks.in_float.network, networks.quantized.network)
    lost: defaultdict[str, float] = defaultdict(float)
    for place in worst:
        (inputs,) = graph_inputs(networks, trained, sampled[place])
        for error in layer_errors(pair, inputs):
            lost[error.name] += max(0.0, error.error - error.before)
    return sorted((name for name in lost if lost[name] > 0), key=lambda name: -lost[name])


def with_producers(network: bytes, names: Iterable[str]) -> list[str]:
    """The layers, and those whose values they read: coarse steps of what a layer reads may be what it loses."""
    graph, wanted = read_graph(network), set(names)
    made_by = {index: operation for operation in graph.operations for index in operation.outputs}
    kept = []
    for operation in graph.operations:
        if graph.tensors[operation.outputs[0]].name in wanted:
            before = [made_by[index].outputs[0] for index in operation.inputs if index in made_by]
            kept += [graph.tensors[index].name for index in (*before, operation.outputs[0])]
    return list(dict.fromkeys(kept))


def holds_int8(network: bytes, kept: Iterable[str]) -> bool:
    """Whether a layer that multiplies is left in int8 with these in float; without one nothing is gained."""
    graph = read_graph(network)
    multiplying = {graph.tensors[cost.operation.outputs[0]].name for cost in operation_costs(graph) if cost.macs}
    return not multiplying <= set(kept)


def selectively(networks: Converted, trained: TrainingOutput, kept: list[str]) -> Converted:
    """A network in one part, converted anew with these layers in float.

    Raises:
        BundleError: TensorFlow cannot convert it, or its graph is not what the device runs.
    """
    network = to_selective(networks.rebuilt, trained.calibration, kept)
    check_graph(read_graph(network), is_int8=False)
    return dataclasses.replace(networks, quantized=Graphs(network), quantization="selective")
