"""Prints runs side by side: what they reached, what they cost, and whether they differ by more than chance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from training.results.markdown_tables import hours, million, parameters, signed_with_interval, with_interval
from training.results.run_folder import read_run
from training.results.run_groups import RunGroup
from training.results.run_measures import difference, main_measure

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from training.results.run_folder import TrainedRun

_COLUMNS = ("run", "system", "task", "seed", "measure on test", "95 % interval", "params", "MACs", "core-h", "ended")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a finished run")


def run(args: argparse.Namespace) -> int:
    """Print a line for each run, and the difference of each to the first one."""
    runs = [read_run(folder) for folder in args.runs]
    print("\n".join(_aligned([_COLUMNS, *map(_row, runs)])))
    if len(runs) > 1:
        print()
        for other in runs[1:]:
            print(_difference(other, runs[0]))
    return 0


def _row(one: TrainedRun) -> tuple[str, ...]:
    measure = main_measure(_alone(one))
    figure, _, interval = with_interval(measure.value, measure.low, measure.high).partition(" ")
    official = ", official split" if one.official else ""
    return (
        one.name,
        one.system,
        one.task,
        str(one.seed),
        f"{measure.name} {figure}",
        interval.strip("()"),
        parameters(one.record["parameters"]),
        million(one.record["macs"]),
        hours(one.core_hours),
        f"{one.record['ended']}, {one.record['epochs']} epochs{official}",
    )


def _difference(ours: TrainedRun, theirs: TrainedRun) -> str:
    found = difference(_alone(ours), _alone(theirs))
    if found is None:
        return f"{ours.name} and {theirs.name} were judged by other windows or for another task: they do not compare"
    interval = signed_with_interval(found.value, found.low, found.high)
    surely = "" if found.low > 0 or found.high < 0 else ": may be chance"
    return f"{ours.name} less {theirs.name}: {found.name} {interval}{surely}"


def _alone(one: TrainedRun) -> RunGroup:
    return RunGroup({one.seed: [one]})


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
