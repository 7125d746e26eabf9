"""`python -m training <verb>`: chooses a verb's module, imports it late, and runs it.

splits     make or check the committed lists
describe   say what a collection holds, and what is doubtful in it -> a report, pictures
split      divide a collection by subject                         -> a CSV, file,subject,part
folds      write a split for each fold of a cross-validation by subject
annotations  write a collection's annotations as examples of a task -> a CSV
fit-breath  fine-tune a network on breath sounds                  -> a folder that the converter reads
teach      mark the cries and train the soft labeller             -> WORK
train      train a system of the catalogue on a collection          -> a run folder
bench      train and judge every system of the bench that is left    -> run folders
windows    write the windows that convert finished runs, and judge them converted   -> OUT/RUN/*.npz
ensemble   join several runs of one task, by mean and by vote       -> two run folders
classical  fit a classical baseline on a network's features         -> a run folder
reason     fit the reason of a cry on the cry network, and judge it -> the folder that the converter reads
abstain    judge the runs of a cross-validation, the majority beside them -> a JSON file
distill    train the cry network under its teacher                -> OUT/best.keras
mine       find hard negatives: sounds it mistakes for a cry      -> WORK/hard_negatives.json
operate    choose the operating point on validation scenes        -> a JSON file
export     write the folder that the converter reads
networks   print the network and its inputs
scenes     write long scenes with their truth                     -> sound, label tracks, tables
evaluate   measure a model through the device's listener          -> a JSON report, docs/cry-model.md
event-times  measure how far estimated beginnings and ends of cries are off
attention  draw or measure where a network's attention lies       -> a picture, or a JSON file
card       write the evaluation into a bundle's card              -> a bundle
compare    print runs side by side, and the differences between them
report     write the page of results from run folders             -> training/RESULTS.md
leak       show what a split by clip, after augmentation, does to a figure   -> OUT/leak.json, leak.png
cache      print how large a cache of features is, and bound it
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from typing import TYPE_CHECKING

from device.errors import AuricleError

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERBS = {
    "splits": ("training.splits.make_lists", "make or check the committed lists"),
    "describe": ("training.survey.describe_command", "say what a collection holds, and what is doubtful in it"),
    "split": (
        "training.splits.collection.split_command",
        "divide a collection by subject into train, val and test",
    ),
    "folds": ("training.splits.fold_lists", "write a split for each fold of a cross-validation by subject"),
    "annotations": (
        "training.preparation.annotation_table",
        "write a collection's annotations as examples of a task",
    ),
    "mix": ("training.sequences.drawing", "mix sequences of events and what resembles them, and embed them"),
    "fit": ("training.sequences.fitting", "fit a head and the late blocks to mixed sequences"),
    "hand-over": ("training.sequences.handover", "write a fitted network as the folders that the converter reads"),
    "mine-sequences": ("training.sequences.mining", "find what a fitted network mistakes for an event"),
    "fit-breath": ("training.breath.breath_fit", "fine-tune AudioSet's network on breath sounds"),
    "teach": ("training.train.teacher_labels", "let the teacher mark the cries and train the soft labeller"),
    "train": ("training.train.system.train_command", "train a system of the catalogue on a collection"),
    "bench": ("training.bench.bench_command", "train and judge every system of the bench that is left"),
    "windows": (
        "training.train.handover.windows_command",
        "write the windows that convert finished runs, and judge them converted",
    ),
    "ensemble": ("training.train.judging.ensemble_command", "join several runs of one task, by mean and by vote"),
    "classical": (
        "training.train.classical.classical_command",
        "fit a support vector machine or a random forest on a network's features",
    ),
    "reason": (
        "training.sequences.reason.reason_command",
        "fit the reason of a cry on a fitted cry network, judge it, and write what the converter reads",
    ),
    "abstain": (
        "training.train.judging.abstain_command",
        "judge the runs of a cross-validation, with the majority class beside them",
    ),
    "distill": ("training.train.loop", "train the cry network under its teacher"),
    "mine": ("training.train.hard_negatives", "find hard negatives: training sounds that it mistakes for a cry"),
    "operate": ("training.evaluation.threshold_search", "choose the operating point on validation scenes"),
    "export": ("training.train.export", "write the folder that the converter reads"),
    "networks": ("training.networks.networks_command", "print the network and its inputs"),
    "scenes": ("training.evaluation.alarms.scenes_command", "write long scenes of cries or screams with their truth"),
    "evaluate": ("training.evaluation.evaluate", "measure a model through the device's listener"),
    "event-times": (
        "training.evaluation.alarms.event_time_errors",
        "measure the error of estimated begins and ends of cries",
    ),
    "attention": (
        "training.evaluation.attention.attention_command",
        "draw or measure where a network's attention lies",
    ),
    "card": ("training.evaluation.update_bundle", "write an evaluation, or a chosen operating point, into a bundle"),
    "compare": ("training.results.compare_command", "print runs side by side, and the differences between them"),
    "report": ("training.results.report_command", "write the page of results from run folders"),
    "leak": ("training.results.leak.leak_command", "show what a split by clip, after augmentation, does to a figure"),
    "cache": ("training.scaling.cache_command", "print how large a cache of features is, and bound it"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; its exit code, or 2 with one line on stderr for bad input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    args = _parser(arguments).parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        return int(importlib.import_module(_VERBS[args.verb][0]).run(args))
    except (AuricleError, OSError) as error:
        if args.debug:
            raise
        print(f"training {args.verb}: {error}", file=sys.stderr)
        return 2


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """A parser that knows all verbs, and the options of the one that is given."""
    parser = argparse.ArgumentParser(
        prog="python -m training", description="Train the networks that Auricle hears with."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (module, sentence) in _VERBS.items():
        verb = verbs.add_parser(name, help=sentence, description=sentence)
        verb.add_argument("--debug", action="store_true", help="show where an error comes from")
        if name in arguments:
            importlib.import_module(module).add_arguments(verb)
    return parser


if __name__ == "__main__":
    # Two libraries that each start a thread per core for products of small matrices are ten times slower than one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main())
