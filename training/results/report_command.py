"""Writes the page of results and its picture from run folders."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from training.results.converted_runs import find_converted
from training.results.evaluation_files import find_evaluations
from training.results.leak.leak_command import read_leak
from training.results.leak.leak_picture import draw_leak
from training.results.report_page import ReportInputs, results_page
from training.results.run_folder import find_runs
from training.results.run_groups import grouped
from training.train.system.durable_files import replacing

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("runs", type=Path, metavar="RUNS_DIR", help="folder that holds run folders, and leak/")
    parser.add_argument(
        "--converted", type=Path, metavar="DIR", help="what `python -m converter report --work` wrote, for INT8"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="MD", help="such as training/RESULTS.md")


def run(args: argparse.Namespace) -> int:
    """Read all runs, write the page, and say what is on it."""
    runs, left_out = find_runs(args.runs)
    leak = read_leak(args.runs / "leak" / "leak.json")
    picture = args.out.parent / "pictures" / "leak.png"
    groups = grouped(runs)
    evaluations = find_evaluations(args.runs)
    # Where somebody's folders lie is nobody else's business.
    out = args.out.name if args.out.is_absolute() else os.fspath(args.out)
    converted = find_converted(args.converted) if args.converted else {}
    option = ["--converted", "CONVERTED"] if converted else []
    command = shlex.join(["python", "-m", "training", "report", "RUNS", *option, "--out", out])
    inputs = ReportInputs(groups, evaluations, leak, f"pictures/{picture.name}", command, left_out, converted)
    page = results_page(inputs)
    if leak is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        draw_leak(leak, picture)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(args.out) as partial:
        partial.write_text(page, encoding="utf-8")
    print(f"{args.out}: {len(runs)} runs of {len(groups)} systems and tasks, {len(evaluations)} evaluations")
    return 0
