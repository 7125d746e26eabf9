"""The command `python -m training train`: one system, one task, one split, one seed -> a run folder."""

from __future__ import annotations

import fcntl
import logging
import os
import shlex
import sys
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.errors import ConfigError
from training.data.tasks import find_task, own_task
from training.networks import transfer
from training.networks.audioset import reference_forms
from training.networks.catalog import all_forms, find_form
from training.scaling.feature_cache import FeatureCache
from training.scaling.scaling_options import add_scaling_options
from training.train.system.collection_source import read_source
from training.train.system.epoch_loop import LoopSettings, train_epochs
from training.train.system.finished_run import FinishedRun, finish
from training.train.system.prepared_data import Computing, prepare
from training.train.system.stop_request import StopRequest, TrainingStopped
from training.train.system.system_recipes import recipe_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from training.data.tasks import Task
    from training.networks.network_form import NetworkForm
    from training.train.system.prepared_parts import PreparedData
    from training.train.system.system_recipes import SystemRecipe

_LOG = logging.getLogger(__name__)

SMOKE_BATCH = 4
"""Of eight windows: two steps."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument(
        "--system", required=True, metavar="NAME[/FORM]", help="such as han, or baseline/cry; a wrong name lists all"
    )
    parser.add_argument("--data", type=Path, required=True, nargs="+", metavar="DIR", help="folder of a collection")
    parser.add_argument(
        "--split",
        type=Path,
        nargs="+",
        metavar="CSV",
        help="who is in which part, for each --data (default: the committed list of the task)",
    )
    parser.add_argument("--official-split", action="store_true", help="the publishers' parts, which may share subjects")
    parser.add_argument("--task", metavar="NAME", help="what is told apart (default: what the system was made for)")
    parser.add_argument("--labels", metavar="A,B", help="of a task of your own, with --task own")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="what transfer's backbones or audioset start from")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the run; a killed one goes on"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all random choices (default 1)")
    parser.add_argument("--epochs", type=int, metavar="N", help="at most so many (default: the recipe's)")
    parser.add_argument("--budget-core-minutes", type=float, metavar="M", help="end after so much processor time")
    parser.add_argument("--smoke", action="store_true", help="two steps on eight examples")
    add_scaling_options(parser)


def run(args: argparse.Namespace) -> int:
    """Train, write the run folder, and print what was reached."""
    form, task, recipe = _chosen(args)
    stop = StopRequest()
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        with stop.listening(), _sole_use(args.out):
            record = _trained(args, form, task, recipe, stop)
    except TrainingStopped as stopped:
        print(f"training train: {stopped}", file=sys.stderr)
        return 128 + stopped.signal_number
    val, test = (record[part]["measure"] for part in ("val", "test"))
    epochs, ended = record["epochs"], record["ended"]
    print(f"{form.name}: {record['measure']} {val:.3f} on validation, {test:.3f} on test; {epochs} epochs, {ended}")
    return 0


def _chosen(args: argparse.Namespace) -> tuple[NetworkForm, Task, SystemRecipe]:
    """Form, task and recipe, as the arguments change them."""
    form = _form(args.system)
    recipe = recipe_of(form.name)
    task = _task(args.task or recipe.task, args.labels)
    if args.epochs is not None and args.epochs < 1:
        raise ConfigError(f"--epochs is {args.epochs}, must be at least 1")
    recipe = replace(recipe, task=task.name, epochs=args.epochs or recipe.epochs)
    if args.smoke:
        recipe = replace(recipe, epochs=1, batch=SMOKE_BATCH)
    return form.with_labels(task.labels, task.activation), task, recipe


def _form(name: str) -> NetworkForm:
    """A form by its full name, or the first one of a system."""
    firsts = {one.system: one for one in reversed(all_forms().values())}
    return firsts.get(name) or find_form(name)


def _task(name: str, labels: str | None) -> Task:
    if name != "own":
        return find_task(name)
    if not labels:
        raise ConfigError("--task own needs --labels: the labels of your recordings that are told, joined by commas")
    return own_task(label.strip() for label in labels.split(","))


@contextmanager
def _sole_use(folder: Path) -> Iterator[None]:
    """Refuse a folder that another process trains in, or that holds a finished run."""
    if (folder / "run.json").exists():
        raise ConfigError(f"{folder} holds a finished run; name another folder, or remove this one")
    (folder / "resume").mkdir(exist_ok=True)
    with (folder / "resume" / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"another process trains in {folder}; wait for it, or name another folder") from None
        yield


def _trained(
    args: argparse.Namespace, form: NetworkForm, task: Task, recipe: SystemRecipe, stop: StopRequest
) -> dict[str, Any]:
    """Prepare, train, finish: the record of the run."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    source = read_source(args.data, args.split, task.name, official=args.official_split)
    computing = Computing(FeatureCache(args.cache), args.workers, args.scheduler)
    data = prepare(source, task, form.specs, recipe, seed=args.seed, smoke=args.smoke, computing=computing)
    form = form.with_specs(data.specs)
    network = form.build(args.seed)
    start = _start(args, form, network)
    settings = LoopSettings(
        seed=args.seed,
        epochs=recipe.epochs,
        folder=args.out,
        budget_s=None if args.budget_core_minutes is None else args.budget_core_minutes * 60,
        eager=args.smoke,
        identity=_identity(args, form, recipe, data),
    )
    progress = train_epochs(network, form, recipe, (data.train, data.val), settings, stop)
    told = {"seed": args.seed, "recipe": asdict(recipe), "start": start, "command": _command()}
    return finish(FinishedRun(args.out, network, form, task.name, data, progress, told, smoke=args.smoke))


def _start(args: argparse.Namespace, form: NetworkForm, network: Any) -> str:
    """Load what a network starts from; a sentence that says what that was."""
    if args.smoke or (form.system != "audioset" and form.form not in transfer.BACKBONES):
        return "random weights"
    if form.system == "audioset":
        if args.weights is None:
            raise ConfigError("audioset starts from AudioSet's weights: name audioset_mn04.npz with --weights")
        reference_forms.start_from(network, args.weights)
        return f"AudioSet's weights, {args.weights.name}"
    weights, sentence = transfer.starting_weights(form.form, args.weights)
    _LOG.info("%s", sentence)
    if weights is not None:
        transfer.start_from(network, form.form, weights)
    return sentence


def _identity(args: argparse.Namespace, form: NetworkForm, recipe: SystemRecipe, data: PreparedData) -> dict[str, Any]:
    """What must agree for a run to go on."""
    return {
        "system": form.name,
        "labels": list(form.labels),
        "seed": args.seed,
        "recipe": asdict(recipe),
        "data": data.hashes,
        "weights": str(args.weights),
    }


def _command() -> str:
    return shlex.join(["python", "-m", "training", *sys.argv[1:]])
