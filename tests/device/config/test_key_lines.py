"""Every key's line is found or not given."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from device.config.key_lines import KeyPath, key_lines

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
