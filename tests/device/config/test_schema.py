"""The schema, on settings that Auricle does not have: reading, complaints and the example follow from the classes."""

from __future__ import annotations

import datetime as dt
import math
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from device.config.schema import (
    Choice,
    Integer,
    Kind,
    NamedTables,
    Number,
    Ordinal,
    OrWord,
    Switch,
    Table,
    TableSettings,
    Text,
    UnfitError,
    alternatives,
    example_lines,
    first_complaint,
    key,
    read_settings,
    shown,
)
from device.config.toml_text import key_lines

if TYPE_CHECKING:
    from device.config.schema import Contradiction


@dataclass(frozen=True, slots=True)
class Pin(TableSettings):
    """A pin that is named."""

    name: str
    number: int = key(4, Integer(0, 27), "Where it is.")


@dataclass(frozen=True, slots=True)
class Lamp(TableSettings):
    """A lamp."""

    dim_s: float = key(1.0, Number(0.0, 9.0, "s"), "Until it is dim.")
    dark_s: float | None = key(None, OrWord(Number(0.0, 9.0, "s"), "never"), "Until it is dark.")

    def contradiction(self) -> Contradiction | None:
        if self.dark_s is not None and self.dark_s < self.dim_s:
            return (("dim_s",), ("dark_s",)), f'"dark_s" is {self.dark_s:g}, must be at least {self.dim_s:g}'
        return None


@dataclass(frozen=True, slots=True)
class House(TableSettings):
    """A house."""

    colour: str = key("red", Choice(("red", "green", "blue")), "What it looks like.")
    open_door: bool = key(default=False, kind=Switch(), says="Whether one may come in.")
    lamp: Lamp = field(default_factory=Lamp, metadata={"entry": Table(Lamp)})
    pins: tuple[Pin, ...] = field(
        default=(), metadata={"entry": NamedTables("pin", Text("[a-z]+", "a word of a-z"), Pin, "bell")}
    )


def _first(text: str) -> tuple[int | None, str]:
    parsed = tomllib.loads(text)
    lines = key_lines(text, parsed)
    first = first_complaint(read_settings(House, parsed)[1], lines)
    return first.line(lines), first.sentence


def _unfit(kind: Kind, value: Any) -> bool:
    try:
        kind.read(value)
    except UnfitError:
        return True
    return False


# --- kinds


def test_a_number_may_be_whole_but_no_bool_and_within_its_range() -> None:
    kind = Number(0.5, 2.0, "s")
    assert (kind.read(1), kind.read(0.5), kind.read(2)) == (1.0, 0.5, 2.0)
    assert isinstance(kind.read(1), float)
    assert all(_unfit(kind, value) for value in (True, "1", math.nan, math.inf, -math.inf, 0.4999, 10**400, [1], None))


def test_a_whole_number_is_no_float_and_no_bool() -> None:
    assert Integer(0, 3).read(3) == 3
    assert all(_unfit(Integer(0, 3), value) for value in (1.0, True, "1", -1, 4, 10**400))


def test_an_ordinal_begins_at_1_and_is_kept_from_0() -> None:
    kind = OrWord(Ordinal(3), "all")
    assert [kind.read(value) for value in (1, 3, "all")] == [0, 2, None]
    assert [kind.write(setting) for setting in (0, 2, None)] == [1, 3, "all"]
    assert all(_unfit(Ordinal(3), value) for value in (0, 4, True, 1.0))


def test_a_switch_is_neither_a_number_nor_a_word() -> None:
    assert Switch().read(value=False) is False
    assert all(_unfit(Switch(), value) for value in (0, 1, "true", "on", None))


def test_a_text_matches_as_a_whole_and_holds_no_control_character() -> None:
    kind = Text(".+", "something")
    assert kind.read("a b") == "a b"
    assert all(_unfit(kind, value) for value in ("", "a\n", "a\x00b", "a\u202eb", 1, ["a"]))
    assert _unfit(Text("[a-z]+", "a word"), "ab1")


def test_a_word_stands_for_none_and_all_else_is_as_without_it() -> None:
    kind = OrWord(Integer(0, 3), "any")
    assert kind.read("any") is None
    assert kind.read(2) == 2
    assert all(_unfit(kind, value) for value in ("Any", 4, True))


def test_what_works_is_said_in_words() -> None:
    assert Number(0.5, 2.0, "s").expects == "a number from 0.5 to 2 s"
    assert Number(0.001, 0.999).expects == "a number from 0.001 to 0.999"
    assert OrWord(Integer(0, 3), "any").expects == 'a whole number from 0 to 3, or "any"'
    assert Choice(("a", "b", "c")).expects == '"a", "b" or "c"'
    assert alternatives(["a"]) == "a"


# --- reading


def test_what_is_not_said_is_as_in_the_class() -> None:
    assert read_settings(House, {}) == (House(), [])


