"""What a graph costs: multiplications and constants of each operation, and an estimate of its time on a Raspberry Pi.

The estimate is arithmetic on published peaks, not a measurement: multiplications divided by what the cores reach. It
leaves out what each operation costs besides, which dominates in a recurrent network of a thousand small ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.hearing.network.graph import Graph, Operation, Tensor


@dataclass(frozen=True, slots=True)
class Board:
    """A machine with the multiplications in int8 that one of its cores reaches.

    Attributes:
        name: of the board.
        low: 1e9 multiplications and additions a second that a network reaches at least.
        high: as `low`, at most.
        why: where the figures come from.
    """

    name: str
    low: float
    high: float
    why: str


_A72 = 8 * 1.5  # int8 multiplications a cycle without a dot-product instruction, cycles a nanosecond
_A76 = 77.0
_REACHED = (0.37, 0.49)  # of the peak, by TensorFlow Lite's own MobileNets on a Pi 4

BOARDS = (
    Board("Pi Zero 2 W", 2.0, 2.0, "Cortex-A53 at 1.0 GHz: about 2 GMAC/s reached"),
    Board("Pi 3", 2.4, 2.4, "Cortex-A53 at 1.2 GHz: 1.2 x the Zero 2 W"),
    Board(
        "Pi 4",
        _A72 * _REACHED[0],
        _A72 * _REACHED[1],
        f"Cortex-A72: 8 MAC a cycle x 1.5 GHz = {_A72:g} GMAC/s, of which 37 to 49 % are reached",
    ),
    Board(
        "Pi 5",
        _A76 * _REACHED[0],
        _A76 * _REACHED[1],
        f"Cortex-A76 with dot products: {_A76:g} GMAC/s, the same share of it assumed",
    ),
)


@dataclass(frozen=True, slots=True)
class OperationCost:
    """One operation.

    Attributes:
        number: its place in the graph.
        operation: it.
        macs: multiplications that are added up; 0 for what has none.
        constant_bytes: of weights and biases that no operation before it holds.
    """

    number: int
    operation: Operation
    macs: int
    constant_bytes: int


def operation_costs(graph: Graph) -> Iterator[OperationCost]:
    """Yield the cost of each operation, in the order in which they run."""
    seen: set[int] = set()
    for number, operation in enumerate(graph.operations):
        fresh = set(operation.inputs) - seen
        seen |= fresh
        held = sum(graph.tensors[index].constant_bytes for index in fresh)
        inputs, output = [graph.tensors[index] for index in operation.inputs], graph.tensors[operation.outputs[0]]
        yield OperationCost(number, operation, macs(operation, inputs, output), held)


def macs(operation: Operation, inputs: list[Tensor], output: Tensor) -> int:
    """Multiplications of one operation that are added up."""
    size = math.prod(output.shape)
    match operation.name:
        case "CONV_2D":  # weights (out, height, width, in)
            return size * math.prod(inputs[1].shape[1:])
        case "DEPTHWISE_CONV_2D":  # weights (1, height, width, out)
            return size * math.prod(inputs[1].shape[1:3])
        case "FULLY_CONNECTED":  # weights (out, in)
            return size * inputs[1].shape[-1]
        case "BATCH_MATMUL":
            inner = inputs[0].shape[-2 if operation.options.get("adj_x") else -1]
            return size * inner
    return 0


def estimated_ms(macs: int, board: Board) -> tuple[float, float]:
    """Milliseconds of one core for so many multiplications: at best and at worst."""
    return macs / board.high / 1e6, macs / board.low / 1e6
