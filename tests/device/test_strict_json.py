"""JSON from strangers: one reading only, bounded, finite."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import BundleError
from device.strict_json import MAX_DEPTH, members, parse

LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    LEAVES | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), inner)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_what_python_writes_is_read_back(value: object) -> None:
    assert parse(json.dumps(value).encode(), "card.json") == value


@given(st.binary(max_size=60))
def test_bytes_are_json_or_refused(data: bytes) -> None:
    try:
        json.dumps(parse(data, "card.json"))
    except BundleError:
        assert data != b"{}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"\xff", "not UTF-8 at byte 0"),
        (b"\xef\xbb\xbf{}", "no JSON"),
        (b"", "no JSON"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b'{"b": {"a": 1, "a": 1}}', "'a' stands twice"),
        (b"[NaN]", "NaN is no finite"),
        (b"[-Infinity]", "-Infinity is no finite"),
        (b"[1e999]", "1e999 is no finite"),
        (b"[9007199254740993]", "beyond 2"),
        pytest.param(b"[" + b"9" * 5000 + b"]", "beyond 2", id="5000 digits"),
        (b'["\\ud800"]', "half of a surrogate pair"),
        (b'{"\\udc00": 1}', "half of a surrogate pair"),
        pytest.param(b"[" * 100_000, "nested deeper", id="100000 levels"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested deeper"),
        (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "nested deeper"),
    ],
)
def test_what_two_readers_could_understand_differently_is_refused(text: bytes, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        parse(text, "card.json")


def test_the_greatest_depth_is_allowed() -> None:
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, "card.json")


KINDS = {"name": str, "on": float, "count": int}


def test_members_come_in_the_order_of_the_kinds_and_whole_numbers_serve_as_float() -> None:
    found = members({"count": 2, "on": 1, "name": "cry"}, "label", KINDS)
    assert list(found.items()) == [("name", "cry"), ("on", 1.0), ("count", 2)]
    assert type(found["on"]) is float


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([], "label must be an object, is \\[\\]"),
        ({"name": "a", "on": 1.0}, "label lacks 'count'"),
        ({"name": "a", "on": 1.0, "count": 1, "of": 2}, "unknown member 'of'"),
        ({"name": 3, "on": 1.0, "count": 1}, "name must be a string, is 3"),
        ({"name": "a", "on": True, "count": 1}, "on must be a number, is True"),
        ({"name": "a", "on": 1.0, "count": True}, "count must be a whole number"),
        ({"name": "a", "on": 1.0, "count": 1.0}, "count must be a whole number"),
        ({"name": "a", "on": "x" * 99, "count": 1}, r"x\.\.\.$"),
    ],
)
def test_members_are_exactly_those_that_are_known(value: object, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        members(value, "label", KINDS)
