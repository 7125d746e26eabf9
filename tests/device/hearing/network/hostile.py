"""Bundles whose network means harm, or is damaged, with all sizes and hashes made to fit: made from a committed one."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from device.hearing.bundle.archive import join_archive, split_archive
from device.hearing.bundle.manifest import HEAD_ENTRY
from tests.device.hearing.bundle.altered import edited

if TYPE_CHECKING:
    from collections.abc import Callable

_DATA = Path(__file__).resolve().parents[3] / "data"
TINY_LOW, TINY_TONE = _DATA / "tiny-low.tflite", _DATA / "tiny-tone.tflite"
CARRYING_CRY, CARRYING_SCREAM = _DATA / "carrying-cry.tflite", _DATA / "carrying-scream.tflite"


def with_network(file: bytes, network: bytes) -> bytes:
    """The bundle with another network, or another backbone; manifest, a head's need and archive made to fit."""
    entries = dict(split_archive(file).entries)
    manifest = json.loads(entries.pop("manifest.json"))
    manifest["network"] = {"bytes": len(network), "sha256": hashlib.sha256(network).hexdigest()}
    if "head" in manifest:
        manifest["head"]["backbone_sha256"] = manifest["network"]["sha256"]
    return join_archive(network, {"manifest.json": json.dumps(manifest).encode()} | entries)


def with_head(file: bytes, head: bytes) -> bytes:
    """The bundle in two parts with another head, its manifest and archive made to fit."""
    return edited(file, lambda _, entries: entries.__setitem__(HEAD_ENTRY, head))


def head_of(file: bytes) -> bytes:
    """The second part of a bundle in two."""
    return split_archive(file).entries[HEAD_ENTRY]


def edited_network(network: bytes, edit: Callable[[Any], None]) -> bytes:
    """The network with its model, as LiteRT's own schema reads it, changed in place."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(network), 0)
    edit(model)
    builder = flatbuffers.Builder(len(network) + 1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def hostile(file: bytes, edit: Callable[[Any], None]) -> bytes:
    """The bundle with its network's model changed."""
    return with_network(file, edited_network(split_archive(file).network, edit))


def hostile_head(file: bytes, edit: Callable[[Any], None]) -> bytes:
    """The bundle in two parts with the model of its head changed."""
    return with_head(file, edited_network(head_of(file), edit))


# --- what an attacker changes


def signature_outside(model: Any) -> None:
    model.signatureDefs[0].subgraphIndex = 7


def signature_beyond_the_tensors(model: Any) -> None:
    model.signatureDefs[0].outputs[0].tensorIndex = 2**31 - 1


def endless_loop(model: Any) -> None:
    """The scores pass through a WHILE whose condition is a constant: true."""
    always = add_buffer(model, b"\1")
    scores = scores_tensor(model)
    for is_condition in (True, False):
        graph = schema.SubGraphT()
        graph.name = b"condition" if is_condition else b"body"
        graph.tensors = [_copy_of(scores)]
        graph.operators = []
        if is_condition:
            graph.tensors.append(_tensor(b"always", (1,), schema.TensorType.BOOL, always))
        graph.inputs, graph.outputs = [0], [len(graph.tensors) - 1]
        model.subgraphs.append(graph)
    options = schema.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = 1, 2
    output = add_tensor(model, _copy_of(scores))
    _add_operation(
        model,
        schema.BuiltinOperator.WHILE,
        [scores_index(model)],
        output,
        (schema.BuiltinOptions.WhileOptions, options),
    )
    _let_scores_be(model, output)


def gigantic_fill(model: Any) -> None:
    """A further output of 40,000 x 40,000 numbers, which a FILL writes."""
    size = add_tensor(
        model, _tensor(b"size", (3,), schema.TensorType.INT32, add_buffer(model, struct.pack("<3i", 1, 40_000, 40_000)))
    )
    value = add_tensor(model, _tensor(b"value", (), schema.TensorType.INT8, add_buffer(model, b"\7")))
    filled = add_tensor(model, _tensor(b"filled", (1, 40_000, 40_000), schema.TensorType.INT8, 0))
    _add_operation(
        model,
        schema.BuiltinOperator.FILL,
        [size, value],
        filled,
        (schema.BuiltinOptions.FillOptions, schema.FillOptionsT()),
    )
    _add_output(model, filled, b"filled")


def name_not_utf8(model: Any) -> None:
    model.subgraphs[0].tensors[scores_index(model)].name = b"\xff\xfe"


def scalar_extra_output(model: Any) -> None:
    scalar = add_tensor(model, _tensor(b"scalar", (), schema.TensorType.FLOAT32, add_buffer(model, bytes(4))))
    _add_output(model, scalar, b"scalar")


