"""Numbers for people: with a noun in a sentence (one window, two windows), and as somebody typed them."""

from __future__ import annotations

import re

_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


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


def decimal_number(text: str) -> float:
    """The number that somebody typed: `12`, `12.5`, `1e3`; spaces around it do not count.

    Python's own `float` also takes digits of other scripts, which look like others to most people, `1_000` and `nan`.

    Raises:
        ValueError: the text is no finite number of ASCII digits.
    """
    if _DECIMAL.fullmatch(text.strip(" \t\r\n")) is None or abs(number := float(text)) == float("inf"):
        raise ValueError(f"{text!r} is no number")
    return number
