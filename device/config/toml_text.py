"""The text of a TOML file: read within a size limit, decoded and parsed. Knows no key."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

from device.errors import ConfigError

MAX_FILE_BYTES = 2**20

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_MESSAGE_CHARACTERS = 200
"""Limit for `tomllib`'s message, which may quote a key of any length."""


def read_text(path: str | os.PathLike[str]) -> str:
    """Read the text of a configuration file.

    Raises:
        ConfigError: the file cannot be read, is too large, or is not UTF-8; one line, which begins with the
            path as given.
    """
    source = os.fspath(path)
    try:
        with Path(source).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"{printable(source)}: cannot be read as a configuration file: {reason.lower()}") from error
    return _decoded(data, source)


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Parse the tables of a TOML text.

    Raises:
        ConfigError: the text is not TOML; one line, which begins with `source`.
    """
    if text.startswith("\ufeff"):
        raise ConfigError(
            f"{printable(source)}, line 1: begins with a byte-order mark, must be saved as UTF-8 without it"
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax_error(str(error), text, source)) from None
    except RecursionError:
        raise ConfigError(f"{printable(source)}: arrays or tables are nested deeper than can be read") from None
    except ValueError:  # not a TOMLDecodeError: Python refuses to convert thousands of digits
        raise ConfigError(f"{printable(source)}: holds a number of more digits than can be read") from None


def printable(text: str) -> str:
    """Text on one line: characters that would break the line or a terminal are escaped."""
    return text if text.isprintable() else json.dumps(text)[1:-1]


def _decoded(data: bytes, source: str) -> str:
    where = printable(source)
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"{where}: is larger than {MAX_FILE_BYTES // 2**20} MiB, which no configuration file is")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{where}: is UTF-16 text, must be saved as UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        wrong = f"byte 0x{data[error.start]:02x} is no UTF-8 text, the file must be saved as UTF-8"
        raise ConfigError(f"{where}, line {line}: {wrong}") from None


def _syntax_error(message: str, text: str, source: str) -> str:
    place = _PLACE.search(message)
    what = printable(message[: place.start()] if place else message)
    what = f"no valid TOML: {what[:1].lower()}{what[1:_MESSAGE_CHARACTERS]}"
    if place is None:
        return f"{printable(source)}: {what}"
    if place[1] is None:
        last = text.rstrip("\n").count("\n") + 1
        return f"{printable(source)}, line {last}: {what}, at the end of the file"
    return f"{printable(source)}, line {place[1]}: {what}, at column {place[2]}"
