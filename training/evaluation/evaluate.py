"""`python -m training evaluate`: what a model hears of a part of a list, through the device's listener, as figures.

Chooses by the task: cries and screams are counted as alarms, breath sounds as verdicts. On validation it can also
choose the operating point, from the scores of the very network that is shipped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from device.errors import ConfigError
from device.runtime.model_loader import ConfiguredPoint
from training.data.split_list import CRY_LIST, LUNG_LIST, SCREAM_LIST
from training.evaluation.alarms.alarm_report import chosen_operating_point, full_report, scene_lines
from training.evaluation.alarms.timeline_report import OwnSettings, evaluate_timelines
from training.evaluation.alarms.timelines import TimelineSettings, is_scenes_folder
from training.evaluation.detectors import PEER_CLASSES, evaluated_label
from training.evaluation.markdown_report import markdown
from training.evaluation.model_file import read_model, read_point
from training.evaluation.runner import EvaluationSettings, score_plans
from training.mixing.scenes import SEED, SoundEvent, listed_event
from training.scaling.scaling_options import add_scaling_options

if TYPE_CHECKING:
    import argparse

    from device.hearing.bundle.contents import Bundle
    from device.hearing.decision import OperatingPoint

ALARM_LISTS = {"cry": CRY_LIST, "scream": SCREAM_LIST}
"""Tasks that are counted as alarms, and the committed list of each."""
SOUND_LISTS = dict.fromkeys(get_args(SoundEvent), SCREAM_LIST)
"""The same of sounds that the list does not name; only `--task` chooses them."""

BREATH_TASKS = ("breath_findings", "breath_sounds", "breath_classes", "breath_types", "breath_records")
OWN = "own"
"""Recordings of one's own with annotated events, whatever the label."""

