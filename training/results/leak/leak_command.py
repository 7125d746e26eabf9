"""Runs the leak experiment and leaves `leak.json` and `leak.png`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.errors import ConfigError
from training.results.leak.leak_arms import SYSTEM, Budget, TrainedArm, leak_form, train_seed
from training.results.leak.leak_clips import ComputedBy, leak_clips
from training.results.leak.leak_figures import arm_figures
from training.results.leak.leak_picture import ARMS, draw_leak
from training.scaling.feature_cache import FeatureCache
from training.scaling.scaling_options import add_scaling_options
from training.train.system.durable_files import write_json
from training.train.system.run_record import code_version
from training.train.system.stop_request import StopRequest, TrainingStopped

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from training.results.leak.leak_clips import LeakClips


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="SPRSound, or another of breath sounds")
    parser.add_argument("--split", type=Path, metavar="CSV", help="who teaches, chooses, judges (default: committed)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder; a call that was ended goes on")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="networks of each kind (default 3)")
    parser.add_argument("--epochs", type=int, default=40, metavar="N", help="of each network, at most (default 40)")
    parser.add_argument("--patience", type=int, default=10, metavar="N", help="epochs without a gain (default 10)")
    parser.add_argument(
        "--clips-per-class", type=int, default=3000, metavar="N", help="augmented clips of each class (default 3000)"
    )
    add_scaling_options(parser)


def run(args: argparse.Namespace) -> int:
    """Train both networks of each seed, judge them, write figures and picture."""
    for name in ("seeds", "epochs", "patience", "clips_per_class"):
        if getattr(args, name) < 1:
            raise ConfigError(f"--{name.replace('_', '-')} is {getattr(args, name)}, must be at least 1")
    stop = StopRequest()
    try:
        with stop.listening():
            found = _experiment(args, stop)
    except TrainingStopped as stopped:
        print(f"training leak: {stopped}", file=sys.stderr)
        return 128 + stopped.signal_number
    write_json(args.out / "leak.json", found)
    draw_leak(found, args.out / "leak.png")
    for name, title in ARMS.items():
        figures = found["arms"][name]
        sentence = " ".join(title.replace("\n", " ").split())
        print(f"{figures['macro_f1']:.2f} ({figures['low']:.2f} to {figures['high']:.2f})  {sentence}")
    return 0


def read_leak(path: Path) -> dict[str, Any] | None:
    """What `run` wrote; None if it is not there.

    Raises:
        ConfigError: it is no such file.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON ({error}): run `python -m training leak` again") from error
    if not isinstance(found, dict) or "arms" not in found:
        raise ConfigError(f"{path} holds no figures: run `python -m training leak` again")
    return found


def _experiment(args: argparse.Namespace, stop: StopRequest) -> dict[str, Any]:
    args.out.mkdir(parents=True, exist_ok=True)
    computed_by = ComputedBy(args.workers, args.scheduler, FeatureCache(args.cache))
    form = leak_form()
    clips = leak_clips(
        args.data, args.split, form.specs[0], clips_per_class=args.clips_per_class, computed_by=computed_by
    )
    budget = Budget(args.epochs, args.patience)
    seeds = [train_seed(clips, seed, budget, args.out, stop) for seed in range(1, args.seeds + 1)]
    return {
        "system": SYSTEM,
        **code_version(),
        "clips": _sizes(clips),
        "epochs": args.epochs,
        "patience": args.patience,
        "clips_per_class": args.clips_per_class,
        "seeds": args.seeds,
        "arms": _figures(seeds, form.labels),
        "training": {name: [arms[name].training for arms in seeds] for name in seeds[0]},
    }


def _sizes(clips: LeakClips) -> dict[str, dict[str, int]]:
    named = {"pool": clips.pool, "val": clips.val, "unseen": clips.unseen, "unseen_augmented": clips.unseen_augmented}
    return {
        name: {"clips": len(part), "subjects": len({place.subject for place in part.places})}
        for name, part in named.items()
    }


def _figures(seeds: Sequence[Mapping[str, TrainedArm]], labels: Sequence[str]) -> dict[str, Any]:
    networks = [{**arms["leaking"].judged, **arms["honest"].judged} for arms in seeds]
    return {name: arm_figures([one[name] for one in networks], labels) for name in ARMS}
