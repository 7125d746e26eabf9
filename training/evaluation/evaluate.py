"""`python -m training evaluate`: scores a part of the list through the device's listener and writes a report.

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
from training.evaluation.alarm_counting import HOP_S
from training.evaluation.detectors import INT8, evaluated_label
from training.evaluation.event_metrics import report
from training.evaluation.markdown_report import headline, markdown
from training.evaluation.runner import EvaluationSettings, ScoredScene, score_plans
from training.mixing.clip_in_background import SNRS_DB
from training.mixing.scenes import SEED
from training.scaling.scaling_options import add_scaling_options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from device.hearing.bundle.contents import Bundle
    from training.evaluation.detectors import System


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
    add_scaling_options(parser, has_cache=False)
    parser.add_argument("--out", type=Path, required=True, metavar="JSON", help="file for all figures")
    parser.add_argument("--markdown", type=Path, metavar="MD", help="file for the same as a page")
    parser.add_argument("--clips", type=Path, metavar="JSONL", help="file for what each scene gave, a line each")
    parser.add_argument(
        "--operating-point", type=Path, metavar="JSON", help="file for a newly chosen operating point (validation only)"
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate, write the report, and print its headline."""
    if args.operating_point and args.part != "val":
        raise ConfigError(f"--operating-point with --part {args.part}: thresholds are chosen on val, never on test")
    _refuse_missing_folders(args.out, args.markdown, args.clips, args.operating_point)
    settings = EvaluationSettings(
        bundle=args.bundle,
        data=args.data,
        part=args.part,
        split=args.list,
        seed=args.seed,
        label=args.label,
        float_model=args.float,
        peer=args.peer,
    )
    systems, scored = score_plans(settings, settings.plans(), workers=args.workers, scheduler=args.scheduler)
    found = full_report(settings, systems, scored)
    _write_json(args.out, found)
    if args.markdown:
        args.markdown.write_text(markdown(found), encoding="utf-8")
    if args.clips:
        args.clips.write_text("".join(f"{json.dumps(line)}\n" for line in scene_lines(scored)), encoding="utf-8")
    if args.operating_point:
        _write_json(args.operating_point, chosen_operating_point(scored))
    print(found["headline"])
    return 0


def full_report(
    settings: EvaluationSettings, systems: Sequence[System], scored: Sequence[ScoredScene]
) -> dict[str, Any]:
    """All figures, on what and how they were measured: equal inputs give an equal report."""
    bundle = read_bundle(settings.bundle)
    with Classifier(bundle) as classifier:
        runtime = classifier.runtime
    found = {
        "part": settings.part,
        "command": command(settings),
        "bundle": {
            "name": bundle.name,
            "version": bundle.version,
            "label": evaluated_label(bundle, settings.label).name,
            "sha256": bundle.sha256,
            "network_sha256": _sha256(bundle.network),
            "runtime": runtime,
        },
        "float_sha256": _sha256(settings.float_model.read_bytes()) if settings.float_model else None,
        "peer_sha256": _sha256(settings.peer.read_bytes()) if settings.peer else None,
        "split": {"file": _listed_as(settings.split), "sha256": _sha256(settings.split.read_bytes())},
        "hop_s": HOP_S,
        "earlier_int8_cost": [] if settings.float_model else _int8_cost_in_card(bundle),
        **report(scored, systems, snr_db=SNRS_DB[0], seed=settings.seed),
    }
    return {"headline": headline(found), **found}


def _int8_cost_in_card(bundle: Bundle) -> list[dict[str, Any]]:
    """What an earlier evaluation of this network measured against its float network; nothing if there was none."""
    cost: list[dict[str, Any]] = bundle.card.get("evaluation", {}).get("int8_cost", [])
    return cost


def command(settings: EvaluationSettings) -> str:
    """The command line that reproduces the figures, but for the files that they are written to."""
    words = ["--bundle", str(settings.bundle), "--part", settings.part, "--data", str(settings.data)]
    for option, value in (("--float", settings.float_model), ("--peer", settings.peer), ("--label", settings.label)):
        words += [option, str(value)] if value else []
    words += ["--list", str(settings.split)] if settings.split != CRY_LIST else []
    words += ["--seed", str(settings.seed)] if settings.seed != SEED else []
    return shlex.join(["python", "-m", "training", "evaluate", *words, "--out", "report.json"])


def scene_lines(scored: Iterable[ScoredScene]) -> Iterator[dict[str, Any]]:
    """Each scene as each system scored it, as JSON types: what to read when a figure surprises."""
    for one in scored:
        yield {
            "system": one.system,
            **asdict(one.scene),
            "alarms_s": one.alarms_s,
            "background_alarms": one.background_alarms,
            "delay_s": one.delay_s,
            "level": one.level,
            "probabilities": [round(float(value), 4) for value in one.windows.probabilities],
            "faults": one.faults,
        }


def chosen_operating_point(scored: Sequence[ScoredScene]) -> dict[str, Any]:
    """The operating point that serves the shipped network best on these scenes, and its figures there: JSON types."""
    from training.evaluation.threshold_search import choose, figures

    own = [one for one in scored if one.system == INT8]
    best = choose([one.scene for one in own], [one.windows for one in own])
    return {"operating_point": asdict(best.point), "validation": figures(best)}


def _refuse_missing_folders(*paths: Path | None) -> None:
    """Refuse before minutes of work, and not after them, to write into a folder that does not exist."""
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
