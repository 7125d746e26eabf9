"""Figures and tables as Markdown: the same numbers always give the same text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines]


def with_interval(value: float | None, low: float | None, high: float | None, digits: int = 3) -> str:
    """`0.523 (0.410 to 0.601)`; a dash where it is not defined."""
    if value is None or not math.isfinite(value):
        return "-"
    if low is None or high is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def signed_with_interval(value: float, low: float, high: float) -> str:
    """As `with_interval`, each with its sign."""
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"


def parameters(count: int) -> str:
    """`74 k`, `21.3 M`."""
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"


def million(count: int | None) -> str:
    """Multiplications in millions; a dash where they were not counted."""
    if count is None:
        return "-"
    return f"{count / 1e6:.1f} M" if count < 1e8 else f"{count / 1e6:,.0f} M"


def hours(core_hours: float) -> str:
    """`0.004`, `0.31`, `12.3`."""
    digits = 3 if core_hours < 0.1 else 2 if core_hours < 10 else 1
    return f"{core_hours:.{digits}f}"
