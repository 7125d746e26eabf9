"""Each law of what the device runs: what breaks it is refused in one sentence, and what the house makes passes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from device.errors import BundleError
from device.hearing.bundle.archive import split_archive
from device.hearing.bundle.reader import decode_bundle, read_bundle
from device.hearing.network.check import check_network
from device.hearing.network.graph import Graph, Operation, Signature, Tensor, read_graph
from device.hearing.network.operators import OPERATORS, OPERATORS_RUN, TENSOR_TYPES
from device.runtime.model_library import shipped_bundles
from tests.device.hearing.network import hostile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHAPE = (1, 4, 3, 1)


def _tensor(name: str, shape: tuple[int, ...] = SHAPE, **other: Any) -> Tensor:
    return replace(Tensor(name, "INT8", shape, (0.5,), (0,), 0), **other)


GOOD = Graph(
    operations=(Operation("RELU", "", (0,), (1,)), Operation("MEAN", "", (1, 3), (2,))),
    tensors=(
        _tensor("in"), _tensor("middle"), _tensor("out", (1, 2)),
        Tensor("axes", "INT32", (2,), (), (), 8),
    ),
    inputs=(0,),
    outputs=(2,),
    signatures=(Signature((("input_0", 0),), (("scores", 2),)),),
)  # fmt: skip


def _checked(graph: Graph) -> None:
    check_network(graph, {"input_0": SHAPE}, {"scores": (1, 2)})


def _with(index: int, **changes: Any) -> Graph:
    tensors = list(GOOD.tensors)
    tensors[index] = replace(tensors[index], **changes)
    return replace(GOOD, tensors=tuple(tensors))


def _signed(inputs: Any = (("input_0", 0),), outputs: Any = (("scores", 2),)) -> Graph:
    return replace(GOOD, signatures=(Signature(tuple(inputs), tuple(outputs)),))


def _operated(*operations: Operation) -> Graph:
    return replace(GOOD, operations=operations)


RELU, MEAN = GOOD.operations
BROKEN = {
    "two graphs": (replace(GOOD, subgraphs=2), "has 2 graphs and 1 signature,"),
    "no signature": (replace(GOOD, signatures=()), "has 1 graph and 0 signatures,"),
    "a string": (_with(1, kind="STRING"), "'middle' is STRING, must be one of FLOAT32"),
    "an open axis": (_with(1, varies=True), "size that is not fixed"),
    "a variable": (_with(1, is_variable=True), "keeps its value between windows"),
    "an empty axis": (_with(1, shape=(1, 0)), "has shape (1, 0), sizes must be 1 or more"),
    "a negative axis": (_with(1, shape=(-1, 4)), "has shape (-1, 4), sizes must be 1 or more"),
    "nine axes": (_with(1, shape=(1,) * 9), "on 8 axes at most"),
    "large": (_with(1, shape=(2**24 + 1,)), "takes 16777217 bytes, may take 16777216"),
    "a constant too short": (_with(3, constant_bytes=4), "takes 8 bytes, the file holds 4"),
    "a scale of infinity": (_with(1, scales=(float("inf"),)), "a scale that is not finite"),
    "a scale below 0": (_with(1, scales=(-1.0,)), "or below 0"),
    "zero points too many": (_with(1, zero_points=(0, 0)), "zero points that do not fit"),
    "a zero point far off": (_with(1, zero_points=(2**40,)), "zero points that do not fit"),
    "scales on no axis": (_with(1, scales=(1.0,) * 5, zero_points=(0,) * 5), "5 scales, which fit none"),
    "an input twice": (replace(GOOD, inputs=(0, 0)), "constants, or listed twice"),
    "an input that is constant": (replace(GOOD, inputs=(0, 3)), "constants, or listed twice"),
    "an output of nothing": (_operated(RELU), "an output that no operation computes"),
    "out of order": (_operated(MEAN, RELU), "reads what nothing has computed"),
    "written twice": (_operated(RELU, RELU, MEAN), "writes over another tensor"),
    "a constant written": (_operated(RELU, Operation("RELU", "", (0,), (3,)), MEAN), "writes over another tensor"),
    "without outputs": (_operated(RELU, Operation("RELU", "", (0,), ()), MEAN), "without inputs or outputs"),
    "custom": (_operated(RELU, MEAN, Operation("CUSTOM", "Rm -rf", (0,), (1,))), "a 'Rm -rf' operation, which"),
    "another input": (_signed(inputs=[("features", 0)]), "inputs are features, the specs need input_0"),
    "no scores": (_signed(outputs=[("embedding", 2)]), "no output 'scores', only embedding"),
    "a name with an escape": (_signed(outputs=[("scores", 2), ("\x1b[2J", 2)]), r"named '\x1b[2J', must be"),
    "a name twice": (_signed(outputs=[("scores", 2), ("scores", 2)]), "two outputs of one name"),
    "another tensor as input": (_signed(inputs=[("input_0", 1)]), "that are not its inputs and outputs"),
    "another tensor as output": (_signed(outputs=[("scores", 1)]), "that are not its inputs and outputs"),
    "another shape of input": (_with(0, shape=(1, 4, 4, 1)), "input_0 has shape (1, 4, 4, 1), labels and specs need"),
    "another number of scores": (_with(2, shape=(1, 3)), "scores has shape (1, 3), labels and specs need (1, 2)"),
    "scores in int32": (_with(2, kind="INT32"), "scores is INT32, must be INT8 or FLOAT32"),
    "scores with a scale of 0": (_with(2, scales=(0.0,)), "must have one above 0"),
}  # fmt: skip


def test_what_keeps_every_law_passes() -> None:
    _checked(GOOD)


@pytest.mark.parametrize(("graph", "sentence"), BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks_a_law_is_refused(graph: Graph, sentence: str) -> None:
    with pytest.raises(BundleError, match=re.escape(sentence)):
        _checked(graph)


def test_all_tensors_together_are_bounded() -> None:
    large = [_tensor(f"large {number}", (2**24,)) for number in range(5)]
    with pytest.raises(BundleError, match="tensors take 83886"):
        _checked(replace(GOOD, tensors=(*GOOD.tensors, *large)))


def test_no_operation_that_the_device_runs_loops_branches_calls_keeps_state_or_is_custom() -> None:
    dangerous = "WHILE IF CALL CALL_ONCE CUSTOM DELEGATE FILL TILE RANGE BROADCAST_TO GATHER VAR_HANDLE ASSIGN_VARIABLE"
    assert set(dangerous.split()) <= set(OPERATORS)
    assert not set(dangerous.split()) & set(OPERATORS_RUN)


def test_names_and_numbers_are_those_of_the_schema_that_litert_ships() -> None:
    assert [getattr(schema.BuiltinOperator, name) for name in OPERATORS] == list(range(len(OPERATORS)))
    assert [getattr(schema.TensorType, name) for name in TENSOR_TYPES] == list(range(len(TENSOR_TYPES)))
    assert set(OPERATORS_RUN) <= set(OPERATORS)


@pytest.mark.parametrize("path", [*shipped_bundles().values(), hostile.TINY_LOW, hostile.TINY_TONE], ids=str)
def test_our_reader_agrees_with_that_of_litert(path: Path) -> None:
    network = read_bundle(path).network
    graph, model = read_graph(network), schema.ModelT.InitFromPackedBuf(bytearray(network), 0)
    main = model.subgraphs[0]
    assert [tensor.name for tensor in graph.tensors] == [tensor.name.decode() for tensor in main.tensors]
    assert [tensor.shape for tensor in graph.tensors] == [
        () if tensor.shape is None else tuple(tensor.shape) for tensor in main.tensors
    ]
    assert [operation.outputs for operation in graph.operations] == [tuple(item.outputs) for item in main.operators]
    assert (graph.inputs, graph.outputs) == (tuple(main.inputs), tuple(main.outputs))
    for operation, item in zip(graph.operations, main.operators, strict=True):
        if operation.name == "CONV_2D":
            options = item.builtinOptions
            assert operation.options["stride_w"] == options.strideW
            assert operation.options["dilation_h"] == options.dilationHFactor


@pytest.mark.parametrize(("edit", "sentence"), hostile.REPORTED.values(), ids=hostile.REPORTED.keys())
def test_what_was_reported_is_refused_before_a_runtime_sees_it(
    edit: Callable[[Any], None], sentence: str, tiny_low_bundle_path: Path
) -> None:
    with pytest.raises(BundleError, match=re.escape(sentence)):
        decode_bundle(hostile.hostile(tiny_low_bundle_path.read_bytes(), edit))


def _stride(model: Any) -> None:
    next(
        item for item in model.subgraphs[0].operators if hasattr(item.builtinOptions, "strideW")
    ).builtinOptions.strideW = 0


def _state(model: Any) -> None:
    model.subgraphs[0].operators[0].intermediates = np.array([0], np.int32)


def _omission(model: Any) -> None:
    """Found by mutation 2850: kernels read weights that are not there, and crash five times out of six."""
    inputs = list(model.subgraphs[0].operators[-1].inputs)
    model.subgraphs[0].operators[-1].inputs = [inputs[0], -1, inputs[2]]


def _outside(model: Any) -> None:
    model.buffers[1].offset, model.buffers[1].size = 4096, 4096


def _another_operation(model: Any) -> None:
    model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.SOFTMAX


def _unknown_operation(model: Any) -> None:
    model.operatorCodes[0].builtinCode = 4711


def _schema(model: Any) -> None:
    model.version = 2


def _no_graph(model: Any) -> None:
    model.subgraphs, model.signatureDefs = [], []


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (_stride, "operation has stride_w 0, must be 1 to 65536"),
        (_state, "has options or state that the device does not know"),
        (_omission, "FULLY_CONNECTED operation omits an input that it needs"),
        (_outside, "keeps constants outside its flatbuffer"),
        (_another_operation, "SOFTMAX operation has options of another operation"),
        (_unknown_operation, "uses operation 4711, which the device does not know"),
        (_schema, "has schema version 2, must have 3"),
        (_no_graph, "has no graph"),
    ],
)
def test_what_a_runtime_would_take_unseen_is_refused(edit: Callable[[Any], None], sentence: str) -> None:
    network = split_archive(hostile.TINY_LOW.read_bytes()).network
    with pytest.raises(BundleError, match=re.escape(sentence)):
        read_graph(hostile.edited_network(network, edit))


def test_a_network_written_anew_from_its_graph_is_read_alike(tiny_low_bundle_path: Path) -> None:
    file = tiny_low_bundle_path.read_bytes()
    again = decode_bundle(hostile.hostile(file, lambda _model: None))
    assert read_graph(again.network) == read_graph(decode_bundle(file).network)
