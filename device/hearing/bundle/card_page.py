"""Renders a model card as Markdown: training data, intended use, performance.

A card is JSON of any shape: objects become headings, flat lists of objects become tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEEPEST_HEADING = 6


def card_markdown(title: str, card: Mapping[str, Any]) -> str:
    """The card as Markdown under a heading, in the card's own order."""
    return "\n".join([f"# {title}", "", *_section(card, 2)]).rstrip("\n") + "\n"


def _section(card: Mapping[str, Any], level: int) -> list[str]:
    """Plain members as a list first, then a heading for each nested one."""
    plain = {name: value for name, value in card.items() if not _is_nested(value)}
    lines = [f"- {_words(name)}: {_inline(value)}" for name, value in plain.items()]
    lines += [""] if lines else []
    for name, value in card.items():
        if _is_nested(value):
            lines += [f"{'#' * min(level, _DEEPEST_HEADING)} {_words(name)}", "", *_nested(value, level + 1)]
    return lines


def _nested(value: Any, level: int) -> list[str]:
    if isinstance(value, dict):
        return _section(value, level)
    if all(isinstance(row, dict) and row and not any(map(_is_nested, row.values())) for row in value):
        return _table(value)
    return [*(f"- {_inline(item)}" for item in value), ""]


def _table(rows: list[dict[str, Any]]) -> list[str]:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    body = [[_inline(row.get(name, "")) for name in columns] for row in rows]
    lines = [[_words(name) for name in columns], ["---"] * len(columns), *body]
    return [*("| " + " | ".join(line) + " |" for line in lines), ""]


def _is_nested(value: Any) -> bool:
    is_long_list = isinstance(value, list) and any(isinstance(item, dict | list) for item in value)
    return is_long_list or (isinstance(value, dict) and bool(value))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _inline(value: Any) -> str:
    """A value on one line; the pipe, which separates table cells, is escaped."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(_inline, value)) or "none"
    if isinstance(value, dict):
        return "; ".join(f"{_words(name)} {_inline(item)}" for name, item in value.items()) or "none"
    return " ".join(str(value).split()).replace("|", "\\|")