def test_everything_that_is_said_comes_back() -> None:
    text = "colour = 'blue'\nopen_door = true\nlamp = {dim_s = 2, dark_s = 9}\n[pin.door]\n[pin.bell]\nnumber = 27\n"
    house = House("blue", open_door=True, lamp=Lamp(2.0, 9.0), pins=(Pin("door"), Pin("bell", 27)))
    assert read_settings(House, tomllib.loads(text)) == (house, [])


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("[lamp]\ndim = 1", 2, 'unknown key "dim" in [lamp]; did you mean "dim_s"?'),
        ("[lamp]\nDIM_S = 1", 2, 'unknown key "DIM_S" in [lamp]; did you mean "dim_s"?'),
        ("[lamp]\nzzz = 1", 2, 'unknown key "zzz" in [lamp]; there may be "dim_s" or "dark_s"'),
        ("[lmap]\ndim_s = 1", 1, "unknown table [lmap]; did you mean [lamp]?"),
        ("[pins.bell]", 1, "unknown table [pins]; did you mean [pin.NAME]?"),
        ("[pin.bell.inner]", 1, 'unknown table [pin.bell.inner]; did you mean "number"?'),
        ('["a\\nb"]', 1, 'unknown table ["a\\nb"]; there may be "colour", "open_door", [lamp] or [pin.NAME]'),
        ("[lamp]\ncolour = 1", 2, 'unknown key "colour" in [lamp]; it belongs at the top of the file'),
        ("dim_s = 1", 1, 'unknown key "dim_s" at the top of the file; it belongs in [lamp]'),
        ("[lamp]\nnumber = 1", 2, 'unknown key "number" in [lamp]; it belongs in [pin.NAME]'),
        ("\ncolour = 'rde'", 2, '"colour" is "rde", must be "red", "green" or "blue"'),
        ("[lamp]\n\ndim_s = true", 3, '"dim_s" in [lamp] is true, must be a number from 0 to 9 s'),
        ("lamp.dim_s = nan", 1, '"dim_s" in [lamp] is nan, must be a number from 0 to 9 s'),
        ("lamp = 3", 1, '"lamp" is 3, must be a table [lamp]'),
        ("[[lamp]]", 1, '"lamp" is an array, must be a table [lamp]'),
        ("[pin]\nnumber = 3", 2, '"number" in [pin] is 3, must be a table [pin.NAME]'),
        ("[[pin]]\nnumber = 3", 1, '"pin" is an array, must be a table [pin.NAME]'),
        ("[pin.Bell]", 1, '"Bell" in [pin] must be a word of a-z'),
        ("[pin.bell]\nnumber = 28", 2, '"number" in [pin.bell] is 28, must be a whole number from 0 to 27'),
        ("[lamp]\ndark_s = 0", 2, 'in [lamp] "dark_s" is 0, must be at least 1'),
        ("[lamp]\ndark_s = 3\n\ndim_s = 4", 4, 'in [lamp] "dark_s" is 3, must be at least 4'),
    ],
)
def test_a_complaint_names_the_key_its_line_and_what_would_work(text: str, line: int, sentence: str) -> None:
    assert _first(text) == (line, sentence)


def test_the_first_in_the_file_is_complained_of_whatever_the_order_of_the_classes() -> None:
    assert _first("[pin.bell]\nnumber = 99\n[lamp]\ndim_s = 99\nzzz = 1\n[nothing]\n")[0] == 2
    assert _first("[nothing]\n[lamp]\ndim_s = 99\n[pin.bell]\nnumber = 99\n")[0] == 1
    assert _first("[lamp]\nzzz = 1\ndim_s = 99\n")[0] == 2
    assert _first("[lamp]\ndim_s = 99\nzzz = 1\n")[0] == 2


def test_where_no_line_is_known_the_sentence_still_names_the_table() -> None:
    first = first_complaint(read_settings(House, {"lamp": {"dim": 1}})[1], {})
    assert first.line({}) is None
    assert "[lamp]" in first.sentence


def test_a_wrong_value_is_no_contradiction_as_well() -> None:
    complaints = read_settings(House, {"lamp": {"dim_s": 99, "dark_s": 0}})[1]
    assert [complaint.paths for complaint in complaints] == [(("lamp", "dim_s"),)]


# --- words


def test_a_value_is_shown_as_toml_writes_it_short_and_on_one_line() -> None:
    assert [shown(value) for value in (True, 1, 0.5, "a")] == ["true", "1", "0.5", '"a"']
    assert [shown(value) for value in ([1], {"a": 1})] == ["an array", "a table"]
    assert shown(dt.date(2025, 2, 28)) == "the date or time 2025-02-28"
    assert shown("a\nb") == '"a\\nb"'
    assert len(shown("a" * 10_000)) < 100
    assert shown(16**9_000) == "a number of very many digits"


# --- the example


def test_the_example_holds_every_key_with_its_meaning_range_and_default() -> None:
    assert "\n".join(example_lines(House())) == (
        '# What it looks like. Must be "red", "green" or "blue".\n'
        '# colour = "red"\n'
        "# Whether one may come in. Must be true or false.\n"
        "# open_door = false\n"
        "\n"
        "# A lamp.\n"
        "[lamp]\n"
        "# Until it is dim. Must be a number from 0 to 9 s.\n"
        "# dim_s = 1.0\n"
        '# Until it is dark. Must be a number from 0 to 9 s, or "never".\n'
        '# dark_s = "never"\n'
        "\n"
        "# A pin that is named.\n"
        "[pin.bell]\n"
        "# Where it is. Must be a whole number from 0 to 27.\n"
        "# number = 4"
    )
