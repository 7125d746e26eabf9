"""What an evaluation of timelines found: scenes that `scenes` wrote, or recordings of one's own."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import ConfigError
from training.evaluation.alarms.alarm_report import point_words
from training.evaluation.alarms.distinct_sounds import mistaken_sounds
from training.evaluation.alarms.scene_point import chosen_on_scenes
from training.evaluation.alarms.threshold_curve import threshold_curve, write_curve
from training.evaluation.alarms.timeline_figures import ALL_EVENTS, timeline_figures
from training.evaluation.alarms.timelines import (
    TimelineSettings,
    is_scenes_folder,
    read_own,
    read_scenes,
    score_timelines,
)
from training.evaluation.detectors import PEER_CLASSES, evaluated_label, is_streamable
from training.evaluation.measured import Measured
from training.evaluation.model_file import read_model

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from training.evaluation.alarms.timelines import ScoredTimeline, Timeline


@dataclass(frozen=True, slots=True)
class OwnSettings:
    """What is evaluated, on which recordings.

    Attributes:
        heard: the model and its peer.
        data: what `scenes` wrote, or a collection.
        task: what the model was trained for.
        part: of the split; of scenes what they were written from.
        split: who is in which part; None for all recordings.
        seed: of the bootstraps.
        curve: file for recall and false alarms at every threshold of the model itself; None for none.
        chosen: file for the operating point that serves the model best on scenes of the validation part; None for none.
    """

    heard: TimelineSettings
    data: Path
    task: str
    part: str
    split: Path | None
    seed: int
    curve: Path | None = None
    chosen: Path | None = None


def evaluate_timelines(
    settings: OwnSettings, *, workers: int = 1, scheduler: str | None = None
) -> tuple[Measured, str]:
    """All figures, and a headline.

    Raises:
        AuricleError: the model is not valid, or the recordings or their annotations cannot be read.
        ConfigError: an operating point is wanted, and these are no scenes of the validation part.
    """
    model = read_model(settings.heard.model)
    part, split, timelines, note = _timelines(settings, evaluated_label(model, settings.heard.label).name)
    if settings.chosen is not None and not (is_scenes_folder(settings.data) and part == "val"):
        raise ConfigError(
            f"{settings.data} cannot choose: --operating-point wants scenes that `scenes --part val` wrote"
        )
    systems, scored = score_timelines(settings.heard, timelines, workers=workers, scheduler=scheduler)
    if settings.curve is not None:
        write_curve(threshold_curve(scored, systems[:1]), settings.curve)
    if settings.chosen is not None:
        own = [one for one in scored if one.system == systems[0].name]
        settings.chosen.write_text(json.dumps(chosen_on_scenes(own), indent=1) + "\n", encoding="utf-8")
    streamable = is_streamable(model)
    measured = Measured(
        task=settings.task,
        model=model.name,
        model_sha256=model.sha256,
        part=part,
        split=split,
        official_split=False,
        heard="listener" if streamable else "batch",
        chosen_on="val" if settings.heard.point else "",
        seed=settings.seed,
        command=command(settings),
        figures=timeline_figures(scored, systems, seed=settings.seed),
        notes=(note, *_mistaken(scored, systems[0].name), *_faults(scored)),
    )
    return measured, headline(measured)


def headline(measured: Measured) -> str:
    """Recall and false alarms of the model itself."""
    recall = measured.find("event recall", ALL_EVENTS)
    rates = [one for one in measured.figures if one.measure == "false alarms an hour"]
    told = [f"{recall.items} events, found {100 * (recall.value or 0):.1f} %"] if recall else []
    told += [
        f"{one.value:.2f} false alarms an hour ({one.low:.2f} to {one.high:.2f}) in {one.hours:.2f} h of {one.of}"
        for one in rates
        if one.system == measured.figures[0].system
    ]
    return f"{measured.model} on {measured.part or 'all'} recordings, 95 % intervals in brackets: {'; '.join(told)}."


def command(settings: OwnSettings) -> str:
    """The command line that reproduces the figures."""
    heard = settings.heard
    words = ["--model", str(heard.model), "--data", str(settings.data), "--task", settings.task]
    if settings.split:
        words += ["--split", settings.part, "--split-list", str(settings.split)]
    for option, value in (("--label", heard.label), ("--float", heard.float_model), ("--peer", heard.peer)):
        words += [option, str(value)] if value else []
    if heard.peer and heard.peer_classes != PEER_CLASSES.get(settings.task):
        words += ["--peer-class", *map(str, heard.peer_classes)]
    words += point_words(heard.point, heard.sensitivity)
    return shlex.join(["python", "-m", "training", "evaluate", *words, "--json", "report.json"])


def _timelines(settings: OwnSettings, label: str) -> tuple[str, str, tuple[Timeline, ...], str]:
    """Part, split, timelines, and what they are made of."""
    if is_scenes_folder(settings.data):
        head, timelines = read_scenes(settings.data)
        repeats = sum(one["repeats"] for one in head["scenes"])
        note = f"Scenes written with seed {head['seed']}; {repeats} sounds are repeated within one scene."
        return head["part"], head["split"], timelines, note
    timelines = read_own(settings.data, label=label, part=settings.part, split=settings.split)
    events = sum(len(one.events) for one in timelines)
    note = f"{len(timelines)} recordings, {events} events labelled {label}; what carries no such label is background."
    return (settings.part if settings.split else ""), (settings.split.name if settings.split else ""), timelines, note


def _mistaken(scored: Sequence[ScoredTimeline], system: str) -> list[str]:
    """Over which sounds the model itself raised false alarms; nothing where it is not known what sounds."""
    own = [one for one in scored if one.system == system and one.timeline.sounds]
    told = {
        ground: mistaken_sounds([one for one in own if one.timeline.ground == ground])
        for ground in ("ordinary", "hard")
    }
    return [f"False alarms of {ground} backgrounds, by sound: {words}." for ground, words in told.items() if words]


def _faults(scored: Sequence[ScoredTimeline]) -> list[str]:
    deaf = sorted({kind for one in scored for kind in one.faults})
    return [f"The listener reported faults: {', '.join(deaf)}."] if deaf else []
