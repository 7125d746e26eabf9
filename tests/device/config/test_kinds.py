"""Kinds of values: what each accepts, and how it describes that."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from device.config.kinds import (
    Boolean,
    Choice,
    Host,
    Integer,
    InvalidValueError,
    Number,
    Ordinal,
    OrKeyword,
    Text,
    ValueKind,
)


def _is_invalid(kind: ValueKind, value: Any) -> bool:
    try:
        kind.from_toml(value)
    except InvalidValueError:
        return True
    return False


def test_a_number_may_be_whole_but_no_bool_and_within_its_range() -> None:
    kind = Number(0.5, 2.0, "s")
    assert (kind.from_toml(1), kind.from_toml(0.5), kind.from_toml(2)) == (1.0, 0.5, 2.0)
    assert isinstance(kind.from_toml(1), float)
    assert all(
        _is_invalid(kind, value) for value in (True, "1", math.nan, math.inf, -math.inf, 0.4999, 10**400, [1], None)
    )


def test_a_whole_number_is_no_float_and_no_bool() -> None:
    assert Integer(0, 3).from_toml(3) == 3
    assert all(_is_invalid(Integer(0, 3), value) for value in (1.0, True, "1", -1, 4, 10**400))


def test_an_ordinal_begins_at_1_and_is_kept_from_0() -> None:
    kind = OrKeyword(Ordinal(3), "all")
    assert [kind.from_toml(value) for value in (1, 3, "all")] == [0, 2, None]
    assert [kind.to_toml(setting) for setting in (0, 2, None)] == [1, 3, "all"]
    assert all(_is_invalid(Ordinal(3), value) for value in (0, 4, True, 1.0))


def test_a_switch_is_neither_a_number_nor_a_word() -> None:
    assert Boolean().from_toml(value=False) is False
    assert all(_is_invalid(Boolean(), value) for value in (0, 1, "true", "on", None))


def test_a_text_matches_as_a_whole_and_holds_no_control_character() -> None:
    kind = Text(".+", "something")
    assert kind.from_toml("a b") == "a b"
    assert all(_is_invalid(kind, value) for value in ("", "a\n", "a\x00b", "a\u202eb", 1, ["a"]))
    assert _is_invalid(Text("[a-z]+", "a word"), "ab1")


def test_a_word_stands_for_none_and_all_else_is_as_without_it() -> None:
    kind = OrKeyword(Integer(0, 3), "any")
    assert kind.from_toml("any") is None
    assert kind.from_toml(2) == 2
    assert all(_is_invalid(kind, value) for value in ("Any", 4, True))


def test_what_works_is_said_in_words() -> None:
    assert Number(0.5, 2.0, "s").expects == "a number from 0.5 to 2 s"
    assert Number(0.001, 0.999).expects == "a number from 0.001 to 0.999"
    assert OrKeyword(Integer(0, 3), "any").expects == 'a whole number from 0 to 3, or "any"'
    assert Choice(("a", "b", "c")).expects == '"a", "b" or "c"'


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("broker.local", "broker.local"),
        ("10.0.0.7", "10.0.0.7"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("[fd00:0:0:0:0:0:0:7]", "fd00:0:0:0:0:0:0:7"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("::ffff:10.0.0.7", "::ffff:10.0.0.7"),
    ],
)
def test_a_host_is_a_name_or_an_address_of_either_kind(value: str, host: str) -> None:
    assert Host().from_toml(value) == host
    assert re.search(Host().json_schema()["pattern"], value)
    assert Host().from_toml(Host().to_toml(host)) == host


@pytest.mark.parametrize(
    "value",
    ["10.0.0.7:1883", "broker.local:1883", "[::1]:1883", "[::1", "::1]", "mqtt://broker", "", ":", "a:b", "[broker]"],
)
def test_a_host_has_no_port_and_the_key_for_it_is_named(value: str) -> None:
    assert _is_invalid(Host(), value)
    assert not re.search(Host().json_schema()["pattern"], value)
    assert '"port"' in Host().expects


def test_what_only_looks_like_an_address_is_no_host() -> None:
    assert all(_is_invalid(Host(), value) for value in ("1:2:3:4:5:6:7:8:9", "::1::", 1, None, "fe80::1%"))
