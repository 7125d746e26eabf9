"""`auricle models` and `auricle models verify`: which bundles are shipped, and whether one holds on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.runtime.model_library import describe_shipped, verify

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle models`."""
    actions = parser.add_subparsers(dest="action", metavar="VERB")
    verifying = actions.add_parser("verify", help="repeat every check on a bundle, on this machine")
    verifying.add_argument("bundle", metavar="BUNDLE", help="a shipped model's name, or a .tflite file")


def run(arguments: argparse.Namespace) -> int:
    """Print the shipped models, or the checks that one passed; returns exit code 0.

    Raises:
        BundleError: a bundle is damaged, or a check fails.
        MissingExtraError: no runtime for networks is installed.
    """
    for line in verify(arguments.bundle) if arguments.action == "verify" else describe_shipped():
        print(line)
    return 0
