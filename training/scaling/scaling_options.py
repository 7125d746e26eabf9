"""The options `--workers`, `--scheduler` and `--cache`, the same for every verb that computes much."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.scaling.run_all import usable_cores

DEFAULT_CACHE = Path("build/features")


def add_scaling_options(parser: argparse.ArgumentParser, *, has_cache: bool = True) -> None:
    """Add the options to a verb's parser.

    Args:
        parser: of the verb.
        has_cache: whether the verb keeps features.
    """
    parser.add_argument(
        "--workers",
        type=_at_least_one,
        default=usable_cores(),
        metavar="N",
        help="processes that compute; their number changes no result (default: all cores, here %(default)s)",
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask cluster that computes instead, such as tcp://10.0.0.2:8786"
    )
    if has_cache:
        parser.add_argument(
            "--cache",
            type=Path,
            default=DEFAULT_CACHE,
            metavar="DIR",
            help="features that were computed before (default: %(default)s; may be deleted at any time)",
        )


def _at_least_one(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of processes; give 1 or more')
    return int(text)
