"""Which windows follow one another: sequences of a recording, in which a network carries its past.

The array `sequence` beside the windows numbers them: windows of one number stand together, in order of time, each a hop
after the one before it. For a network that keeps nothing there is none, and each window stands by itself.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]

FULL_SHARE = 0.25
"""Of the windows, that must come after as many others as the past holds: what a night consists of."""


def sequence_numbers(where: str, values: Any, count: int) -> Numbers:
    """The checked numbers of so many windows.

    Args:
        where: names the file in an error's sentence.
        values: the array; None if the file has none.
        count: of the windows.

    Raises:
        BundleError: it is missing or of another type or shape, or a number comes again after another one.
    """
    if values is None or values.shape != (count,) or values.dtype.kind not in "iu":
        found = "missing" if values is None else f"{values.dtype} {values.shape}"
        raise BundleError(
            f"{where}: sequence is {found}, must be whole numbers ({count},): the network carries its past, so it is "
            "judged on windows that follow one another"
        )
    numbers: Numbers = values.astype(np.int64)
    begun = numbers[[0, *(1 + np.flatnonzero(np.diff(numbers)))]]
    if len(np.unique(begun)) != len(begun):
        again = next(int(number) for number in begun if np.sum(begun == number) > 1)
        raise BundleError(f"{where}: sequence {again} stands in several places, its windows must stand together")
    return numbers


def spans(numbers: Numbers | None, count: int) -> list[range]:
    """The windows of each sequence; each of so many windows by itself if there are no numbers."""
    if numbers is None:
        return [range(place, place + 1) for place in range(count)]
    edges = [0, *(1 + np.flatnonzero(np.diff(numbers))), count]
    return [range(int(first), int(after)) for first, after in itertools.pairwise(edges)]


def steps(sequences: Sequence[range], batch: int) -> Iterator[tuple[list[int], list[int]]]:
    """(numbers of sequences, their windows) to be computed together: all first windows, all second ones, ..."""
    for place in range(max(map(len, sequences))):
        going = [number for number, span in enumerate(sequences) if len(span) > place]
        for first in range(0, len(going), batch):
            chosen = going[first : first + batch]
            yield chosen, [sequences[number][place] for number in chosen]


def sampled(sequences: Sequence[range], windows: int) -> list[int]:
    """The windows of evenly spread whole sequences, about so many in all."""
    mean = sum(map(len, sequences)) / len(sequences)
    count = min(len(sequences), max(1, round(windows / mean)))
    chosen = [int(index) for index in np.linspace(0, len(sequences) - 1, count)]
    return [window for number in chosen for window in sequences[number]]


def check_full(where: str, sequences: Sequence[range], past_steps: int) -> None:
    """Refuse sequences too short to fill a past.

    Raises:
        BundleError: too few windows come after `past_steps` others.
    """
    total = sum(map(len, sequences))
    full = sum(max(0, len(span) - past_steps) for span in sequences)
    if full < FULL_SHARE * total:
        raise BundleError(
            f"{full} of {total} windows of {where} come after {past_steps} others of their sequence, must be "
            f"{FULL_SHARE:.0%}: cut longer sequences"
        )
