"""The file system that install and uninstall change: its options on the command line, its lock, a plan's execution."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import ServiceError
from device.tools.install.layout import Layout

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from device.tools.install.steps import Runner, Step

MACHINE_ROOT = Path("/")


def add_root_options(parser: argparse.ArgumentParser) -> None:
    """Add `--root DIR` and `--dry-run`."""
    parser.add_argument(
        "--root", metavar="DIR", default="/", help="the file system to change (default: this machine's)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")


def layout_below(root: Path) -> Layout:
    """The paths below a root. Raises ServiceError if the root is no folder."""
    if not root.is_dir():
        raise ServiceError(f"{root} is no folder; --root names the file system of a machine, or one prepared for it")
    return Layout(root.absolute())


@contextmanager
def exclusive_access(layout: Layout, *, dry_run: bool) -> Iterator[None]:
    """Nobody else changes this root meanwhile; the lock ends with the process, however it ends.

    Args:
        layout: below the root.
        dry_run: take no lock.

    Raises:
        ServiceError: another install or uninstall holds the lock.
    """
    handle = os.open(layout.root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not dry_run:
            _lock(handle)
        yield
    finally:
        os.close(handle)


def execute(steps: Sequence[Step], runner: Runner, *, dry_run: bool) -> None:
    """Print each step's message and execute the step; a dry run only prints. Raises what the steps raise."""
    before = os.umask(0o022)  # what root's own mask would hide, the daemon could not read
    try:
        for step in steps:
            if step.message:
                print(step.message, flush=True)
            if not dry_run:
                step.execute(runner)
    finally:
        os.umask(before)


def refuse(sentence: str | None) -> None:
    """Raise ServiceError with the sentence, unless it is None."""
    if sentence is not None:
        raise ServiceError(sentence)


def _lock(handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ServiceError("another auricle install or uninstall is at work here: wait for it to end") from error
