"""`auricle check`: its options on the command line, and the checklist that they ask for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from device.config.profiles import DEFAULT_PROFILE
from device.runtime.command_line import add_settings_options
from device.tools.check.checklist import CheckOptions, check

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle check`."""
    add_settings_options(parser)
    parser.add_argument("--instance", metavar="NAME", help="name of the daemon (default: that of the file)")


def run(arguments: argparse.Namespace) -> int:
    """Run `auricle check`; returns its exit code. Raises ConfigError."""
    options = CheckOptions(
        config=arguments.config, profile=arguments.profile or DEFAULT_PROFILE, instance=arguments.instance
    )
    return check(options, sys.stdout)