def dynamic_output(model: Any) -> None:
    scores = scores_tensor(model)
    scores.shapeSignature = np.array([-1, *list(scores.shape)[1:]], np.int32)


def tensor_of_6_gb(model: Any) -> None:
    model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].shape = np.array([1, 60_000, 100_000, 1], np.int32)


def padded_to_6_gb(model: Any) -> None:
    """The shapes in the file are small; what a PAD makes of them is not."""
    features = model.subgraphs[0].inputs[0]
    widths = struct.pack("<8i", 0, 0, 0, 60_000, 0, 100_000, 0, 0)
    by = add_tensor(model, _tensor(b"by", (4, 2), schema.TensorType.INT32, add_buffer(model, widths)))
    padded = add_tensor(model, _copy_of(model.subgraphs[0].tensors[features]))
    _add_operation(
        model,
        schema.BuiltinOperator.PAD,
        [features, by],
        padded,
        (schema.BuiltinOptions.PadOptions, schema.PadOptionsT()),
    )
    _add_output(model, padded, b"padded")


def long_work(model: Any) -> None:
    """Nothing that a network may not have: 14 products of matrices of 1024 x 1024 numbers, 15 billion steps."""
    wide = 1024
    weights = add_buffer(model, np.full((wide, wide), 1e-3, np.float32).tobytes())
    weights_at = at = add_tensor(model, _tensor(b"weights", (1, wide, wide), schema.TensorType.FLOAT32, weights))
    for number in range(14):
        product = add_tensor(model, _tensor(b"product%d" % number, (1, wide, wide), schema.TensorType.FLOAT32, 0))
        options = (schema.BuiltinOptions.BatchMatMulOptions, schema.BatchMatMulOptionsT())
        _add_operation(model, schema.BuiltinOperator.BATCH_MATMUL, [at, weights_at], product, options)
        at = product
    _add_output(model, at, b"product")


REPORTED = {
    "signature outside its subgraphs": (signature_outside, "refers to number 7 of its 1 subgraphs"),
    "signature beyond its tensors": (
        signature_beyond_the_tensors,
        "refers to number 2147483647 of its 18 tensors",
    ),
    "endless loop": (endless_loop, "has 3 graphs and 1 signature, must have one of each"),
    "gigantic fill": (gigantic_fill, "tensor 'filled' takes 1600000000 bytes, may take 16777216"),
    "name not UTF-8": (name_not_utf8, "a name is not UTF-8"),
    "scalar extra output": (scalar_extra_output, "has shape (), its first axis must be the batch of 1"),
    "dynamic output": (dynamic_output, "has a size that is not fixed; convert the network with fixed shapes"),
    "tensor of 6 GB": (tensor_of_6_gb, "takes 6000000000 bytes, may take 16777216"),
}
"""What was reported: the change, and a part of the sentence that refuses it."""


# --- how


def scores_index(model: Any) -> int:
    """The tensor of the scores."""
    return int(next(item.tensorIndex for item in model.signatureDefs[0].outputs if item.name == b"scores"))


def scores_tensor(model: Any) -> Any:
    """The scores."""
    return model.subgraphs[0].tensors[scores_index(model)]


def add_buffer(model: Any, data: bytes) -> int:
    """Add a constant; its number."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def add_tensor(model: Any, tensor: Any) -> int:
    """Add a tensor to the first graph; its number."""
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


def _tensor(name: bytes, shape: tuple[int, ...], kind: int, buffer: int) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, np.array(shape, np.int32), kind, buffer
    tensor.hasRank = True
    return tensor


def _copy_of(other: Any) -> Any:
    tensor = _tensor(other.name, tuple(other.shape), other.type, 0)
    tensor.quantization = other.quantization
    return tensor


def _add_operation(model: Any, builtin: int, inputs: list[int], output: int, options: tuple[int, Any]) -> None:
    operation = schema.OperatorT()
    operation.opcodeIndex = _operator_code(model, builtin)
    operation.inputs, operation.outputs = inputs, [output]
    operation.builtinOptionsType, operation.builtinOptions = options
    model.subgraphs[0].operators.append(operation)


def _operator_code(model: Any, builtin: int) -> int:
    for number, code in enumerate(model.operatorCodes):
        if code.builtinCode == builtin:
            return number
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _let_scores_be(model: Any, tensor: int) -> None:
    graph, before = model.subgraphs[0], scores_index(model)
    graph.outputs = [tensor if index == before else int(index) for index in graph.outputs]
    next(item for item in model.signatureDefs[0].outputs if item.name == b"scores").tensorIndex = tensor


def _add_output(model: Any, tensor: int, name: bytes) -> None:
    model.subgraphs[0].outputs = [*map(int, model.subgraphs[0].outputs), tensor]
    item = schema.TensorMapT()
    item.name, item.tensorIndex = name, tensor
    model.signatureDefs[0].outputs.append(item)
