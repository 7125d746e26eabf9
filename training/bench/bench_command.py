"""The command `python -m training bench`: every run of the bench that is not there yet, one after the other.

Each command runs in a process of its own, so that no run inherits another one's threads, seeds or memory, and a run
that fails ends no other. What was stopped goes on with the same call.
"""

from __future__ import annotations

import fnmatch
import logging
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from device.errors import ConfigError
from training.bench.bench_steps import BREATH_COLLECTION, BenchPlaces, bench_steps, breath_list
from training.data.split_list import LUNG_LIST, read_list
from training.splits.subject_split import PARTS, Assignment, check_subjects, save_assignments

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from training.bench.bench_steps import BenchStep
    from training.splits.subject_split import Part

_LOG = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--weights", type=Path, required=True, metavar="NPZ", help="AudioSet's weights of mn04")
    parser.add_argument("--out", type=Path, required=True, metavar="RUNS", help="folder for the run folders")
    parser.add_argument(
        "--only", nargs="+", metavar="PATTERN", help="runs of these names alone, such as 'han-*'; --list shows them"
    )
    parser.add_argument("--list", action="store_true", help="print the commands that are left, and run none")


def run(args: argparse.Namespace) -> int:
    """Run what is left; 1 if a command failed, 128 and its number after a signal."""
    places = BenchPlaces(args.data, args.weights, args.out)
    left = _left(places, args.only)
    if args.list:
        print("".join(f"{_quoted(step)}\n" for step in left), end="")
        return 0
    if not args.weights.is_file():
        raise ConfigError(f"{args.weights} is no file: --weights names AudioSet's weights of mn04")
    _write_breath_list(places)
    failed = []
    for number, step in enumerate(left, start=1):
        _LOG.info("%d of %d: %s", number, len(left), step.name)
        code, signal_number = _ended_with(step)
        if signal_number:
            print(f"training bench: stopped in {step.name}; the same command goes on", file=sys.stderr)
            return 128 + signal_number
        failed += [] if code == 0 else [step.name]
    return _summary(left, failed)


def _left(places: BenchPlaces, only: Sequence[str] | None) -> list[BenchStep]:
    """The steps that have not ended well yet, of those that are asked for.

    Raises:
        ConfigError: a pattern names no step.
    """
    steps = list(bench_steps(places))
    for pattern in only or ():
        if not fnmatch.filter([step.name for step in steps], pattern):
            raise ConfigError(f'--only "{pattern}" names no run; --list shows all names that there are')
    wanted = [step for step in steps if only is None or any(fnmatch.fnmatch(step.name, one) for one in only)]
    return [step for step in wanted if not step.made.exists()]


def _write_breath_list(places: BenchPlaces) -> None:
    """The committed list of breath sounds, of one collection alone, as `train --split` takes it."""
    listed = [clip for clip in read_list(LUNG_LIST) if clip.set == BREATH_COLLECTION and clip.part in PARTS]
    beginning = f"{BREATH_COLLECTION}/"
    assignments = [
        Assignment(clip.file.removeprefix(beginning), clip.subject, cast("Part", clip.part)) for clip in listed
    ]
    check_subjects(assignments)
    path = breath_list(places)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_assignments(path, assignments)


def _ended_with(step: BenchStep) -> tuple[int, int]:
    """Run one step to its end, to which a signal is passed on: its exit code, and the last signal or 0."""
    began_s = time.monotonic()
    command = [sys.executable, "-m", "training", *step.arguments]
    process = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - our own program, no shell
    taken: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        taken.append(number)
        process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    _LOG.info("%s: exit code %d after %.0f s", step.name, code, time.monotonic() - began_s)
    return code, taken[-1] if taken else 0


def _summary(left: Sequence[BenchStep], failed: Sequence[str]) -> int:
    if failed:
        print(f"training bench: {len(failed)} of {len(left)} failed: {', '.join(failed)}", file=sys.stderr)
        return 1
    print(f"{len(left)} commands ran; every run that was asked for is there" if left else "nothing was left to run")
    return 0


def _quoted(step: BenchStep) -> str:
    return shlex.join(["python", "-m", "training", *step.arguments])
