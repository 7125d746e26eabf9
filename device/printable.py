r"""Text of others, such as a file's name, as one line that a terminal or a log can show without being deceived.

A name may hold a newline, an escape sequence that clears the screen, or a mark that reverses what follows. Those are
shown as escapes: `\x1b`, `\u202e`. All other letters of all languages stay as they are.
"""

from __future__ import annotations

import unicodedata

_NEVER = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_JOINERS = frozenset("\u200c\u200d")
"""Persian, Indic languages and emoji are spelled with them; they reorder nothing."""


def printable(text: str) -> str:
    r"""The text without control, format and separator characters, each escaped as in Python (`\n`, `\x1b`)."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if _is_harmless(letter) else _escaped(letter) for letter in text)


def _is_harmless(letter: str) -> bool:
    return letter in _JOINERS or unicodedata.category(letter) not in _NEVER


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
