"""A network in two parts: a backbone that keeps nothing, and a head that carries its own past from window to window.

    input_0, ..  ->  backbone  ->  embedding
    embedding, past  ->  head  ->  scores, next_past

The past is an input and an output like any other: whoever runs the head hands `next_past` of one window to the next one
as `past`, and zeros where no window was before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import BundleError
from device.hearing.network.check import SCORES, check_network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.hearing.network.graph import Graph

EMBEDDING, PAST, NEXT_PAST = "embedding", "past", "next_past"

MAX_STEPS = 64
MAX_SIZE = 4096
MAX_PAST = 65536
"""Numbers of a whole past."""


@dataclass(frozen=True, slots=True)
class PastShape:
    """What passes between the two parts.

    Attributes:
        embedding: numbers of one embedding.
        steps: rows of the past.
        size: numbers of a row.
    """

    embedding: int
    steps: int
    size: int

    @property
    def past(self) -> tuple[int, int]:
        """Shape of a past: (steps, size)."""
        return self.steps, self.size

    def check(self) -> None:
        """Refuse sizes out of bounds.

        Raises:
            BundleError: one is.
        """
        for what, found, most in (
            ("embedding size", self.embedding, MAX_SIZE),
            ("number of steps", self.steps, MAX_STEPS),
            ("row size", self.size, MAX_SIZE),
            ("past size", self.steps * self.size, MAX_PAST),
        ):
            if not 1 <= found <= most:
                raise BundleError(f"the head's {what} is {found}, must be 1 to {most}")


def check_parts(
    backbone: Graph, head: Graph, input_shapes: Sequence[tuple[int, ...]], label_count: int, shape: PastShape
) -> None:
    """Refuse two parts that the device does not run, or that do not fit their manifest.

    Args:
        backbone: graph of the first part.
        head: graph of the second part.
        input_shapes: shape of `input_0`, `input_1`, ..., with the axes for batch and channel.
        label_count: number of the scores.
        shape: of what passes between them.

    Raises:
        BundleError: the first law that does not hold.
    """
    embedding, past = (1, shape.embedding), (1, *shape.past)
    named = {f"input_{ordinal}": each for ordinal, each in enumerate(input_shapes)}
    for what, graph, inputs, outputs in (
        ("backbone", backbone, named, {EMBEDDING: embedding}),
        ("head", head, {EMBEDDING: embedding, PAST: past}, {SCORES: (1, label_count), NEXT_PAST: past}),
    ):
        try:
            check_network(graph, inputs, outputs)
        except BundleError as error:
            raise BundleError(f"in the {what}, {error}") from None
