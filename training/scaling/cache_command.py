"""Prints how large a cache of features is, and bounds it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import ConfigError
from training.scaling.feature_cache import FeatureCache
from training.scaling.scaling_options import DEFAULT_CACHE

if TYPE_CHECKING:
    import argparse

_BYTES_PER_GB = 1e9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument(
        "--cache", type=Path, default=DEFAULT_CACHE, metavar="DIR", help="the folder (default: %(default)s)"
    )
    parser.add_argument(
        "--keep-gb", type=float, metavar="N", help="delete what was used longest ago until at most N gigabytes are left"
    )


def run(args: argparse.Namespace) -> int:
    """Bound the cache if asked to, and print what it holds."""
    if not args.cache.is_dir():
        raise ConfigError(f"{args.cache} is no folder; name the one that was given as --cache")
    cache = FeatureCache(args.cache)
    if args.keep_gb is not None:
        if not args.keep_gb >= 0:
            raise ConfigError(f"--keep-gb {args.keep_gb:g}: give 0 or more")
        freed = cache.prune(round(args.keep_gb * _BYTES_PER_GB))
        print(f"deleted {freed / _BYTES_PER_GB:.3f} GB")
    count, size = cache.extent()
    print(f"{args.cache}: {count} entries, {size / _BYTES_PER_GB:.3f} GB")
    return 0
