"""The example of a configuration file: every key, commented out, below its meaning and range."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from device.config.example import example_config, example_lines
from device.config.kinds import Boolean, Choice, Integer, Number, OrKeyword, Several, Text
from device.config.loading import parse_config, profile
from device.config.profiles import DEFAULT_PROFILE
from device.config.push.notify_settings import NotifySettings
from device.config.schema import TableSettings, every_key, key, named_tables, table, table_array
from device.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Pin(TableSettings):
    """A pin that is named."""

    name: str
    number: int = key(4, Integer(0, 27), "Where it is.")


@dataclass(frozen=True, slots=True)
class Lamp(TableSettings):
    """A lamp."""

    dark_s: float | None = key(None, OrKeyword(Number(0.0, 9.0, "s"), "never"), "Until it is dark.")


@dataclass(frozen=True, slots=True)
class Guest(TableSettings):
    """A guest."""

    colours: tuple[str, ...] = key(("red", "blue"), Several(Choice(("red", "blue"))), "What a guest likes.")


@dataclass(frozen=True, slots=True)
class House(TableSettings):
    """A house."""

    open_door: bool = key(default=False, kind=Boolean(), description="Whether one may come in.")
    lamp: Lamp = table(Lamp)
    pins: tuple[Pin, ...] = named_tables("pin", Text("[a-z]+", "a word of a-z"), Pin, "bell")
    guest: tuple[Guest, ...] = table_array(Guest)


def _uncommented(text: str) -> str:
    return re.sub(r"(?m)^# (\w+ = )", r"\1", text)


def test_the_example_holds_every_key_with_its_meaning_range_and_default() -> None:
    assert "\n".join(example_lines(House())) == (
        "# Whether one may come in. Must be true or false.\n"
        "# open_door = false\n"
        "\n"
        "# A lamp.\n"
        "[lamp]\n"
        '# Until it is dark. Must be a number from 0 to 9 s, or "never".\n'
        '# dark_s = "never"\n'
        "\n"
        "# A pin that is named.\n"
        "[pin.bell]\n"
        "# Where it is. Must be a whole number from 0 to 27.\n"
        "# number = 4\n"
        "\n"
        "# A guest. Uncomment the header with its keys.\n"
        "#[[guest]]\n"
        '# What a guest likes. Must be an array, each value of it "red" or "blue".\n'
        '#colours = ["red", "blue"]'
    )


def test_a_table_that_an_array_holds_is_written_with_its_header() -> None:
    lines = list(example_lines(House(guest=(Guest(("blue",)),))))
    assert lines[-3:] == [
        "[[guest]]",
        '# What a guest likes. Must be an array, each value of it "red" or "blue".',
        '# colours = ["blue"]',
    ]


def test_the_blocks_of_arrays_hold_once_their_headers_and_keys_are_uncommented() -> None:
    uncommented = re.sub(r"(?m)^#(\w+ = |\[\[)", r"\1", example_config())
    assert parse_config(uncommented, source="a.toml").notify == (NotifySettings(),)


def test_the_example_is_the_defaults_commented_out_or_not() -> None:
    example = example_config()
    assert parse_config(example, source="a.toml") == profile(DEFAULT_PROFILE)
    assert parse_config(_uncommented(example), source="a.toml") == profile(DEFAULT_PROFILE)


def test_the_example_holds_every_key_once() -> None:
    written = re.findall(r"(?m)^# ?(\w+) = ", example_config())
    assert sorted(written) == sorted(str(path[-1]) for path, _ in every_key(Settings))


def test_the_example_fits_a_terminal_and_is_plain_text() -> None:
    example = example_config()
    assert example.isascii()
    assert example.endswith("\n")
    assert max(len(line) for line in example.splitlines()) <= 100


def test_the_files_in_the_documentation_hold() -> None:
    page = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
    files = re.findall(r"(?s)^```toml\n(.*?)^```$", page, re.MULTILINE)
    settings, *_ = [parse_config(file, source="configuration.md") for file in files]
    assert [model.bundle for model in settings.listening] == ["cry", "cry-reason", "scream", "lung.tflite"]
    assert settings.models[0].label("cry").operating_point() == {"hold_s": 5.0, "on": 0.8}
