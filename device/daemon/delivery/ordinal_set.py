"""A set of the journal's ordinals, kept as merged intervals: as small as the number of gaps between them. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Interval = tuple[int, int]
"""(first, last), both included."""


class OrdinalSet:
    """Whole numbers in disjoint intervals that do not touch."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._count = 0

    def __repr__(self) -> str:
        return f"OrdinalSet({self._count} in {len(self._firsts)} intervals)"

    def __len__(self) -> int:
        return self._count

    def __contains__(self, ordinal: int) -> bool:
        index = bisect_right(self._firsts, ordinal) - 1
        return index >= 0 and ordinal <= self._lasts[index]

    @property
    def intervals(self) -> Sequence[Interval]:
        """All of it, in rising order."""
        return tuple(zip(self._firsts, self._lasts, strict=True))

    def add(self, ordinal: int) -> None:
        """Add one; nothing happens if it is there."""
        if ordinal in self:
            return
        self._count += 1
        index = bisect_right(self._firsts, ordinal)
        joins_left = index > 0 and self._lasts[index - 1] == ordinal - 1
        joins_right = index < len(self._firsts) and self._firsts[index] == ordinal + 1
        if joins_left and joins_right:
            self._lasts[index - 1] = self._lasts.pop(index)
            del self._firsts[index]
        elif joins_left:
            self._lasts[index - 1] = ordinal
        elif joins_right:
            self._firsts[index] = ordinal
        else:
            self._firsts.insert(index, ordinal)
            self._lasts.insert(index, ordinal)

    def remove(self, intervals: Iterable[Interval]) -> None:
        """Remove whole intervals; what is not there is ignored."""
        for first, last in intervals:
            self._remove(first, last)

    def truncate(self, newest: int) -> None:
        """Remove all that is greater than `newest`."""
        if self._lasts and self._lasts[-1] > newest:
            self._remove(newest + 1, self._lasts[-1])

    def _remove(self, first: int, last: int) -> None:
        left, right = bisect_left(self._lasts, first), bisect_right(self._firsts, last)
        kept: list[Interval] = []
        for begin, end in zip(self._firsts[left:right], self._lasts[left:right], strict=True):
            self._count -= end - begin + 1
            kept += [(begin, first - 1)] if begin < first else []
            kept += [(last + 1, end)] if end > last else []
        self._count += sum(end - begin + 1 for begin, end in kept)
        self._firsts[left:right] = [begin for begin, _ in kept]
        self._lasts[left:right] = [end for _, end in kept]
