"""A number with its noun, for sentences: one window, two windows."""

from __future__ import annotations


def quantity(number: int, noun: str, plural: str = "") -> str:
    """`1 window`, `2 windows`, `0 windows`.

    Args:
        number: of things.
        noun: for one of them.
        plural: for none or several; the noun with an s if it is empty.
    """
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
