"""The operations and tensors of a TensorFlow Lite file, read from the flatbuffer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ai_edge_litert import schema_py_generated as schema

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: its type as the schema names it (`INT8`), and how many scales quantize it."""

    name: str
    kind: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    constant_bytes: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One node: its name as the schema has it (`CONV_2D`, or `CUSTOM`) and its tensors' indices."""

    name: str
    custom_name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The operations of all subgraphs and the tensors of each."""

    operations: tuple[Operation, ...]
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

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
    """The graph of a network that a converter made; not for untrusted bytes.

    Tensor indices count through all subgraphs.
    """
    model = schema.ModelT.InitFromPackedBuf(bytearray(network), 0)
    operations: list[Operation] = []
    tensors: list[Tensor] = []
    for subgraph in model.subgraphs:
        base = len(tensors)
        tensors += [_tensor(item, model.buffers) for item in subgraph.tensors]
        operations += [_operation(item, model.operatorCodes, base) for item in subgraph.operators or ()]
    main = model.subgraphs[0]
    return Graph(tuple(operations), tuple(tensors), tuple(map(int, main.inputs)), tuple(map(int, main.outputs)))


def _operation(item: Any, codes: Sequence[Any], base: int) -> Operation:
    code = codes[item.opcodeIndex]
    name = _OPERATIONS[max(code.builtinCode, code.deprecatedBuiltinCode)]  # ops above 127 are in the newer field
    custom = code.customCode.decode() if code.customCode else ""
    return Operation(name, custom, _indices(item.inputs, base), _indices(item.outputs, base))


def _indices(indices: Any, base: int) -> tuple[int, ...]:
    """Indices of the tensors that exist; -1 marks an omitted one."""
    return tuple(base + int(index) for index in ([] if indices is None else indices) if index >= 0)


def _tensor(item: Any, buffers: Sequence[Any]) -> Tensor:
    data = buffers[item.buffer].data
    quantization = item.quantization
    scales = () if quantization is None or quantization.scale is None else tuple(map(float, quantization.scale))
    zeros = () if quantization is None or quantization.zeroPoint is None else tuple(map(int, quantization.zeroPoint))
    return Tensor(
        name=item.name.decode(),
        kind=_KINDS[item.type],
        shape=() if item.shape is None else tuple(map(int, item.shape)),
        scales=scales,
        zero_points=zeros,
        constant_bytes=0 if data is None else len(data),
    )


def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if not name.startswith("_")}


_OPERATIONS = _names(schema.BuiltinOperator)
_KINDS = _names(schema.TensorType)
