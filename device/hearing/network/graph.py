"""The operations, tensors and signatures of a TensorFlow Lite file, read from bytes that nobody has verified.

Field numbers are those of TensorFlow Lite's `schema.fbs`, version 3. Everything that a runtime reads is read here, so a
graph that was returned lies wholly in the file, and every index in it refers to something; whether the device runs it,
`check` says.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from device.errors import BundleError
from device.hearing.network.flatbuffer import Flatbuffer
from device.hearing.network.operators import OPERATORS, OPERATORS_RUN, TENSOR_TYPES, WITH_BIAS, read_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from device.hearing.network.flatbuffer import Table

SCHEMA_VERSION = 3
MAX_OPERATIONS = 16384
MAX_TENSORS = 32768
"""Of one graph; an unrolled recurrent network of 4,300 operations has 10,000."""

_MAX_SUBGRAPHS = _MAX_SIGNATURES = 64
_MAX_CODES = 256
_BUFFER_ALIGNMENT = 4  # of a buffer's bytes; what the converter notes for itself has no more
_OMITTED = -1
_UNION = 127  # the older field of an operator's code holds no more


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor.

    Attributes:
        name: as the converter named it.
        kind: its type as the schema names it (`INT8`).
        shape: sizes of its axes.
        scales: that quantize it; empty if it is not quantized.
        zero_points: one for each scale.
        constant_bytes: how many bytes of the file it holds; 0 for one that is computed.
        channel_axis: along which several scales count.
        varies: whether the converter left an axis open.
        is_variable: whether it keeps its value from one window to the next.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    constant_bytes: int
    channel_axis: int = 0
    varies: bool = False
    is_variable: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One node.

    Attributes:
        name: as the schema has it (`CONV_2D`, or `CUSTOM`).
        custom_name: of a custom operation.
        inputs: indices of its tensors; omitted ones are left out.
        outputs: indices of its tensors.
        options: its numbers by name, for operations that the device runs.
    """

    name: str
    custom_name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signature:
    """Names of a graph's inputs and outputs: (name, tensor's index), in the file's order."""

    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The operations of all subgraphs and the tensors of each; inputs and outputs are those of the first."""

    operations: tuple[Operation, ...]
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    signatures: tuple[Signature, ...] = ()
    subgraphs: int = 1

    @property
    def counts(self) -> dict[str, int]:
        """Number of operations by name."""
        return dict(sorted(Counter(operation.name for operation in self.operations).items()))

    @property
    def weight_bytes(self) -> int:
        """Bytes of constants."""
        return sum(tensor.constant_bytes for tensor in self.tensors)

    def kinds(self, indices: Sequence[int]) -> list[str]:
        """Types of some tensors."""
        return [self.tensors[index].kind for index in indices]


def read_graph(network: bytes) -> Graph:
    """The graph of a network; its tensors' indices count through all subgraphs.

    Raises:
        BundleError: the flatbuffer is damaged, an index refers to nothing, or the schema is another one.
    """
    model = Flatbuffer(network).root(fields=8)
    if model.integer(0, "I") != SCHEMA_VERSION:
        raise BundleError(f"the network has schema version {model.integer(0, 'I')}, must have {SCHEMA_VERSION}")
    codes = [_operator_code(code) for code in model.tables(1, 4, _MAX_CODES, "operator codes")]
    buffers = [_buffer_bytes(buffer) for buffer in model.tables(4, 3, 2 * MAX_TENSORS, "buffers")]
    model.text(3)
    _check_metadata(model, len(buffers))
    parts: list[_Subgraph] = []
    for table in model.tables(2, 6, _MAX_SUBGRAPHS, "subgraphs"):
        parts.append(_subgraph(table, codes, buffers, base=sum(len(part.tensors) for part in parts)))
    if not parts:
        raise BundleError("the network has no graph")
    return Graph(
        operations=tuple(operation for part in parts for operation in part.operations),
        tensors=tuple(tensor for part in parts for tensor in part.tensors),
        inputs=parts[0].inputs,
        outputs=parts[0].outputs,
        signatures=tuple(_signature(table, parts) for table in model.tables(7, 5, _MAX_SIGNATURES, "signatures")),
        subgraphs=len(parts),
    )


@dataclass(frozen=True, slots=True)
class _Subgraph:
    base: int
    tensors: list[Tensor]
    operations: list[Operation]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def _operator_code(code: Table) -> tuple[str, str]:
    """Its name, and that of a custom operation."""
    number = max(code.integer(0, "b"), code.integer(3, "i"))  # operations above 127 are in the newer field
    code.integer(2, "i", 1)
    if not 0 <= number < len(OPERATORS):
        raise BundleError(f"the network uses operation {number}, which the device does not know")
    return OPERATORS[number], code.text(1)


def _buffer_bytes(buffer: Table) -> int:
    if buffer.integer(1, "Q") or buffer.integer(2, "Q"):
        raise BundleError("the network keeps constants outside its flatbuffer, which no bundle may")
    return buffer.span(0, _BUFFER_ALIGNMENT)[1]


def _check_metadata(model: Table, buffers: int) -> None:
    """Notes of the converter; the runtimes look some of them up by name."""
    for index in model.integers(5):
        _check_index(index, buffers, "buffers")
    for note in model.tables(6, 2, _MAX_CODES, "notes"):
        note.text(0)
        _check_index(note.integer(1, "I"), buffers, "buffers")


def _subgraph(table: Table, codes: Sequence[tuple[str, str]], buffers: Sequence[int], base: int) -> _Subgraph:
    tensors = [_tensor(item, buffers) for item in table.tables(0, 10, MAX_TENSORS, "tensors")]
    table.text(4)
    table.integer(5, "i")
    return _Subgraph(
        base=base,
        tensors=tensors,
        operations=[
            _operation(item, codes, len(tensors), base) for item in table.tables(3, 14, MAX_OPERATIONS, "operations")
        ],
        inputs=_indices(table.integers(1), len(tensors), base),
        outputs=_indices(table.integers(2), len(tensors), base),
    )


def _operation(item: Table, codes: Sequence[tuple[str, str]], tensors: int, base: int) -> Operation:
    code = item.integer(0, "I")
    _check_index(code, len(codes), "operator codes")
    name, custom_name = codes[code]
    item.integer(13, "i")
    if any(item.span(number)[1] for number in (5, 7)) or item.integers(8) or item.integer(9, "Q") or item.has(12):
        raise BundleError(f"the network's {name} operation has options or state that the device does not know")
    inputs = item.integers(1)
    if name in OPERATORS_RUN and _OMITTED in (inputs[:2] + inputs[3:] if name in WITH_BIAS else inputs):
        raise BundleError(f"the network's {name} operation omits an input that it needs")
    return Operation(
        name=name,
        custom_name=custom_name,
        inputs=_indices(tuple(index for index in inputs if index != _OMITTED), tensors, base),
        outputs=_indices(item.integers(2), tensors, base),
        options=read_options(name, item) if name in OPERATORS_RUN else {},
    )


def _tensor(item: Table, buffers: Sequence[int]) -> Tensor:
    kind, buffer, name = item.integer(1, "b"), item.integer(2, "I"), item.text(3)
    _check_index(buffer, len(buffers), "buffers")
    if not 0 <= kind < len(TENSOR_TYPES):
        raise BundleError(f"the network's tensor {name!r:.60} has type {kind}, which the device does not know")
    if item.has(6) or item.has(9):
        raise BundleError(f"the network's tensor {name!r:.60} is sparse or of changing type, which no bundle needs")
    shape, signature = item.integers(0), item.integers(7)
    item.number(8, "?")
    scales, zero_points, axis = _quantization(item.table(4, 7), name)
    return Tensor(
        name=name,
        kind=TENSOR_TYPES[kind],
        shape=shape,
        scales=scales,
        zero_points=zero_points,
        constant_bytes=buffers[buffer],
        channel_axis=axis,
        varies=bool(signature) and signature != shape,
        is_variable=bool(item.number(5, "?")),
    )


def _quantization(table: Table | None, name: str) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    if table is None:
        return (), (), 0
    if table.integer(4, "B") or table.has(5):
        raise BundleError(f"the network's tensor {name!r:.60} is quantized in a way that the device does not know")
    table.numbers(0, "f")
    table.numbers(1, "f")
    return table.numbers(2, "f"), table.integers(3, "q"), table.integer(6, "i")


def _signature(table: Table, parts: Sequence[_Subgraph]) -> Signature:
    table.text(2)
    table.text(3)
    number = table.integer(4, "I")
    _check_index(number, len(parts), "subgraphs")
    part = parts[number]
    inputs, outputs = (
        tuple(_named(item, part) for item in table.tables(number, 2, _MAX_SIGNATURES, "named tensors"))
        for number in (0, 1)
    )
    return Signature(inputs, outputs)


def _named(item: Table, part: _Subgraph) -> tuple[str, int]:
    index = item.integer(1, "I")
    _check_index(index, len(part.tensors), "tensors")
    return item.text(0), part.base + index


def _indices(indices: tuple[int, ...], tensors: int, base: int) -> tuple[int, ...]:
    for index in indices:
        _check_index(index, tensors, "tensors")
    return tuple(base + index for index in indices)


def _check_index(index: int, count: int, what: str) -> None:
    if not 0 <= index < count:
        raise BundleError(f"the network refers to number {index} of its {count} {what}")
