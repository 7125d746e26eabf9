"""Where in a TOML file each key stands.

`tomllib` does not tell the line of a key. `key_lines` walks once more over text that `tomllib` has
already accepted, so it checks nothing itself: it only steps over values, whatever strings, comments,
arrays and inline tables they are made of. Its paths are compared with what `tomllib` read; where the
two disagree no line is given at all, because a wrong line is worse than none. Knows no key.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KeyPath = tuple[str | int, ...]
"""Keys from the root of the file; an element of an array by its index."""

_DEEPEST = 32
"""Every prefix of a path is kept: a key of thousands of dots would fill the memory."""

_BLANK = re.compile(r"(?:[ \t\n]++|#[^\n]*+)*+")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}'  # up to two quotes may stand directly before the closing three
    r"|'''(?:[^']++|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


def key_lines(text: str, parsed: Mapping[str, Any]) -> dict[KeyPath, int]:
    """Path of keys -> line, counted from 1, of every key and table that is written in a TOML text.

    A table that is opened more than once (its parent may be named first by a child) has the line of
    its own header, else of the first key that implies it.

    Args:
        text: valid TOML.
        parsed: what `tomllib` made of it.

    Returns:
        Empty where the walk and `tomllib` disagree about what the text holds.
    """
    try:
        lines = _Walk(text.replace("\r\n", "\n")).lines()
        return lines if set(_paths(parsed)) == set(lines) else {}
    except (_LostError, RecursionError):
        return {}


class _LostError(Exception):
    """The walk met something that it does not expect at its place."""


class _Walk:
    """One pass over a text; `at` is where it stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted_at, self._line = 0, 1
        self._lines: dict[KeyPath, int] = {}
        self._arrays: dict[KeyPath, int] = {}  # arrays of tables, and how many elements each has so far

    def lines(self) -> dict[KeyPath, int]:
        """The whole text."""
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._sees("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self._lines

    def _header(self) -> KeyPath:
        line = self._line_here()
        of_array = self._sees("[[")
        self._step(2 if of_array else 1)
        path = self._inside_arrays(self._key())
        self._step(2 if of_array else 1)
        self._imply(path, line)
        if of_array:
            self._arrays[path] = self._arrays.get(path, -1) + 1
            path = (*path, self._arrays[path])
        self._lines[path] = line
        return path

    def _inside_arrays(self, key: tuple[str, ...]) -> KeyPath:
        """A header's key leads through the newest element of each array of tables on its way."""
        path: KeyPath = ()
        for ordinal, part in enumerate(key):
            path = (*path, part)
            if ordinal < len(key) - 1 and path in self._arrays:
                path = (*path, self._arrays[path])
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self._line_here()
        path = (*table, *self._key())
        self._step(1)  # the equals sign
        self._imply(path, line)
        self._lines[path] = line
        self._skip(_SPACE)
        self._value(path)

    def _imply(self, path: KeyPath, line: int) -> None:
        if len(path) > _DEEPEST:
            raise _LostError
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], line)

    def _key(self) -> tuple[str, ...]:
        parts = [self._key_part()]
        while self._sees("."):
            self._step(1)
            parts.append(self._key_part())
        return tuple(parts)

    def _key_part(self) -> str:
        self._skip(_SPACE)
        token = self._take(_STRING if self._sees('"') or self._sees("'") else _BARE_KEY)
        self._skip(_SPACE)
        return str(tomllib.loads(f"key = {token}")["key"]) if token[0] in "\"'" else token

    def _value(self, path: KeyPath) -> None:
        if self._sees("["):
            self._array(path)
        elif self._sees("{"):
            self._inline_table(path)
        else:
            self._take(_STRING if self._sees('"') or self._sees("'") else _SCALAR)

    def _array(self, path: KeyPath) -> None:
        self._step(1)
        ordinal = 0
        self._skip(_BLANK)
        while not self._sees("]"):
            self._lines[*path, ordinal] = self._line_here()
            self._value((*path, ordinal))
            ordinal += 1
            self._past_comma()
        self._step(1)

    def _inline_table(self, path: KeyPath) -> None:
        self._step(1)
        self._skip(_BLANK)
        while not self._sees("}"):
            self._pair(path)
            self._past_comma()
        self._step(1)

    def _past_comma(self) -> None:
        self._skip(_BLANK)
        if self._sees(","):
            self._step(1)
            self._skip(_BLANK)

    # --- the text

    def _sees(self, what: str) -> bool:
        return self._text.startswith(what, self._at)

    def _step(self, characters: int) -> None:
        self._at += characters
        if self._at > len(self._text):
            raise _LostError

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _LostError
        self._at = found.end()
        return found.group()

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted_at, self._at)
        self._counted_at = self._at
        return self._line


def _paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every path of a parsed text, arrays' elements included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from _paths(item, (*path, key))
