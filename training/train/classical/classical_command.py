"""The command `python -m training classical`: a support vector machine or a random forest on a network's features.

The same collection, split, features, choices on validation and run folder as `train`, so that its line stands beside
the networks'. There is nothing to resume and no model for the device: a baseline says what a network must beat.
"""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.errors import ConfigError
from training.data.tasks import find_task
from training.networks.catalog import find_form
from training.networks.classical import KINDS, ClassicalModel, fit_classical
from training.train.judging.chosen_thresholds import choose
from training.train.judging.part_verdict import judge_part
from training.train.judging.prediction_file import predictions_of
from training.train.judging.score_pictures import Judged, draw_scores
from training.train.judging.task_measures import measure_name
from training.train.system.collection_source import read_source
from training.train.system.prepared_data import prepare
from training.train.system.run_record import code_version, thread_count, write_record
from training.train.system.system_recipes import SystemRecipe, recipe_of

if TYPE_CHECKING:
    import argparse

    from training.data.tasks import Task
    from training.networks.network_form import NetworkForm
    from training.train.system.prepared_parts import PreparedData


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--kind", required=True, choices=KINDS, help="of estimator")
    parser.add_argument("--features", default="han/published", metavar="SYSTEM/FORM", help="whose (%(default)s)")
    parser.add_argument("--data", type=Path, required=True, nargs="+", metavar="DIR", help="folder of a collection")
    parser.add_argument(
        "--split", type=Path, nargs="+", metavar="CSV", help="who is in which part, one for each --data"
    )
    parser.add_argument("--official-split", action="store_true", help="the publishers' parts, which may share subjects")
    parser.add_argument("--task", default="breath_classes", metavar="NAME", help="what is told apart (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the run")
    parser.add_argument("--seed", type=int, default=1, help="of the forest (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Fit, write the run folder, and print what was reached."""
    task, form = find_task(args.task), find_form(args.features)
    if (args.out / "run.json").exists():
        raise ConfigError(f"{args.out} holds a finished run; name another folder, or remove this one")
    recipe = replace(recipe_of(form.name), task=task.name, balanced=False, augmentation="none", copies=0)
    source = read_source(args.data, args.split, task.name, official=args.official_split)
    data = prepare(source, task, form.specs, recipe, seed=args.seed)
    began, core_began = time.monotonic(), time.process_time()
    model = fit_classical(args.kind, data.train.inputs, data.train.targets, task.activation, args.seed)
    cost = {
        "seconds": round(time.monotonic() - began, 3),
        "core_seconds": round(time.process_time() - core_began, 3),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    record = _judged(args, task, form, recipe, data, model, cost)
    write_record(args.out, record)
    val, test = (record[part]["measure"] for part in ("val", "test"))
    print(f"{args.kind}: {record['measure']} {val:.3f} on validation, {test:.3f} on test")
    return 0


def _judged(
    args: argparse.Namespace,
    task: Task,
    form: NetworkForm,
    recipe: SystemRecipe,
    data: PreparedData,
    model: ClassicalModel,
    cost: dict[str, float],
) -> dict[str, Any]:
    """Choose on validation, read the test part, write tables and pictures: `run.json`, as JSON types."""
    val, test = data.val, data.test()
    logits = {"val": model.logits(val.inputs), "test": model.logits(test.inputs)}
    choice = choose(val.targets, logits["val"], task.activation)
    predictions = {
        name: predictions_of(part.places, part.targets, choice.scores(logits[name]))
        for name, part in (("val", val), ("test", test))
    }
    verdicts = {name: judge_part(args.out, name, one, choice, task.labels) for name, one in predictions.items()}
    title = f"{args.kind} on the features of {form.name}, {task.name}"
    draw_scores(args.out / "plots", Judged(title, task.labels, choice, predictions))
    return {
        "system": "classical",
        "form": args.kind,
        "task": task.name,
        "labels": list(task.labels),
        "activation": task.activation,
        "seed": args.seed,
        "recipe": asdict(recipe),
        "start": f"fitted to summaries of the features of {form.name}",
        "command": shlex.join(["python", "-m", "training", *sys.argv[1:]]),
        **code_version(),
        "data_hashes": data.hashes,
        "excluded": data.excluded,
        "official_split": data.official_split,
        "examples": {"train": len(data.train), **{name: found["windows"] for name, found in verdicts.items()}},
        "parameters": model.parameters,
        "macs": None,
        "epochs": 1,
        "best_epoch": 1,
        **cost,
        "threads": thread_count(),
        "ended": "finished",
        "measure": measure_name(task.labels, task.activation),
        **choice.to_dict(task.labels),
        **verdicts,
    }
