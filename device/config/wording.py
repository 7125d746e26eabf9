"""How sentences show values, table headers and alternatives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from device.printable import excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.config.key_lines import KeyPath

_SHOWN_CHARACTERS = 60
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")


def bracketed(path: KeyPath) -> str:
    """A table's header, `[model.cry]`; `[[notify]]` for an element of an array of tables."""
    if path and isinstance(path[-1], int):
        return f"[{bracketed(path[:-1])}]"
    return f"[{'.'.join(str(part) if _BARE_KEY.fullmatch(str(part)) else shown(part) for part in path)}]"


def alternatives(words: Sequence[str]) -> str:
    """Words joined for a sentence: a, b or c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def listed(words: Sequence[str]) -> str:
    """Words joined for a sentence: a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def shown(value: Any) -> str:
    """A value as TOML writes it, on one line, cut to 60 characters."""
    if isinstance(value, str):
        return f'"{excerpt(value, _SHOWN_CHARACTERS)}"'
    if isinstance(value, int) and value.bit_length() > 128:  # Python refuses to convert very long ones
        return "a number of very many digits"
    if isinstance(value, int | float):
        return str(value).lower()
    if isinstance(value, tuple):  # of a default; what a file holds is a list, of anything
        return f"[{', '.join(shown(item) for item in value)}]"
    if isinstance(value, dict):
        return "a table"
    return "an array" if isinstance(value, list) else f"the date or time {value}"
