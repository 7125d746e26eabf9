"""The command `python -m training windows`: the windows that convert finished runs, and judge them converted.

For each run, prepared again from the command that its `run.json` quotes, in OUT/RUN:

calibration.npz    windows of training subjects, balanced over their labels and subjects, as they were recorded
agreement.npz      windows of validation subjects, and their targets
test.npz           the whole test part, in the order of `predictions-test.npz`

A run folder holds the first two only for forms that the device can stream, and the third never: it is large, and can
be made again.
"""

from __future__ import annotations

import argparse
import json
import logging
import shlex
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError
from device.hearing.spec import FeatureSpec
from training.data.tasks import find_task, own_task
from training.scaling.feature_cache import FeatureCache
from training.scaling.scaling_options import add_scaling_options
from training.train.judging.prediction_file import load_predictions
from training.train.system import train_command
from training.train.system.collection_source import read_source
from training.train.system.converter_folder import AGREEMENT_WINDOWS, write_windows
from training.train.system.prepared_data import Computing, prepare
from training.train.system.system_recipes import recipe_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from training.data.tasks import Task
    from training.train.system.prepared_parts import PreparedData, PreparedPart

_LOG = logging.getLogger(__name__)

CALIBRATION_WINDOWS = 512
FILES = ("calibration.npz", "agreement.npz", "test.npz")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("runs", type=Path, metavar="RUNS_DIR", help="a run folder, or a folder that holds several")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder for each run is written there")
    add_scaling_options(parser)


def run(args: argparse.Namespace) -> int:
    """Write the windows of each run that a network was trained in; windows of earlier calls are kept."""
    computing = Computing(FeatureCache(args.cache), args.workers, args.scheduler)
    made = 0
    for folder in _runs(args.runs):
        out = args.out / folder.name
        if _is_made(folder, out):
            continue
        _LOG.info("windows of %s", folder.name)
        write_run_windows(folder, out, computing)
        made += 1
    print(f"{args.out}: windows of {made} runs written")
    return 0


def write_run_windows(folder: Path, out: Path, computing: Computing) -> None:
    """Write the three archives of one run.

    Raises:
        ConfigError: its `run.json` does not say how it was trained, or the data have changed since.
        RecordingError: a recording cannot be read.
    """
    record = _json(folder / "run.json")
    data = _prepared(record, _json(folder / "description.json"), computing)
    test = data.test()
    _check_same(folder, test)
    out.mkdir(parents=True, exist_ok=True)
    seed = int(record["seed"])
    write_windows(out / FILES[0], _spread(_enough(data, "train", CALIBRATION_WINDOWS), CALIBRATION_WINDOWS, seed))
    write_windows(out / FILES[1], _spread(_enough(data, "val", AGREEMENT_WINDOWS), AGREEMENT_WINDOWS, seed))
    write_windows(out / FILES[2], test)


def _runs(folder: Path) -> Iterator[Path]:
    """Folders of runs whose network can be converted."""
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder: name the one that holds the folders of runs")
    for path in sorted(folder.rglob("run.json")):
        if (path.parent / "model.keras").is_file():
            yield path.parent


def _is_made(folder: Path, out: Path) -> bool:
    trained_at = (folder / "run.json").stat().st_mtime
    return all((out / name).is_file() and (out / name).stat().st_mtime >= trained_at for name in FILES)


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): name the folder of a finished run") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path} was not written by `python -m training train`")
    return value


def _prepared(record: Mapping[str, Any], description: Mapping[str, Any], computing: Computing) -> PreparedData:
    """The parts of a run: neither balanced nor augmented, and with the standardization that it learned."""
    args, task = _arguments(record), _task(record)
    specs = tuple(FeatureSpec.from_dict(spec) for spec in description["specs"])
    recipe = recipe_of(f"{record['system']}/{record['form']}")
    cleaning = record["recipe"]["cleaning"]
    plain = replace(recipe, balanced=False, augmentation="none", copies=0, cleaning=cleaning)
    source = read_source(args.data, args.split, task.name, official=args.official_split)
    return prepare(source, task, specs, plain, seed=int(record["seed"]), computing=computing)


def _arguments(record: Mapping[str, Any]) -> argparse.Namespace:
    """Those of the command that trained the run."""
    words = shlex.split(str(record.get("command", "")))
    if words[:4] != ["python", "-m", "training", "train"]:
        raise ConfigError(f'run.json quotes "{" ".join(words)}", which is not `python -m training train`')
    parser = argparse.ArgumentParser(add_help=False)
    train_command.add_arguments(parser)
    return parser.parse_known_args(words[4:])[0]


def _task(record: Mapping[str, Any]) -> Task:
    return own_task(record["labels"]) if record["task"] == "own" else find_task(str(record["task"]))


def _check_same(folder: Path, test: PreparedPart) -> None:
    """Refuse a test part that is not the one that judged the run."""
    found = load_predictions(folder / "predictions-test.npz")
    names = [place.file for place in test.places]
    if found.file.tolist() != names or not np.array_equal(found.target, test.targets):
        raise ConfigError(f"{folder}: the data hold another test part than when it was trained; train it again")


def _enough(data: PreparedData, part: str, count: int) -> PreparedPart:
    held = data.train if part == "train" else data.val
    return data.dense(part, count) if len(held) < count and data.dense is not None else held


def _spread(part: PreparedPart, most: int, seed: int) -> PreparedPart:
    """So many windows: labels take turns, and within each its subjects do."""
    drawn = np.random.default_rng([seed, 0xCA11]).permutation(len(part))
    turns: defaultdict[tuple[float, ...], defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index in drawn:
        turns[tuple(part.targets[index])][part.places[index].subject].append(int(index))
    queues = [_in_turn(list(subjects.values())) for _, subjects in sorted(turns.items())]
    return part.taken(np.sort(_in_turn(queues)[:most]))


def _in_turn(queues: Sequence[Sequence[int]]) -> list[int]:
    """The first of each, the second of each, ..., as far as they go."""
    longest = max(map(len, queues))
    return [queue[place] for place in range(longest) for queue in queues if place < len(queue)]
