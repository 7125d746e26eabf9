r"""Text of others, such as a file's name, as one line that a terminal or a log can show without being deceived.

A name may hold a newline, an escape sequence that clears the screen, or a mark that reverses what follows. Those are
shown as escapes: `\u001b`, `\u202e`. All letters of all languages stay as they are.
"""

from __future__ import annotations

import json


def printable(text: str) -> str:
    r"""The text with control, format and separator characters escaped as in JSON (`\n`, `\u001b`)."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)


def excerpt(text: str, most: int) -> str:
    """The begin of a text of others, printable, at most so many characters and `...`.

    It is cut before it is escaped: a text of megabytes costs no more than a short one.
    """
    shown = printable(text[:most])
    return shown if len(text) <= most and len(shown) <= most else f"{shown[:most]}..."
