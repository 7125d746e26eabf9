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


def megabytes_are(size: int) -> str:
    """A size as the subject of a sentence: `12 MB are`; never 0 of what is not nothing."""
    return "less than 1 MB is" if 0 < size < 1_000_000 else quantity(size // 1_000_000, "MB is", "MB are")
