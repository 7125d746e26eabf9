"""A TOML text: what cannot be read says why, and every key's line is found or not given."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config.toml_text import MAX_FILE_BYTES, KeyPath, key_lines, parse_toml, printable, read_text
from device.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

TRICKY = r'''# profile = "no"
title = "a # b" # [listen]
text = """
[no]
k = 1 \""""
ends = """two quotes """""
'a.b' . "c\td" = 'x = [1'   # dotted, quoted
[ model . "cry" ]
list = [ # threads = 2
  {x = 1, "y]" = [1,
  2, # ]
  ]}, '[[m]]'
]
when = 1979-05-27 07:32:00 # a date with a blank in it
empty = {}
[[m]]
n = '''
TRICKY += """'''it's
[listen]
quoted''''
[m.sub]
q = "a\\"#b"
[[m]]
[[m.sub]]
p = -inf
[z.y]
[z]
"""


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
    ("data", "said"),
    [
        (b"\xff\xfea\x00", ": is UTF-16 text, must be saved as UTF-8"),
        (b"a = 1\nb = '\xe9'\n", ", line 2: byte 0xe9 is no UTF-8 text, the file must be saved as UTF-8"),
        (b"#" * (MAX_FILE_BYTES + 1), ": is larger than 1 MiB, which no configuration file is"),
    ],
)
def test_bytes_that_are_no_text_are_refused_in_one_sentence(tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        read_text(file)
    assert str(caught.value) == f"{file}{said}"


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
    ("text", "said"),
    [
        ("a = 1\nb = = 2\n", "a.toml, line 2: no valid TOML: invalid value, at column 5"),
        ("a = 1\na = 2\n", "a.toml, line 2: no valid TOML: cannot overwrite a value, at column 6"),
        ("a = 1\nb = '''\n\n", "a.toml, line 2: no valid TOML: expected \"'''\", at the end of the file"),
        ("\ufeffa = 1", "a.toml, line 1: begins with a byte-order mark, must be saved as UTF-8 without it"),
        ("a = " + "[" * 20_000, "a.toml: arrays or tables are nested deeper than can be read"),
        ("a = " + "1" * 5_000, "a.toml: holds a number of more digits than can be read"),
    ],
)
def test_a_text_that_is_no_toml_says_where_and_why(text: str, said: str) -> None:
    assert _refusal(text) == said


def test_a_complaint_about_a_very_long_key_stays_short() -> None:
    key = "k" * 10_000
    assert len(_refusal(f"[{key}]\n[{key}]\n")) < 300


def _complaint(text: str) -> str | None:
    try:
        parse_toml(text, "a.toml")
    except ConfigError as error:
        return str(error)
    return None


@given(st.text() | st.text("[]{}=.,#\"'\\\n a1-:u"))
def test_any_text_is_parsed_or_refused_on_one_line(text: str) -> None:
    complaint = _complaint(text)
    assert complaint is None or re.fullmatch(r"a\.toml(, line \d+)?: .+", complaint)
    assert complaint is None or len(complaint.splitlines()) == 1


def test_what_breaks_a_line_or_a_terminal_is_escaped() -> None:
    assert printable("grüß dich") == "grüß dich"
    assert printable("a\nb\u2028c\x1b[31m") == r"a\nb\u2028c\u001b[31m"


# --- lines


def test_strings_comments_and_nesting_do_not_fool_the_walk() -> None:
    expected: dict[KeyPath, int] = {
        ("title",): 2,
        ("text",): 3,
        ("ends",): 6,
        ("a.b",): 7,
        ("a.b", "c\td"): 7,
        ("model",): 8,
        ("model", "cry"): 8,
        ("model", "cry", "list"): 9,
        ("model", "cry", "list", 0): 10,
        ("model", "cry", "list", 0, "x"): 10,
        ("model", "cry", "list", 0, "y]"): 10,
        ("model", "cry", "list", 0, "y]", 0): 10,
        ("model", "cry", "list", 0, "y]", 1): 11,
        ("model", "cry", "list", 1): 12,
        ("model", "cry", "when"): 14,
        ("model", "cry", "empty"): 15,
        ("m",): 16,
        ("m", 0): 16,
        ("m", 0, "n"): 17,
        ("m", 0, "sub"): 20,
        ("m", 0, "sub", "q"): 21,
        ("m", 1): 22,
        ("m", 1, "sub"): 23,
        ("m", 1, "sub", 0): 23,
        ("m", 1, "sub", 0, "p"): 24,
        ("z",): 26,
        ("z", "y"): 25,
    }
    assert key_lines(TRICKY, tomllib.loads(TRICKY)) == expected
    assert key_lines(TRICKY.replace("\n", "\r\n"), tomllib.loads(TRICKY)) == expected


def test_no_line_is_better_than_a_wrong_one() -> None:
    assert key_lines("a = 1\nb = 2\n", {"a": 1}) == {}
    assert key_lines("a = 1\n", {"a": 1, "b": 2}) == {}
    assert key_lines("a = [1", {"a": [1]}) == {}


def test_a_key_of_very_many_dots_is_given_no_line() -> None:
    text = ".".join("a" * 100) + " = 1\n"
    assert key_lines(text, tomllib.loads(text)) == {}


KEYS = st.sampled_from(["a", "b-1", '"a"', "'b.c'", '"q\\"#"', "a . b", "c.'d'", '"[x]"'])
FILLERS = st.sampled_from(["", "# a = 1", "   # [b]", "\t"])
VALUES = st.recursive(
    st.sampled_from(
        [
            *("1", "-0.5e3", "true", "nan", "07:32:00", "1979-05-27 07:32:00Z"),
            *('"a # b"', "'['", '"\\\\"', "''"),
            *('"""\nb = 1\n[a]\n"""', "'''\n# '' ]'''", '""""""', '"""a\\\n  ""b"""'),
        ],
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(inner, max_size=3).map(lambda items: "[ # ]\n" + "".join(f"  {item}, # x\n" for item in items) + "]"),
        st.lists(inner.filter(lambda item: "\n" not in item), max_size=3).map(
            lambda items: "{" + ", ".join(f"k{n} = {item}" for n, item in enumerate(items)) + "}",
        ),
    ),
    max_leaves=5,
)
STATEMENTS = st.one_of(
    FILLERS,
    st.builds("{} = {} # z".format, KEYS, VALUES),
    KEYS.map("[{}]".format),
    KEYS.map("[[ {} ]]".format),
)


def _leaves(value: Any, path: KeyPath = ()) -> dict[KeyPath, Any]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        return {path: value}
    return {below: leaf for key, item in inner for below, leaf in _leaves(item, (*path, key)).items()}


@given(st.lists(STATEMENTS, max_size=12))
def test_every_valid_text_has_all_its_lines(statements: list[str]) -> None:
    text = ""
    parsed: dict[str, Any] = {}
    span: dict[KeyPath, range] = {}
    for statement in statements:  # those that make the text invalid (a key twice) are left out
        longer = f"{text}{statement}\n"
        try:
            now = tomllib.loads(longer)
        except tomllib.TOMLDecodeError:
            continue
        new = _leaves(now).keys() - _leaves(parsed).keys()
        span |= dict.fromkeys(new, range(text.count("\n") + 1, longer.count("\n") + 1))
        text, parsed = longer, now
    lines = key_lines(text, parsed)
    assert bool(lines) == bool(parsed)
    assert all(lines[path] in span[path] for path in _leaves(parsed) if path)
    for path, number in lines.items():
        if isinstance(path[-1], str):
            assert path[-1].replace('"', '\\"') in text.split("\n")[number - 1]
