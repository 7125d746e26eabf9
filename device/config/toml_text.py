"""The text of a TOML file: read within a size limit, decoded and parsed. Knows no key."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.config.toml_cures import toml_cure
from device.errors import ConfigError
from device.printable import printable

MAX_FILE_BYTES = 2**20

MAX_SYNTAX_PROBLEMS = 20
"""So many are listed; each costs a parse."""

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
        raise _TomlSyntaxError(_syntax_problem(str(error), text), source) from None
    except RecursionError:
        raise ConfigError(f"{printable(source)}: arrays or tables are nested deeper than can be read") from None
    except ValueError:  # not a TOMLDecodeError: Python refuses to convert thousands of digits
        raise ConfigError(f"{printable(source)}: holds a number of more digits than can be read") from None


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


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """Where `tomllib` stopped, and why.

    Attributes:
        line: counted from 1; None if it is not known.
        sentence: what is wrong, and what to write instead.
    """

    line: int | None
    sentence: str


def parse_leniently(text: str, source: str) -> tuple[dict[str, Any], str, list[SyntaxProblem]]:
    """Parse a TOML text without the lines that are none, to find what else is wrong with it.

    Args:
        text: of a file.
        source: its name in an error's sentence.

    Returns:
        The tables; the text that they were parsed from, with the same lines as `text`; and the problems.

    Raises:
        ConfigError: no line is to blame, or there are more than `MAX_SYNTAX_PROBLEMS`.
    """
    lines, problems = text.split("\n"), list[SyntaxProblem]()
    while True:
        try:
            return parse_toml("\n".join(lines), source), "\n".join(lines), problems
        except _TomlSyntaxError as found:
            problem = found.problem
            if problem.line is None or len(problems) == MAX_SYNTAX_PROBLEMS or not lines[problem.line - 1].strip():
                raise
            problems.append(problem)
            _blank(lines, problem.line - 1)


def _blank(lines: list[str], wrong: int) -> None:
    """Empty a line; with a table's header go its keys, which would be looked for in the table before."""
    is_header = lines[wrong].lstrip().startswith("[")
    lines[wrong] = ""
    below = wrong + 1
    while is_header and below < len(lines) and not lines[below].lstrip().startswith("["):
        lines[below] = ""
        below += 1


class _TomlSyntaxError(ConfigError):
    """A text is not TOML."""

    def __init__(self, problem: SyntaxProblem, source: str) -> None:
        where = printable(source) if problem.line is None else f"{printable(source)}, line {problem.line}"
        super().__init__(f"{where}: {problem.sentence}")
        self.problem = problem


def _syntax_problem(message: str, text: str) -> SyntaxProblem:
    place = _PLACE.search(message)
    message = message[: place.start()] if place else message
    what = printable(message)
    what = f"no valid TOML: {what[:1].lower()}{what[1:_MESSAGE_CHARACTERS]}"
    if place is None:
        return SyntaxProblem(None, what)
    at = "at the end of the file" if place[1] is None else f"at column {place[2]}"
    line = text.rstrip("\n").count("\n") + 1 if place[1] is None else int(place[1])
    cure = printable(toml_cure(message, text.split("\n")[line - 1].rstrip("\r")))
    return SyntaxProblem(line, f"{what}, {at}; {cure}" if cure else f"{what}, {at}")
