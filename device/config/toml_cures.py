"""What to write instead of a line that `tomllib` does not accept. Pure.

People type what other formats accept: `yes`, text without quotes, a comma in a number, a unit behind it. `tomllib` says
where it stopped, never what would work. A cure is a guess by the look of the line; without a good one there is none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SHOWN_CHARACTERS = 60
_PAIR = re.compile(r"\s*([^=]+?)\s*=\s*(.*)")
_NUMBER = r"[+-]?[0-9]+(?:\.[0-9]+)?"
_QUOTES = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u00ab\u00bb"  # as a word processor writes them

_WORDS = {
    "yes": "write true",
    "on": "write true",
    "no": "write false",
    "off": 'write "off" in quotes, or false if the key takes true and false',
    "none": 'write "off" in quotes, or leave the key out',
    "null": 'write "off" in quotes, or leave the key out',
    "nil": 'write "off" in quotes, or leave the key out',
}


def toml_cure(message: str, line: str) -> str:
    """What to write instead; empty if that cannot be guessed.

    Args:
        message: `tomllib`'s, without the place.
        line: in which it stopped.
    """
    if any(quote in _without_strings(line) for quote in _QUOTES):
        return 'write straight quotes, ", instead of curly ones'
    return next((cure(line) for start, cure in _CURES if message.startswith(start)), "")


def _value_cure(line: str) -> str:
    """For a value that is none, or that goes on behind its end."""
    if line.lstrip().startswith("["):
        return "write the table's header alone on its line, as [listen]"
    pair = _PAIR.match(line)
    if pair is None:
        return ""
    key, value = pair[1], _without_comment(pair[2])
    if not value:
        return f"write a value behind the equals sign, or leave {key[:_SHOWN_CHARACTERS]} out"
    if value.startswith("="):
        return "write one equals sign"
    if value.lower() in {"true", "false"}:
        return f"write {value.lower()}, in small letters"
    return _WORDS.get(value.lower()) or _number_cure(value) or _text_cure(value)


def _number_cure(value: str) -> str:
    """For what was meant as a number; empty if it was not."""
    if re.fullmatch(r"[+-]?[0-9]+,[0-9]+", value):
        return f"write a decimal point, {value.replace(',', '.')}"
    if re.fullmatch(r"[+-]?\.[0-9]+", value):
        return f"write a digit before the point, {value.replace('.', '0.')}"
    if re.fullmatch(r"[+-]?[0-9]+\.", value):
        return f"write a digit behind the point, {value}0"
    if re.fullmatch(r"[+-]?0[0-9]+(\.[0-9]+)?", value):
        return f"write the number without a leading zero, {value.lstrip('+-0') or '0'}"
    number = re.fullmatch(rf"({_NUMBER})\s*([A-Za-z%°]+)", value)
    return f"write the number without its unit, {number[1]}" if number else ""


def _text_cure(value: str) -> str:
    ended = re.fullmatch(r"(\"[^\"]*\"|'[^']*'|[^\"';,]+)\s*[;,]", value)
    if ended:
        return f"leave out the {value[-1]} at the end"
    if value[0] in "\"'[{" or "=" in _without_strings(value):
        return "write one value, and what follows on a line of its own"
    quoted = f'"{value}"' if "\\" not in value and '"' not in value else f"'{value}'"
    what = "times" if re.match(r"[0-9]{1,2}:[0-9]{2}", value) else "dates" if re.match(r"[0-9]{4}-", value) else "text"
    return f"write {what} in quotes, {quoted}" if len(value) <= _SHOWN_CHARACTERS else f"write {what} in quotes"


def _key_cure(line: str) -> str:
    colon = re.match(r"\s*([A-Za-z0-9_-]+)\s*:\s*(\S.*)?", line)
    if colon:
        return f"write = instead of the colon, {colon[1]} = ..."
    if re.match(r"\s*[A-Za-z0-9_-]+ +[A-Za-z0-9_ -]*=", line):
        return "write a key without spaces, or in quotes"
    return "write key = value"


def _statement_cure(line: str) -> str:
    if line.lstrip().startswith(("//", ";", "--", "/*", "%")):
        return "begin a comment with #"
    if line.lstrip().startswith("="):
        return "write a key before the equals sign"
    return "write key = value, [table], or # and a comment"


def _overwriting_cure(line: str) -> str:
    if line.lstrip().startswith("["):
        return "a key or table of this name is there already, leave one of them out"
    return "the key is there twice, leave one of them out"


def _array_cure(line: str) -> str:
    inside = line.partition("[")[2]
    if "=" in _without_strings(inside):
        return "write values alone in an array, without = signs, separated by commas"
    return "separate the values by commas, and close the array with ]"


def _fixed(cure: str) -> Callable[[str], str]:
    return lambda _line: cure


_QUOTE = _fixed("close the quotes")
_BACKSLASH = _fixed("write the text in single quotes, or \\\\ for each \\")
_CURES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("Invalid value", _value_cure),
    ("Invalid date or datetime", _value_cure),
    ("Expected newline or end of document", _value_cure),
    ("Expected '=' after a key", _key_cure),
    ("Invalid statement", _statement_cure),
    ("Invalid initial character for a key part", _fixed("leave out the comma before }, or write a key")),
    ("Unclosed array", _array_cure),
    ("Unclosed inline table", _fixed("close the table with } on the same line")),
    ("Unterminated string", _QUOTE),
    ("Expected \"'", _QUOTE),
    ("Illegal character '\\n'", _QUOTE),
    ("Unescaped '\\' in a string", _BACKSLASH),
    ("Invalid hex value", _BACKSLASH),
    ("Cannot overwrite a value", _overwriting_cure),
    ("Duplicate inline table key", _fixed("the key is there twice, leave one of them out")),
    ("Cannot declare", _fixed("the table is there twice, put all its keys under one header")),
    ("Expected ']'", _fixed("write the header as [name], and close it with ]")),
)
"""Beginning of a message of `tomllib`, and what to make of the line."""


def _without_comment(text: str) -> str:
    """A value without the comment behind it; a # within quotes is kept."""
    found = re.match(r"((?:\"[^\"]*\"|'[^']*'|[^#\"'])*)", text)
    return (found[1] if found else text).strip()


def _without_strings(text: str) -> str:
    return re.sub(r"\"[^\"]*\"|'[^']*'", "", text)
