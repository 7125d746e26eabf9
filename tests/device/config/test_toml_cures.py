"""What people type instead of TOML is answered with what to type."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config.loading import parse_config
from device.config.toml_cures import toml_cure
from device.config.toml_text import parse_leniently, parse_toml
from device.errors import ConfigError


def _refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, source="a.toml")
    return str(caught.value)


INVALID = "a.toml, line 1: no valid TOML: invalid value, at column 5; "
BEHIND = "a.toml, line 1: no valid TOML: expected newline or end of document after a statement, at column "


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = yes", f"{INVALID}write true"),
        ("a = On # always", f"{INVALID}write true"),
        ("a = no", f"{INVALID}write false"),
        ("a = True", f"{INVALID}write true, in small letters"),
        ("a = off", f'{INVALID}write "off" in quotes, or false if the key takes true and false'),
        ("a = None", f'{INVALID}write "off" in quotes, or leave the key out'),
        ("a = broker.local", f'{INVALID}write text in quotes, "broker.local"'),
        ("a = /etc/auricle/ca.pem # ours", f'{INVALID}write text in quotes, "/etc/auricle/ca.pem"'),
        ("a = \u201cx\u201d", f'{INVALID}write straight quotes, ", instead of curly ones'),
        ("a = .5", f"{INVALID}write a digit before the point, 0.5"),
        ("a = # nothing", f"{INVALID}write a value behind the equals sign, or leave a out"),
        ("a == 1", "a.toml, line 1: no valid TOML: invalid value, at column 4; write one equals sign"),
        ("a = 0,5", f"{BEHIND}6; write a decimal point, 0.5"),
        ("a = 5.", f"{BEHIND}6; write a digit behind the point, 5.0"),
        ("a = 07", f"{BEHIND}6; write the number without a leading zero, 7"),
        ("a = 50 %", f"{BEHIND}8; write the number without its unit, 50"),
        ("a = 5s", f"{BEHIND}6; write the number without its unit, 5"),
        ("a = 07:30", f'{BEHIND}6; write times in quotes, "07:30"'),
        ("a = 22:00-06:00", f'{BEHIND}7; write times in quotes, "22:00-06:00"'),
        ("a = 192.168.0.7", f'{BEHIND}12; write text in quotes, "192.168.0.7"'),
        ('a = "x";', f"{BEHIND}8; leave out the ; at the end"),
        ("a = 1 b = 2", f"{BEHIND}7; write one value, and what follows on a line of its own"),
        ("[mqtt] tls = true", f"{BEHIND}8; write the table's header alone on its line, as [listen]"),
        (
            "a = [1 2]",
            (
                "a.toml, line 1: no valid TOML: unclosed array, at column 8; "
                "separate the values by commas, and close the array with ]"
            ),
        ),
        (
            'a = ["x" = 1]',
            (
                "a.toml, line 1: no valid TOML: unclosed array, at column 10; "
                "write values alone in an array, without = signs, separated by commas"
            ),
        ),
        (
            "a = 1\nb = 2\na = 3\n[x]\n",
            (
                "a.toml, line 3: no valid TOML: cannot overwrite a value, at column 6; "
                "the key is there twice, leave one of them out"
            ),
        ),
        (
            "[x]\n[x]",
            (
                "a.toml, line 2: no valid TOML: cannot declare ('x',) twice, at column 3; "
                "the table is there twice, put all its keys under one header"
            ),
        ),
        (
            "a: 1",
            (
                "a.toml, line 1: no valid TOML: expected '=' after a key in a key/value pair, at column 2; "
                "write = instead of the colon, a = ..."
            ),
        ),
        (
            "// a comment",
            "a.toml, line 1: no valid TOML: invalid statement, at column 1; begin a comment with #",
        ),
        (
            'a = "x\nb = 1',
            "a.toml, line 1: no valid TOML: illegal character '\\n', at column 7; close the quotes",
        ),
        (
            'a = "C:\\d"',
            (
                "a.toml, line 1: no valid TOML: unescaped '\\' in a string, at column 10; "
                "write the text in single quotes, or \\\\ for each \\"
            ),
        ),
    ],
)
def test_what_is_no_toml_gets_its_cure(text: str, sentence: str) -> None:
    assert _refusal(text) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[mqtt]\ntls = "yes"', '"tls" in [mqtt] is "yes", must be true or false; write true without quotes'),
        (
            '[mqtt]\nport = "1883"',
            '"port" in [mqtt] is "1883", must be a whole number from 1 to 65535, or "usual"; write 1883 without quotes',
        ),
        (
            '[listen]\nhop_s = "0,5"',
            '"hop_s" in [listen] is "0,5", must be a number from 0.1 to 2 s; write 0.5 without quotes',
        ),
        ("[mqtt]\nusername = 5", '"username" in [mqtt] is 5, must be a user\'s name, or "none"; write "5"'),
        (
            "[self_test]\ndaily_at = 07:30:00",
            '"daily_at" in [self_test] is the date or time 07:30:00, must be HH:MM, or "off"; write "07:30"',
        ),
        (
            "[deafness]\ngates_to_zero = 1",
            '"gates_to_zero" in [deafness] is 1, must be true or false; write true',
        ),
    ],
)
def test_a_value_of_the_wrong_type_gets_its_cure(text: str, sentence: str) -> None:
    assert _refusal(text) == f"a.toml, line 2: {sentence}"


@given(st.text(), st.text())
def test_any_line_has_a_cure_or_none(message: str, line: str) -> None:
    for start in ("Invalid value", "Expected newline or end of document", "Unclosed array", "Expected '='", message):
        assert "\n" not in toml_cure(start, line.replace("\n", ""))


@given(
    st.lists(st.sampled_from(["a = 1", "a = yes", "[x]", "[x", "b = [", "c = 1", '"', "d = 1, 2", "]"]), max_size=30)
)
def test_a_cured_text_has_the_lines_of_the_original(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        tables, rest, problems = parse_leniently(text, "a.toml")
    except ConfigError as error:
        assert re.match(r"a\.toml, line [0-9]+: ", str(error))  # noqa: PT017 - often none is raised
        return
    assert parse_toml(rest, "a.toml") == tables
    assert rest.count("\n") == text.count("\n")
    assert (rest == text) == (problems == [])
