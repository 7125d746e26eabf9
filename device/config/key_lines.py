"""The line of each key in a TOML file.

`tomllib` does not report the lines of keys. `key_lines` scans text that `tomllib` has already accepted, so it
validates nothing itself: it only steps over values, whatever strings, comments, arrays and inline tables they
consist of. The paths that it found are compared with what `tomllib` parsed. If the two disagree, no line is
returned at all, because a wrong line is worse than none. Knows no key.

tomlkit 0.15 keeps a file's layout but has no line of a key either, and parses the example in 26 ms, which
`tomllib` and this scan together do in 2 ms.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KeyPath = tuple[str | int, ...]
"""Keys from the root of the file; an element of an array by its index."""

_MAX_DEPTH = 32
"""Every prefix of a path is stored: a key with thousands of dots would fill the memory."""

# Only classes of characters are repeated possessively: Python before 3.11.5 (bookworm has 3.11.2) mismatches a
# possessive group whose alternatives backtrack (CPython issue 106052).
_BLANK = re.compile(r"(?:[ \t\n]++|#[^\n]*+)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*"{3,5}'  # up to two quotes may stand directly before the closing three
    r"|'''(?:[^']++|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]++|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


def key_lines(text: str, parsed: Mapping[str, Any]) -> dict[KeyPath, int]:
    """Return path of keys -> line, counted from 1, of every key and table in a TOML text.

    A table that is opened more than once (a child may imply its parent first) has the line of its own
    header, otherwise of the first key that implies it.

    Args:
        text: valid TOML.
        parsed: the same text, parsed by `tomllib`.

    Returns:
        An empty dict if the scan and `tomllib` disagree about the content.
    """
    try:
        lines = _KeyScanner(text.replace("\r\n", "\n")).lines()
        return lines if set(_paths(parsed)) == set(lines) else {}
    except (_ScanError, RecursionError):
        return {}


class _ScanError(Exception):
    """The scanner met text that it does not expect at this position."""


class _KeyScanner:
    """One pass over a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._counted_to, self._line = 0, 1
        self._lines: dict[KeyPath, int] = {}
        self._arrays: dict[KeyPath, int] = {}  # array of tables -> index of its newest element

    def lines(self) -> dict[KeyPath, int]:
        """Scan the whole text."""
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._position < len(self._text):
            if self._next_is("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self._lines

    def _header(self) -> KeyPath:
        line = self._current_line()
        of_array = self._next_is("[[")
        self._advance(2 if of_array else 1)
        path = self._resolve_arrays(self._key())
        self._advance(2 if of_array else 1)
        self._imply(path, line)
        if of_array:
            self._arrays[path] = self._arrays.get(path, -1) + 1
            path = (*path, self._arrays[path])
        self._lines[path] = line
        return path

    def _resolve_arrays(self, key: tuple[str, ...]) -> KeyPath:
        """A header's key refers to the newest element of each array of tables on its path."""
        path: KeyPath = ()
        for ordinal, part in enumerate(key):
            path = (*path, part)
            if ordinal < len(key) - 1 and path in self._arrays:
                path = (*path, self._arrays[path])
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self._current_line()
        path = (*table, *self._key())
        self._advance(1)  # the equals sign
        self._imply(path, line)
        self._lines[path] = line
        self._skip(_SPACE)
        self._value(path)

    def _imply(self, path: KeyPath, line: int) -> None:
        if len(path) > _MAX_DEPTH:
            raise _ScanError
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], line)

    def _key(self) -> tuple[str, ...]:
        parts = [self._key_part()]
        while self._next_is("."):
            self._advance(1)
            parts.append(self._key_part())
        return tuple(parts)

    def _key_part(self) -> str:
        self._skip(_SPACE)
        token = self._match(_STRING if self._next_is('"') or self._next_is("'") else _BARE_KEY)
        self._skip(_SPACE)
        return str(tomllib.loads(f"key = {token}")["key"]) if token[0] in "\"'" else token

    def _value(self, path: KeyPath) -> None:
        if self._next_is("["):
            self._array(path)
        elif self._next_is("{"):
            self._inline_table(path)
        else:
            self._match(_STRING if self._next_is('"') or self._next_is("'") else _SCALAR)

    def _array(self, path: KeyPath) -> None:
        self._advance(1)
        ordinal = 0
        self._skip(_BLANK)
        while not self._next_is("]"):
            self._lines[*path, ordinal] = self._current_line()
            self._value((*path, ordinal))
            ordinal += 1
            self._skip_comma()
        self._advance(1)

    def _inline_table(self, path: KeyPath) -> None:
        self._advance(1)
        self._skip(_BLANK)
        while not self._next_is("}"):
            self._pair(path)
            self._skip_comma()
        self._advance(1)

    def _skip_comma(self) -> None:
        self._skip(_BLANK)
        if self._next_is(","):
            self._advance(1)
            self._skip(_BLANK)

    # --- the text

    def _next_is(self, text: str) -> bool:
        return self._text.startswith(text, self._position)

    def _advance(self, characters: int) -> None:
        self._position += characters
        if self._position > len(self._text):
            raise _ScanError

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._position)
        self._position = found.end() if found else self._position

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._position)
        if found is None:
            raise _ScanError
        self._position = found.end()
        return found.group()

    def _current_line(self) -> int:
        self._line += self._text.count("\n", self._counted_to, self._position)
        self._counted_to = self._position
        return self._line


def _paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield every path of a parsed text, elements of arrays included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from _paths(item, (*path, key))
