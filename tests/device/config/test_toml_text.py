"""A TOML text: what cannot be read says why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config.toml_text import MAX_FILE_BYTES, parse_toml, read_text
from device.errors import ConfigError
from device.printable import printable

if TYPE_CHECKING:
    from pathlib import Path


def _refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_toml(text, "a.toml")
    return str(caught.value)


# --- reading


def test_a_text_is_read_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes("# grüß\r\na = 1\n".encode())
    assert parse_toml(read_text(file), "a.toml") == {"a": 1}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xff\xfea\x00", ": is UTF-16 text, must be saved as UTF-8"),
        (b"a = 1\nb = '\xe9'\n", ", line 2: byte 0xe9 is no UTF-8 text, the file must be saved as UTF-8"),
        (b"#" * (MAX_FILE_BYTES + 1), ": is larger than 1 MiB, which no configuration file is"),
    ],
)
def test_bytes_that_are_no_text_are_refused_in_one_sentence(tmp_path: Path, data: bytes, expected: str) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        read_text(file)
    assert str(caught.value) == f"{file}{expected}"


def test_the_largest_file_is_still_read(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(b"#" * MAX_FILE_BYTES)
    assert len(read_text(file)) == MAX_FILE_BYTES


def test_a_missing_file_or_a_folder_says_so(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none.toml", "no such file or directory"), (tmp_path, "is a directory")):
        with pytest.raises(ConfigError) as caught:
            read_text(path)
        assert str(caught.value) == f"{path}: cannot be read as a configuration file: {why}"
    with pytest.raises(ConfigError, match="null byte"):
        read_text("a\0b.toml")


def test_a_file_that_opens_but_cannot_be_read_says_so() -> None:
    with pytest.raises(ConfigError) as caught:
        read_text("/proc/self/mem")  # its first page is mapped by no process
    assert str(caught.value) == "/proc/self/mem: cannot be read as a configuration file: input/output error"


# --- parsing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\nb = = 2\n", "a.toml, line 2: no valid TOML: invalid value, at column 5; write one equals sign"),
        (
            "a = 1\na = 2\n",
            (
                "a.toml, line 2: no valid TOML: cannot overwrite a value, at column 6; "
                "the key is there twice, leave one of them out"
            ),
        ),
        (
            "a = 1\nb = '''\n\n",
            "a.toml, line 2: no valid TOML: expected \"'''\", at the end of the file; close the quotes",
        ),
        ("\ufeffa = 1", "a.toml, line 1: begins with a byte-order mark, must be saved as UTF-8 without it"),
        ("a = " + "[" * 20_000, "a.toml: arrays or tables are nested deeper than can be read"),
        ("a = " + "1" * 5_000, "a.toml: holds a number of more digits than can be read"),
    ],
)
def test_a_text_that_is_no_toml_says_where_and_why(text: str, expected: str) -> None:
    assert _refusal(text) == expected


def test_a_complaint_about_a_very_long_key_stays_short() -> None:
    key = "k" * 10_000
    assert len(_refusal(f"[{key}]\n[{key}]\n")) < 320


def _problem(text: str) -> str | None:
    try:
        parse_toml(text, "a.toml")
    except ConfigError as error:
        return str(error)
    return None


@given(st.text() | st.text("[]{}=.,#\"'\\\n a1-:u"))
def test_any_text_is_parsed_or_refused_on_one_line(text: str) -> None:
    problem = _problem(text)
    assert problem is None or re.fullmatch(r"a\.toml(, line \d+)?: .+", problem)
    assert problem is None or len(problem.splitlines()) == 1


def test_what_breaks_a_line_or_a_terminal_is_escaped() -> None:
    assert printable("grüß dich") == "grüß dich"
    assert printable("a\nb\u2028c\x1b[31m") == r"a\nb\u2028c\u001b[31m"
