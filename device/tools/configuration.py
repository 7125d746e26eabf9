"""`auricle config`: prints an example configuration or the JSON Schema of one, or checks a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.config.example import example_config
from device.config.json_schema import schema_text
from device.config.loading import load_config

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle config`."""
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--example", action="store_true", help="print a commented example with every key")
    chosen.add_argument("--schema", action="store_true", help="print a JSON Schema for editors")
    chosen.add_argument("--check", metavar="FILE", help="say whether a file holds")


def run(arguments: argparse.Namespace) -> int:
    """Print the example, the schema, or that the file is valid; returns exit code 0.

    Raises:
        ConfigError: the file is not valid.
    """
    if arguments.example:
        print(example_config(), end="")
        return 0
    if arguments.schema:
        print(schema_text(), end="")
        return 0
    load_config(arguments.check)
    print(f"{arguments.check} holds")
    return 0
