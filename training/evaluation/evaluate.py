"""`python -m training evaluate`: hears a part of the list through the device's listener and writes what it found.

On validation it can also choose the operating point, from the scores of the very network that is shipped.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.errors import ConfigError
from device.hearing.bundle.reader import read_bundle
from device.hearing.classifier import Classifier
from training.data.split_list import CRY_LIST
from training.evaluation.detectors import HOP_S, INT8, judged_label
from training.evaluation.event_metrics import report
from training.evaluation.markdown_report import headline, markdown
from training.evaluation.runner import SNRS_DB, Judged, Outcome, hear_all, tasks

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from training.evaluation.detectors import System

SEED = 20250228


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--bundle", type=Path, required=True, metavar="TFLITE", help="the INT8 bundle that is judged")
    parser.add_argument("--float", type=Path, metavar="KERAS", help="its network before conversion, judged beside it")
    parser.add_argument("--peer", type=Path, metavar="TFLITE", help="stock YAMNet, judged beside it")
    parser.add_argument(
        "--label", metavar="NAME", help="which label of the bundle is the cry (default: its only alarm)"
    )
    parser.add_argument("--part", choices=("test", "val"), default="test", help="whose recordings (default test)")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--list", type=Path, default=CRY_LIST, metavar="CSV", help="who is in which part (committed)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of backgrounds and bootstraps (default {SEED})")
    parser.add_argument("--workers", type=int, default=2, help="processes; they change no figure (default 2)")
    parser.add_argument("--out", type=Path, required=True, metavar="JSON", help="file for all figures")
    parser.add_argument("--markdown", type=Path, metavar="MD", help="file for the same as a page")
    parser.add_argument("--clips", type=Path, metavar="JSONL", help="file for what each scene gave, a line each")
    parser.add_argument(
        "--operating-point", type=Path, metavar="JSON", help="file for a newly chosen operating point (validation only)"
    )


def run(args: argparse.Namespace) -> int:
    """Judge, write the report, and print its headline."""
    if args.operating_point and args.part != "val":
        raise ConfigError(f"--operating-point with --part {args.part}: thresholds are chosen on val, never on test")
    _refuse_nowhere(args.out, args.markdown, args.clips, args.operating_point)
    judged = Judged(
        bundle=args.bundle,
        data=args.data,
        part=args.part,
        split=args.list,
        seed=args.seed,
        label=args.label,
        float_model=args.float,
        peer=args.peer,
    )
    systems, outcomes = hear_all(judged, tasks(judged), workers=args.workers)
    found = full_report(judged, systems, outcomes)
    _write_json(args.out, found)
    if args.markdown:
        args.markdown.write_text(markdown(found), encoding="utf-8")
    if args.clips:
        args.clips.write_text("".join(f"{json.dumps(line)}\n" for line in clip_lines(outcomes)), encoding="utf-8")
    if args.operating_point:
        _write_json(args.operating_point, operating_point(outcomes))
    print(found["headline"])
    return 0


def full_report(judged: Judged, systems: Sequence[System], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All figures, and on what and how they were found: equal inputs give an equal report."""
    bundle = read_bundle(judged.bundle)
    with Classifier(bundle) as classifier:
        runtime = classifier.runtime
    found = {
        "part": judged.part,
        "command": command(judged),
        "bundle": {
            "name": bundle.name,
            "version": bundle.version,
            "label": judged_label(bundle, judged.label).name,
            "sha256": bundle.sha256,
            "network_sha256": _sha256(bundle.network),
            "runtime": runtime,
        },
        "float_sha256": _sha256(judged.float_model.read_bytes()) if judged.float_model else None,
        "peer_sha256": _sha256(judged.peer.read_bytes()) if judged.peer else None,
        "split": {"file": _listed_as(judged.split), "sha256": _sha256(judged.split.read_bytes())},
        "hop_s": HOP_S,
        **report(outcomes, systems, snr_db=SNRS_DB[0], seed=judged.seed),
    }
    return {"headline": headline(found), **found}


def command(judged: Judged) -> str:
    """What is typed to find the same figures again, but for the files that they are written to."""
    words = ["--bundle", str(judged.bundle), "--part", judged.part, "--data", str(judged.data)]
    for option, value in (("--float", judged.float_model), ("--peer", judged.peer), ("--label", judged.label)):
        words += [option, str(value)] if value else []
    words += ["--list", str(judged.split)] if judged.split != CRY_LIST else []
    words += ["--seed", str(judged.seed)] if judged.seed != SEED else []
    return shlex.join(["python", "-m", "training", "evaluate", *words, "--out", "report.json"])


def clip_lines(outcomes: Iterable[Outcome]) -> Iterable[dict[str, Any]]:
    """What each scene gave to each system, as JSON types: what to look at when a figure surprises."""
    for one in outcomes:
        line = asdict(one)
        line["probabilities"] = [round(float(value), 4) for value in one.probabilities]
        yield line | {"delay_s": one.delay_s}


def operating_point(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The rule that serves the shipped network best on these scenes, and what it gives there: JSON types."""
    from training.evaluation.threshold_search import choose, table

    own = [one for one in outcomes if one.system == INT8]
    best = choose(own, [one.probabilities for one in own])
    return {"operating_point": asdict(best.point), "validation": table(best)}


def _refuse_nowhere(*paths: Path | None) -> None:
    """Say before minutes of work, and not after them, that there is no folder for what it gives."""
    for path in paths:
        if path is not None and not path.parent.is_dir():
            raise ConfigError(f"{path} cannot be written: make the folder {path.parent} first")


def _listed_as(path: Path) -> str:
    """The committed list by its place in the project, any other by its name."""
    return f"training/splits/{path.name}" if path == CRY_LIST else path.name


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")
