"""Balances the classes of a training part: the frequent ones are drawn less often, the rare ones repeated."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from training.data.examples import Example


@dataclass(frozen=True, slots=True)
class Drawn:
    """An example as it was drawn for training.

    Attributes:
        example: what was drawn.
        copy: 0 where it is drawn first, 1 where it is repeated first, and so on: what to augment.
    """

    example: Example
    copy: int


def balanced(
    examples: Iterable[Example],
    rng: np.random.Generator,
    *,
    per_class: int | None = None,
    most_copies: int = 8,
) -> tuple[Drawn, ...]:
    """Training examples, as many of each class, in drawn order; validation and test examples are left out.

    A class is one combination of labels: wheeze alone, wheeze with crackle.

    Args:
        examples: of any part.
        rng: draws which ones, and their order.
        per_class: examples of each class; None for the geometric mean of the largest and the smallest class.
        most_copies: how often one example is drawn at most: a class of few stays smaller.
    """
    classes: defaultdict[tuple[float, ...], list[Example]] = defaultdict(list)
    for example in examples:
        if example.part == "train":
            classes[example.target].append(example)
    if not classes:
        return ()
    sizes = [len(held) for held in classes.values()]
    wanted = round(float(np.sqrt(max(sizes) * min(sizes)))) if per_class is None else per_class
    drawn: list[Drawn] = []
    for target in sorted(classes):
        held = classes[target]
        drawn += _drawn(held, min(wanted, most_copies * len(held)), rng)
    return tuple(drawn[index] for index in rng.permutation(len(drawn)))


def _drawn(held: list[Example], count: int, rng: np.random.Generator) -> list[Drawn]:
    """`count` draws without replacement; each example is repeated only after all others were."""
    rounds = -(-count // len(held))
    order = [int(index) for _ in range(rounds) for index in rng.permutation(len(held))]
    return [Drawn(held[index], place // len(held)) for place, index in enumerate(order[:count])]