_BREATH_LABELS = (
    ({"wheeze", "crackle", "sibilant_wheeze"}, "breath_findings"),
    ({"cas", "das"}, "breath_records"),
    ({"fine_crackle", "coarse_crackle"}, "breath_types"),
    ({"normal", "wheeze", "crackle"}, "breath_classes"),
    ({"wheeze", "crackle"}, "breath_sounds"),
)
_PARTS = ("val", "test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument(
        "--model", type=Path, required=True, metavar="FILE", help="a bundle, a run folder, or a .keras file"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--split", default="test", metavar="NAME", help="whose recordings: val or test (default test)")
    parser.add_argument("--split-list", type=Path, metavar="CSV", help="who is in which part (default: the committed)")
    parser.add_argument("--official-split", action="store_true", help="--split names a part that the publishers made")
    parser.add_argument("--task", metavar="NAME", help="what is measured (default: what the model's labels say)")
    parser.add_argument(
        "--label", metavar="NAME", help="which label of the model is the event (default: its only alarm)"
    )
    parser.add_argument(
        "--point", type=Path, metavar="JSON", help="the operating point that val chose (default: the model's own)"
    )
    parser.add_argument(
        "--sensitivity",
        type=int,
        choices=range(-5, 6),
        default=0,
        metavar="N",
        help="steps as in a device's configuration (default 0)",
    )
    parser.add_argument("--float", type=Path, metavar="KERAS", help="its network before conversion, judged beside it")
    parser.add_argument("--peer", type=Path, metavar="TFLITE", help="stock YAMNet, judged beside it")
    parser.add_argument(
        "--peer-class", type=int, nargs="+", metavar="N", help="which of its classes count (default: one)"
    )
    parser.add_argument(
        "--hard", action="store_true", help="only clips that are hard for the event, cats and dogs among them"
    )
    parser.add_argument("--seed", type=int, default=SEED, help=f"of backgrounds and bootstraps (default {SEED})")
    add_scaling_options(parser, has_cache=False)
    parser.add_argument("--json", type=Path, required=True, metavar="OUT", help="file for all figures")
    parser.add_argument("--markdown", type=Path, metavar="MD", help="file for the same as a page (cries and screams)")
    parser.add_argument("--clips", type=Path, metavar="JSONL", help="file for what each scene gave, a line each")
    parser.add_argument(
        "--curve", type=Path, metavar="CSV", help="file for recall and false alarms at every threshold (scenes)"
    )
    parser.add_argument(
        "--operating-point", type=Path, metavar="JSON", help="file for a newly chosen operating point (validation only)"
    )
    parser.add_argument(
        "--most-false-an-hour",
        type=float,
        metavar="N",
        help="false alarms an hour that it may raise, whatever that costs (default: about 1 for cries and screams)",
    )
    parser.add_argument(
        "--highest-threshold",
        type=float,
        metavar="P",
        help="its threshold is at most this, so that the sound of the self-test stays well above (cries and screams)",
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate, write the figures, and print the headline."""
    _refuse_missing_folders(args.json, args.markdown, args.clips, args.curve, args.operating_point)
    task = args.task or task_of(read_model(args.model))
    if task in BREATH_TASKS:
        return _run_breath(args, task)
    if is_scenes_folder(args.data) or task == OWN:
        return _run_timelines(args, task)
    if args.curve:
        raise ConfigError("--curve is for scenes that `scenes` wrote, or recordings of one's own; leave it out here")
    if task not in {*ALARM_LISTS, *SOUND_LISTS}:
        raise ConfigError(f'"{task}" is no task that can be evaluated; give one of {", ".join(known_tasks())}')
    return _run_alarms(args, task)


def known_tasks() -> tuple[str, ...]:
    """Names that `--task` takes."""
    return (*ALARM_LISTS, *SOUND_LISTS, *BREATH_TASKS, OWN)


def task_of(model: Bundle) -> str:
    """The task that a model's labels belong to.

    Raises:
        ConfigError: they belong to none.
    """
    labels = {label.name for label in model.labels}
    breath = next((task for names, task in _BREATH_LABELS if names <= labels), None)
    if breath:
        return breath
    found = [task for task in ALARM_LISTS if task in labels]
    alarms = [label.name for label in model.labels if label.role == "alarm"]
    if len(found) == 1:
        return found[0]
    if len(alarms) == 1:
        return "cry"
    raise ConfigError(
        f"model {model.name}: its labels ({', '.join(model.label_names)}) name no single task; "
        f"give --task {' or '.join(known_tasks())}"
    )


def _run_alarms(args: argparse.Namespace, task: str) -> int:
    settings, highest = _alarm_settings(args, task), _highest_threshold(args)
    systems, scored = score_plans(settings, settings.plans(), workers=args.workers, scheduler=args.scheduler)
    found = full_report(settings, systems, scored)
    _write_json(args.json, found)
    if args.markdown:
        args.markdown.write_text(markdown(found), encoding="utf-8")
    if args.clips:
        args.clips.write_text("".join(f"{json.dumps(line)}\n" for line in scene_lines(scored)), encoding="utf-8")
    if args.operating_point:
        _write_json(args.operating_point, chosen_operating_point(scored, args.most_false_an_hour, highest))
    print(found["headline"])
    return 0


def _alarm_settings(args: argparse.Namespace, task: str) -> EvaluationSettings:
    if args.split not in _PARTS or args.official_split:
        raise ConfigError(f"--split {args.split}: the lists of cries and screams know the held-out parts val and test")
    _refuse_choosing_on_test(args)
    split = args.split_list or (ALARM_LISTS | SOUND_LISTS)[task]
    sound = cast("SoundEvent", task) if task in SOUND_LISTS else None
    event = sound or listed_event(split)
    if args.hard and (sound or args.operating_point or args.markdown):
        raise ConfigError(
            "--hard plays no events: it is for cries and screams, without --operating-point and --markdown"
        )
    if args.task and event != task:
        raise ConfigError(f"{split} is about the event {event}, not {task}: give the list of the task")
    return EvaluationSettings(
        model=args.model,
        data=args.data,
        part=args.split,
        split=split,
        seed=args.seed,
        label=args.label or sound,
        float_model=args.float,
        peer=args.peer,
        peer_classes=tuple(args.peer_class or PEER_CLASSES[event]),
        point=_point(args),
        sensitivity=args.sensitivity,
        sound=sound,
        hard_only=args.hard,
    )


def _point(args: argparse.Namespace) -> OperatingPoint | None:
    """What is measured instead of the model's own operating point; None for that."""
    if args.point and args.sensitivity:
        raise ConfigError("--point and --sensitivity both say how much is heard: give one of them")
    if not args.point and not args.sensitivity:
        return None
    model = read_model(args.model)
    if args.point:
        return read_point(args.point, model)
    return ConfiguredPoint(args.sensitivity, evaluated_label(model, args.label).operating_point).at(args.sensitivity)


def _run_breath(args: argparse.Namespace, task: str) -> int:
    from training.evaluation.breath.breath_report import BreathSettings, evaluate_breath

    alarms_only = ("float", "peer", "clips", "curve", "markdown", "point", "label", "highest_threshold", "hard")
    unfit = [name for name in alarms_only if getattr(args, name)]
    if unfit:
        raise ConfigError(f"--{unfit[0].replace('_', '-')} is for cries and screams; leave it out for breath sounds")
    _refuse_choosing_on_test(args)
    settings = BreathSettings(
        model=args.model,
        data=args.data,
        part=args.split,
        split=args.split_list or LUNG_LIST,
        official_split=args.official_split,
        task=task,
        seed=args.seed,
        most_false_an_hour=_most_false(args) if args.operating_point else None,
    )
    found = evaluate_breath(settings, workers=args.workers, scheduler=args.scheduler)
    _write_json(args.json, {"headline": found.headline, "measured": found.measured.as_json()})
    if args.operating_point:
        _write_json(args.operating_point, found.chosen)
    print(found.headline)
    return 0


def _highest_threshold(args: argparse.Namespace) -> float:
    """Told to be out of range before anything is heard."""
    from training.evaluation.threshold_search import LEAST_THRESHOLD

    highest = 1.0 if args.highest_threshold is None else float(args.highest_threshold)
    if not LEAST_THRESHOLD <= highest <= 1:
        raise ConfigError(f"--highest-threshold {highest:g}: give a number from {LEAST_THRESHOLD} to 1")
    if args.highest_threshold is not None and not args.operating_point:
        raise ConfigError("--highest-threshold bounds the point that is chosen: give --operating-point FILE with it")
    return highest


def _most_false(args: argparse.Namespace) -> float:
    if args.most_false_an_hour is None:
        raise ConfigError("--operating-point for breath sounds needs --most-false-an-hour: how many you can bear")
    return float(args.most_false_an_hour)


def _refuse_choosing_on_test(args: argparse.Namespace) -> None:
    if args.operating_point and (args.split != "val" or args.official_split):
        raise ConfigError(f"--operating-point with --split {args.split}: thresholds are chosen on val, never on test")


def _run_timelines(args: argparse.Namespace, task: str) -> int:
    unfit = [name for name in ("clips", "markdown", "highest_threshold", "hard") if getattr(args, name)]
    if unfit:
        raise ConfigError(f"--{unfit[0].replace('_', '-')} is for the scenes of a committed list; leave it out here")
    heard = TimelineSettings(
        model=args.model,
        label=args.label,
        float_model=args.float,
        peer=args.peer,
        peer_classes=tuple(args.peer_class or PEER_CLASSES.get(task, ())),
        point=_point(args),
        sensitivity=args.sensitivity,
    )
    if heard.peer and not heard.peer_classes:
        raise ConfigError("--peer needs --peer-class here: which of YAMNet's classes are the event")
    settings = OwnSettings(
        heard=heard,
        data=args.data,
        task=task,
        part=args.split,
        split=args.split_list,
        seed=args.seed,
        curve=args.curve,
        chosen=args.operating_point,
    )
    measured, headline = evaluate_timelines(settings, workers=args.workers, scheduler=args.scheduler)
    _write_json(args.json, {"headline": headline, "measured": measured.as_json()})
    print(headline)
    return 0


def _refuse_missing_folders(*paths: Path | None) -> None:
    """Refuse before minutes of work, and not after them, to write into a folder that does not exist."""
    for path in paths:
        if path is not None and not path.parent.is_dir():
            raise ConfigError(f"{path} cannot be written: make the folder {path.parent} first")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")
