"""Options and value parsers of the command line that several verbs share; each verb adds its own beside them.

Imports late: the command line is parsed without numpy.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from device.quantity import decimal_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from device.config.settings import Settings


def add_settings_options(parser: argparse.ArgumentParser) -> None:
    """Add `--profile NAME` and `--config FILE`, of which one may be given."""
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--profile", metavar="NAME", help="a built-in profile (default: nursery)")
    chosen.add_argument("--config", metavar="FILE", help="a TOML file; see auricle config --example")


def chosen_settings(arguments: argparse.Namespace) -> Settings:
    """The settings that `--profile` or `--config` names.

    Raises:
        ConfigError: the profile is unknown, or the file is not valid.
    """
    from device.config.loading import load_config, profile
    from device.config.profiles import DEFAULT_PROFILE

    if arguments.config:
        return load_config(arguments.config)
    return profile(arguments.profile or DEFAULT_PROFILE)


def named_recordings(paths: Iterable[str]) -> tuple[list[str], int]:
    """The recordings at and below paths, and how many problems were reported, each as one line on stderr.

    A directory that cannot be listed or read does not stop the others.
    """
    from device.errors import RecordingError
    from device.runtime.stderr_lines import print_notice
    from device.sources.recording_paths import find_recordings

    sources: list[str] = []
    failures = 0
    for path in paths:
        try:
            found, problems = find_recordings([path])
        except RecordingError as error:
            found, problems = [], [str(error)]
        for problem in problems:
            print_notice(problem)
        sources += found
        failures += len(problems)
    return sources, failures


def whole_number(text: str, least: int, most: int, what: str) -> int:
    """The number that a text of ASCII digits gives, from `least` to `most`.

    Raises:
        argparse.ArgumentTypeError: it is not `what`.
    """
    if text.isascii() and text.isdigit() and least <= int(text) <= most:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not {what}, {least} to {most}")


def bounded_number(text: str, least: float, most: float, otherwise: str) -> float:
    """The number that a text of ASCII digits gives, from `least` to `most`.

    Raises:
        argparse.ArgumentTypeError: it gives none; `otherwise`, as `no number of minutes, up to 120`, says what.
    """
    try:
        found = decimal_number(text)
    except ValueError:
        found = None
    if found is not None and least <= found <= most:
        return found
    raise argparse.ArgumentTypeError(f"{text!r} is {otherwise}")
