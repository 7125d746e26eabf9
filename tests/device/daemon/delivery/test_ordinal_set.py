"""Merged intervals hold what a plain set holds, and no more of them than it has gaps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from device.daemon.delivery.ordinal_set import OrdinalSet

ORDINALS = st.integers(1, 30)


def _intervals(plain: set[int]) -> tuple[tuple[int, int], ...]:
    firsts = sorted(number for number in plain if number - 1 not in plain)
    lasts = sorted(number for number in plain if number + 1 not in plain)
    return tuple(zip(firsts, lasts, strict=True))


@given(st.lists(st.one_of(ORDINALS, st.tuples(ORDINALS, ORDINALS), st.just("truncate")), max_size=60))
def test_it_is_the_set_of_what_was_added_and_not_removed(steps: list[int | tuple[int, int] | str]) -> None:
    ordinals, plain = OrdinalSet(), set[int]()
    for step in steps:
        match step:
            case int():
                ordinals.add(step)
                plain.add(step)
            case (int() as first, int() as last):
                ordinals.remove([(first, last)])
                plain -= set(range(first, last + 1))
            case _:
                ordinals.truncate(15)
                plain = {number for number in plain if number <= 15}
        assert ordinals.intervals == _intervals(plain)
        assert len(ordinals) == len(plain)
        assert all((number in ordinals) == (number in plain) for number in range(32))


def test_a_hundred_thousand_in_a_row_are_one_interval() -> None:
    ordinals = OrdinalSet()
    for number in range(1, 100_001):
        ordinals.add(number)
    assert ordinals.intervals == ((1, 100_000),)
