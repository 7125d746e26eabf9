"""Multiplications counted from shapes, constants counted once, and times that are plain division."""

from __future__ import annotations

import pytest

from converter.inspection.graph_cost import BOARDS, estimated_ms, operation_costs
from device.hearing.network.graph import Graph, Operation, Tensor


def _tensor(shape: tuple[int, ...], constant_bytes: int = 0) -> Tensor:
    return Tensor(name="t", kind="INT8", shape=shape, scales=(0.1,), zero_points=(0,), constant_bytes=constant_bytes)


@pytest.mark.parametrize(
    ("name", "first", "second", "output", "expected"),
    [
        ("CONV_2D", (1, 8, 8, 3), (16, 3, 3, 3), (1, 8, 8, 16), 8 * 8 * 16 * 3 * 3 * 3),
        ("DEPTHWISE_CONV_2D", (1, 8, 8, 4), (1, 3, 3, 4), (1, 8, 8, 4), 8 * 8 * 4 * 9),
        ("FULLY_CONNECTED", (5, 20), (7, 20), (5, 7), 5 * 20 * 7),
        ("BATCH_MATMUL", (2, 3, 4), (2, 4, 5), (2, 3, 5), 2 * 3 * 4 * 5),
        ("ADD", (1, 8), (1, 8), (1, 8), 0),
    ],
)
def test_multiplications_follow_from_the_shapes(
    name: str, first: tuple[int, ...], second: tuple[int, ...], output: tuple[int, ...], expected: int
) -> None:
    operation = Operation(name, "", (0, 1), (2,))
    graph = Graph((operation,), (_tensor(first), _tensor(second), _tensor(output)), inputs=(0,), outputs=(2,))
    (cost,) = operation_costs(graph)
    assert cost.macs == expected


def test_weights_that_two_operations_share_are_counted_once() -> None:
    operations = (Operation("FULLY_CONNECTED", "", (0, 1), (2,)), Operation("FULLY_CONNECTED", "", (2, 1), (3,)))
    tensors = (_tensor((1, 4)), _tensor((4, 4), constant_bytes=16), _tensor((1, 4)), _tensor((1, 4)))
    first, second = operation_costs(Graph(operations, tensors, inputs=(0,), outputs=(3,)))
    assert (first.constant_bytes, second.constant_bytes) == (16, 0)
    assert first.macs == second.macs == 16


def test_a_time_is_multiplications_by_what_a_core_reaches() -> None:
    zero, _, four, five = BOARDS
    assert estimated_ms(2_000_000, zero) == (1.0, 1.0)
    best, worst = estimated_ms(12_000_000, four)
    assert (best, worst) == pytest.approx((1 / 0.49, 1 / 0.37))
    assert estimated_ms(12_000_000, five)[1] < best
