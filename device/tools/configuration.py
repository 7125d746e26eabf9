"""`auricle config`: prints an example configuration or the JSON Schema of one, or checks a file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from device.config.example import example_config
from device.config.json_schema import schema_text
from device.config.loading import check_config, line_of
from device.errors import ConfigError
from device.printable import printable
from device.quantity import quantity

if TYPE_CHECKING:
    import argparse

_BAD_INPUT = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle config`."""
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--example", action="store_true", help="print a commented example with every key")
    chosen.add_argument("--schema", action="store_true", help="print a JSON Schema for editors")
    chosen.add_argument("--check", metavar="FILE", help="list every mistake in a file")
    parser.add_argument(
        "--offline", action="store_true", help="with --check: look at no other file, and not for the time zone"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the example, the schema, or what is wrong with a file; returns exit code 0, or 2 for mistakes.

    Raises:
        ConfigError: the file cannot be read, or options contradict each other.
    """
    if arguments.offline and not arguments.check:
        raise ConfigError("--offline goes with --check FILE")
    if arguments.check:
        return _check(arguments.check, offline=arguments.offline)
    print(example_config() if arguments.example else schema_text(), end="")
    return 0


def _check(path: str, *, offline: bool) -> int:
    """Print every mistake of a file on a line of stderr, in the order of the file."""
    checked = check_config(path)
    mistakes = list(checked.mistakes)
    if not offline:
        from device.tools.config_files import outside_mistakes  # numpy, for bundles

        found = outside_mistakes(checked.settings)
        mistakes += [(line_of(error.key, checked.lines), str(error)) for error in found]
    if not mistakes:
        print(f"{path} holds")
        return 0
    for line, sentence in sorted(mistakes, key=lambda mistake: mistake[0] or sys.maxsize):
        where = printable(path) if line is None else f"{printable(path)}, line {line}"
        print(f"auricle: {where}: {' '.join(sentence.split())}", file=sys.stderr)
    if len(mistakes) > 1:
        print(f"auricle: {quantity(len(mistakes), 'mistake')} in {printable(path)}", file=sys.stderr)
    return _BAD_INPUT
