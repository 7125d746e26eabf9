"""Reading tables, on settings that Auricle does not have: values and problems follow from the classes."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from device.config.key_lines import key_lines
from device.config.kinds import Boolean, Choice, Integer, Number, OrKeyword, Text
from device.config.schema import TableSettings, key, named_tables, table
from device.config.table_reader import first_problem, read_settings

if TYPE_CHECKING:
    from device.config.schema import Conflict


@dataclass(frozen=True, slots=True)
class Pin(TableSettings):
    """A pin that is named."""

    name: str
    number: int = key(4, Integer(0, 27), "Where it is.")


@dataclass(frozen=True, slots=True)
class Lamp(TableSettings):
    """A lamp."""

    dim_s: float = key(1.0, Number(0.0, 9.0, "s"), "Until it is dim.")
    dark_s: float | None = key(None, OrKeyword(Number(0.0, 9.0, "s"), "never"), "Until it is dark.")

    def conflict(self) -> Conflict | None:
        if self.dark_s is not None and self.dark_s < self.dim_s:
            return (("dim_s",), ("dark_s",)), f'"dark_s" is {self.dark_s:g}, must be at least {self.dim_s:g}'
        return None


@dataclass(frozen=True, slots=True)
class House(TableSettings):
    """A house."""

    colour: str = key("red", Choice(("red", "green", "blue")), "What it looks like.")
    open_door: bool = key(default=False, kind=Boolean(), description="Whether one may come in.")
    lamp: Lamp = table(Lamp)
    pins: tuple[Pin, ...] = named_tables("pin", Text("[a-z]+", "a word of a-z"), Pin, "bell")


def _first(text: str) -> tuple[int | None, str]:
    parsed = tomllib.loads(text)
    lines = key_lines(text, parsed)
    first = first_problem(read_settings(House, parsed)[1], lines)
    return first.line(lines), first.sentence


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
    first = first_problem(read_settings(House, {"lamp": {"dim": 1}})[1], {})
    assert first.line({}) is None
    assert "[lamp]" in first.sentence


def test_a_wrong_value_is_no_contradiction_as_well() -> None:
    problems = read_settings(House, {"lamp": {"dim_s": 99, "dark_s": 0}})[1]
    assert [problem.paths for problem in problems] == [(("lamp", "dim_s"),)]
