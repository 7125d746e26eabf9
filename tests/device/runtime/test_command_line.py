"""Options and value parsers that several verbs share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from device.config.loading import profile
from device.errors import ConfigError
from device.runtime.command_line import add_settings_options, bounded_number, chosen_settings, whole_number

if TYPE_CHECKING:
    from pathlib import Path


def _chosen(*words: str) -> object:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_settings_options(parser)
    return chosen_settings(parser.parse_args(words))


def test_without_options_the_settings_are_the_nursery_profile() -> None:
    assert _chosen() == profile("nursery")


def test_profile_and_file_each_choose_their_settings(tmp_path: Path) -> None:
    assert _chosen("--profile", "stethoscope") == profile("stethoscope")
    path = tmp_path / "anna.toml"
    path.write_text('profile = "stethoscope"\n')
    assert _chosen("--config", str(path)) == profile("stethoscope")


def test_a_profile_and_a_file_together_are_refused() -> None:
    with pytest.raises(argparse.ArgumentError, match="not allowed with"):
        _chosen("--profile", "stethoscope", "--config", "anna.toml")


def test_an_unknown_profile_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="nursry"):
        _chosen("--profile", "nursry")


@pytest.mark.parametrize("text", ["1", "8", "08"])
def test_a_whole_number_within_bounds_is_returned(text: str) -> None:
    assert whole_number(text, 1, 8, "a number of processes") == int(text)


@pytest.mark.parametrize("text", ["0", "9", "-1", "1.5", "", "two", "²", "٣"])
def test_any_other_text_is_refused_with_the_bounds(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a number of processes, 1 to 8"):
        whole_number(text, 1, 8, "a number of processes")


@pytest.mark.parametrize(("text", "number"), [("1", 1.0), ("0.5", 0.5), (".5", 0.5), ("2.", 2.0), ("1e2", 100.0)])
def test_a_number_within_bounds_is_returned(text: str, number: float) -> None:
    assert bounded_number(text, 0.5, 100, "no number of minutes, 0.5 to 100") == number


@pytest.mark.parametrize(
    "text", ["0.4", "101", "nan", "inf", "1_0", "1,5", "", "ten", "\u0665", "1\u0668", "\uff13", "0x10"]
)
def test_any_other_text_is_no_number_digits_of_other_scripts_neither(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"is no number of minutes, 0\.5 to 100$"):
        bounded_number(text, 0.5, 100, "no number of minutes, 0.5 to 100")
