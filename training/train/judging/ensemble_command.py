"""The command `python -m training ensemble`: several runs of one task on one split as one, by mean and by vote.

Each of the two becomes a run folder of its own, with predictions, tables, pictures and a `run.json` that tables and
comparisons read like any other.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError
from training.train.judging.chosen_thresholds import Choice
from training.train.judging.part_verdict import judge_part
from training.train.judging.prediction_file import Predictions, load_predictions, predictions_of
from training.train.judging.score_pictures import Judged, draw_scores
from training.train.judging.task_measures import ThresholdSurface, joint_thresholds, youden_threshold
from training.train.system.durable_files import write_json
from training.train.system.prepared_parts import Place

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import numpy.typing as npt

    Float64 = npt.NDArray[np.float64]

PARTS = ("val", "test")
_SAME = ("task", "labels", "activation")
_SUMMED = ("parameters", "macs", "seconds", "core_seconds", "epochs")
_KEPT = ("task", "labels", "activation", "data_hashes", "official_split", "examples", "measure", "threads")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders that `train` wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for mean/ and vote/")


def run(args: argparse.Namespace) -> int:
    """Join the runs, write both folders, and print what each reaches."""
    records = [_record(folder) for folder in args.runs]
    _refuse_differences(args.runs, records)
    predictions = {
        part: [load_predictions(folder / f"predictions-{part}.npz") for folder in args.runs] for part in PARTS
    }
    for part in PARTS:
        _refuse_other_windows(args.runs, predictions[part])
    for name, choice, joined in (_mean(records, predictions), _vote(records, predictions)):
        folder = args.out / name
        folder.mkdir(parents=True, exist_ok=True)
        labels = tuple(records[0]["labels"])
        verdicts = {part: judge_part(folder, part, joined[part], choice, labels) for part in PARTS}
        title = f"{len(records)} runs of {records[0]['system']}, {records[0]['task']}, {name}"
        draw_scores(folder / "plots", Judged(title, labels, choice, joined))
        write_json(folder / "run.json", _joined_record(args.runs, records, name) | choice.to_dict(labels) | verdicts)
        val, test = (verdicts[part]["measure"] for part in PARTS)
        print(f"{name}: {records[0]['measure']} {val:.3f} on validation, {test:.3f} on test")
    return 0


def _record(folder: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder} holds no finished run ({error}): name folders that `train` wrote") from error
    return record


def _refuse_differences(folders: Sequence[Path], records: Sequence[dict[str, Any]]) -> None:
    for folder, record in zip(folders, records, strict=True):
        for name in _SAME:
            if record[name] != records[0][name]:
                raise ConfigError(f"{folder} has {name} {record[name]}, {folders[0]} has {records[0][name]}")
    if len(records) < 2:
        raise ConfigError("one run is no ensemble; name two or more")


def _refuse_other_windows(folders: Sequence[Path], found: Sequence[Predictions]) -> None:
    for folder, one in zip(folders, found, strict=True):
        if not (np.array_equal(one.file, found[0].file) and np.array_equal(one.start_s, found[0].start_s)):
            raise ConfigError(f"{folder} judged other windows than {folders[0]}: they need the same split")


_Joined = tuple[str, Choice, dict[str, Predictions]]


def _mean(records: Sequence[dict[str, Any]], predictions: dict[str, list[Predictions]]) -> _Joined:
    """The mean probability; its thresholds are chosen on validation, as those of a single run."""
    joined = {
        part: _with(found[0], np.mean([one.probability for one in found], axis=0, dtype=np.float64))
        for part, found in predictions.items()
    }
    activation, val = records[0]["activation"], joined["val"]
    if activation == "softmax":
        return "mean", Choice(activation, 1.0, None), joined
    find = joint_thresholds if len(records[0]["labels"]) > 1 else youden_threshold
    return "mean", Choice(activation, 1.0, find(val.target, val.probability.astype(np.float64))), joined


def _vote(records: Sequence[dict[str, Any]], predictions: dict[str, list[Predictions]]) -> _Joined:
    """The share of runs that decide for a label, each by its own thresholds; half of them are enough.

    Of exclusive labels with equally many votes the mean probability decides.
    """
    joined = {}
    for part, found in predictions.items():
        votes = [
            _choice(record).decided(one.probability.astype(np.float64))
            for record, one in zip(records, found, strict=True)
        ]
        shares: Float64 = np.asarray(np.mean(votes, axis=0), np.float64)
        if records[0]["activation"] == "softmax":
            shares = 0.99 * shares + 0.01 * np.mean([one.probability for one in found], axis=0)
        joined[part] = _with(found[0], shares)
    activation, labels = records[0]["activation"], records[0]["labels"]
    surface = None if activation == "softmax" else _surface((0.5,) * len(labels), joined["val"])
    return "vote", Choice(activation, 1.0, surface), joined


def _choice(record: dict[str, Any]) -> Choice:
    """What a run chose."""
    thresholds = record["thresholds"]
    if thresholds is None:
        return Choice(record["activation"], 1.0, None)
    chosen = tuple(thresholds[label] for label in record["labels"])
    return Choice(record["activation"], 1.0, ThresholdSurface(chosen, 0.0, (), np.empty((len(chosen), 0))))


def _surface(thresholds: tuple[float, ...], val: Predictions) -> ThresholdSurface:
    """Given thresholds, with what validation gives around them."""
    scores = val.probability.astype(np.float64)
    tried = joint_thresholds(val.target, scores) if len(thresholds) > 1 else youden_threshold(val.target, scores)
    index = tried.grid.index(thresholds[0])
    return ThresholdSurface(thresholds, float(tried.merits[:, index].mean()), tried.grid, tried.merits)


def _with(one: Predictions, probability: Float64) -> Predictions:
    places = [
        Place(str(file), float(start_s), float(end_s), str(subject))
        for file, start_s, end_s, subject in zip(one.file, one.start_s, one.end_s, one.subject, strict=True)
    ]
    return predictions_of(places, one.target, probability)


def _joined_record(folders: Sequence[Path], records: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    """What holds of all runs, and the sums of what they cost."""
    forms = sorted({f"{record['system']}/{record['form']}" for record in records})
    systems = sorted({record["system"] for record in records})
    sums = {key: None if None in (all_of := [one[key] for one in records]) else sum(all_of) for key in _SUMMED}
    return {
        "system": "+".join(systems),
        "form": f"{name} of {len(records)}",
        "members": [
            {"run": str(folder), "seed": record["seed"]} for folder, record in zip(folders, records, strict=True)
        ],
        "member_forms": forms,
        "seed": records[0]["seed"],
        "ended": "finished",
        "commit": records[0]["commit"],
        "versions": records[0]["versions"],
        **{key: records[0][key] for key in _KEPT},
        **sums,
    }
