"""The card of a bundle as lines of text: what it is for first, then every figure that it holds."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from device.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST = (
    *("headline", "intended_use", "not_for", "limits", "aims", "aims_missed"),
    *("licence", "data", "split", "origin"),
)
"""What a reader needs before the figures, in this order."""

WIDTH = 110
"""Columns of a line; a word that is longer stands alone."""


def card_lines(card: Mapping[str, Any]) -> Iterator[str]:
    """Every entry of a card, in lines of up to `WIDTH` columns: nested entries are indented by two.

    Args:
        card: as the bundle holds it; text, numbers, lists and objects of any depth.
    """
    known = [key for key in FIRST if key in card]
    for key in [*known, *(key for key in card if key not in known)]:
        yield from _entry(key, card[key], "")


def _entry(key: str, value: object, indent: str) -> Iterator[str]:
    name = f"{indent}{printable(key).replace('_', ' ')}:"
    if isinstance(value, Mapping) and value:
        yield name
        for inner, each in value.items():
            yield from _entry(str(inner), each, indent + "  ")
    elif isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(one, Mapping) for one in value):
        yield name
        for number, one in enumerate(value, 1):
            yield from _entry(str(number), one, indent + "  ")
    elif isinstance(value, Sequence) and not isinstance(value, str) and any(map(_is_sentence, value)):
        yield name
        for one in value:
            yield from _wrapped(f"- {printable(_text(one))}", indent + "  ", hanging="  ")
    else:
        yield from _paragraphs(name, _text(value), indent + "  ")


def _is_sentence(value: object) -> bool:
    """Sentences stand on lines of their own; words are listed in one."""
    return isinstance(value, str) and value.endswith(".")


def _paragraphs(name: str, text: str, indent: str) -> Iterator[str]:
    """One line if it fits; otherwise the name, and below it the text with the lines that it has."""
    lines = [printable(line) for line in text.split("\n")]
    if len(lines) == 1 and len(name) + 1 + len(text) <= WIDTH:
        yield f"{name} {lines[0]}".rstrip()
        return
    yield name
    for line in lines:
        yield from _wrapped(line, indent)


def _wrapped(line: str, indent: str, *, hanging: str = "") -> list[str]:
    """A line in pieces of up to `WIDTH` columns; an empty one stays one."""
    wrapper = textwrap.TextWrapper(
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapper.wrap(line) or [""]


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, Mapping) or value is None:
        return "none"
    return value if isinstance(value, str) else str(value)
