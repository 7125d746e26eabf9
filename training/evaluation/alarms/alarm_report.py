"""Everything that an evaluation of cries or screams found, as JSON types, and the command that finds it again."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from training.data.split_list import CRY_LIST, SCREAM_LIST
from training.evaluation.alarm_counting import HOP_S
from training.evaluation.alarms.alarm_figures import alarm_figures
from training.evaluation.detectors import PEER_CLASSES, evaluated_label, is_streamable, with_point
from training.evaluation.event_metrics import report
from training.evaluation.markdown_report import headline
from training.evaluation.measured import Measured
from training.evaluation.model_file import read_model, runtime_of
from training.mixing.clip_in_background import SNRS_DB
from training.mixing.scenes import SEED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from device.hearing.bundle.contents import Bundle
    from device.hearing.decision import OperatingPoint
    from training.evaluation.detectors import System
    from training.evaluation.runner import EvaluationSettings, ScoredScene


def full_report(
    settings: EvaluationSettings, systems: Sequence[System], scored: Sequence[ScoredScene]
) -> dict[str, Any]:
    """All figures, on what and how they were measured: equal inputs give an equal report."""
    model = with_point(read_model(settings.model), settings.label, settings.point)
    task = settings.event
    scenes = [one for one in scored if not one.scene.is_joined]
    found = {
        "task": task,
        "part": settings.part,
        "command": command(settings),
        "bundle": {
            "name": model.name,
            "version": model.version,
            "label": evaluated_label(model, settings.label).name,
            "sha256": model.sha256,
            "network_sha256": model.network_sha256,
            "runtime": runtime_of(settings.model, model),
        },
        "float_sha256": _sha256(settings.float_model.read_bytes()) if settings.float_model else None,
        "peer_sha256": _sha256(settings.peer.read_bytes()) if settings.peer else None,
        "split": {"file": _listed_as(settings.split), "sha256": _sha256(settings.split.read_bytes())},
        "hop_s": HOP_S,
        "earlier_int8_cost": [] if settings.float_model else _int8_cost_in_card(model),
        **report(scenes, systems, snr_db=SNRS_DB[0], seed=settings.seed),
    }
    if task != "cry":
        found["aims"] = []  # they are the cry model's
    return {"headline": headline(found), **found, "measured": measured(settings, systems, scored).as_json()}


def measured(settings: EvaluationSettings, systems: Sequence[System], scored: Sequence[ScoredScene]) -> Measured:
    """The figures as a report of several models reads them."""
    model = read_model(settings.model)
    streamable = is_streamable(model)
    notes = () if streamable else ("This form cannot be streamed: windows were scored as a batch, on no device.",)
    return Measured(
        task=settings.event,
        model=model.name,
        model_sha256=model.sha256,
        part=settings.part,
        split=settings.split.name,
        official_split=False,
        heard="listener" if streamable else "batch",
        chosen_on="val" if settings.point and not settings.sensitivity else "",
        seed=settings.seed,
        command=command(settings),
        figures=alarm_figures(scored, systems, seed=settings.seed),
        notes=(*notes, *_repeats(scored)),
    )


def _repeats(scored: Sequence[ScoredScene]) -> tuple[str, ...]:
    """What the hours of backgrounds are made of."""
    grounds = {
        ground: sum(one.scene.duration_s for one in scored if (one.scene.ground, one.system) == (ground, first)) / 3600
        for first in [scored[0].system if scored else ""]
        for ground in ("ordinary", "hard")
    }
    told = ", ".join(f"{hours:.2f} h {ground}" for ground, hours in grounds.items())
    return (f"Backgrounds: {told}; each recording is played once, none is repeated.",)


def _int8_cost_in_card(bundle: Bundle) -> list[dict[str, Any]]:
    """What an earlier evaluation of this network measured against its float network; nothing if there was none."""
    cost: list[dict[str, Any]] = bundle.card.get("evaluation", {}).get("int8_cost", [])
    return cost


def command(settings: EvaluationSettings) -> str:
    """The command line that reproduces the figures, but for the files that they are written to."""
    words = ["--model", str(settings.model), "--split", settings.part, "--data", str(settings.data)]
    named = {"float": settings.float_model, "peer": settings.peer, "task": settings.sound, "label": settings.label}
    for option, value in named.items():
        words += [f"--{option}", str(value)] if value else []
    words += ["--split-list", str(settings.split)] if settings.split not in (CRY_LIST, SCREAM_LIST) else []
    if settings.peer and settings.peer_classes != PEER_CLASSES[settings.event]:
        words += ["--peer-class", *map(str, settings.peer_classes)]
    words += ["--hard"] if settings.hard_only else []
    words += point_words(settings.point, settings.sensitivity)
    words += ["--seed", str(settings.seed)] if settings.seed != SEED else []
    return shlex.join(["python", "-m", "training", "evaluate", *words, "--json", "report.json"])


def point_words(point: OperatingPoint | None, sensitivity: int) -> list[str]:
    """The options that say what is measured instead of the model's own operating point."""
    if sensitivity:
        return ["--sensitivity", str(sensitivity)]
    return ["--point", "POINT.json"] if point else []


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


def chosen_operating_point(
    scored: Sequence[ScoredScene], most_false_an_hour: float | None = None, highest_threshold: float = 1.0
) -> dict[str, Any]:
    """The operating point that serves the shipped network best on these scenes, and its figures there: JSON types.

    Args:
        scored: validation scenes.
        most_false_an_hour: a bound that no recall outweighs; None for the goals as they are.
        highest_threshold: thresholds above it are not tried.
    """
    from training.evaluation.threshold_search import Goals, choose, figures

    own = [one for one in scored if one.system == scored[0].system and not one.scene.is_joined]
    goals = None if most_false_an_hour is None else Goals(false_alarms_per_hour=most_false_an_hour, hour_price=10.0)
    scenes, windows = [one.scene for one in own], [one.windows for one in own]
    best = choose(scenes, windows, goals, highest_threshold=highest_threshold)
    return {"operating_point": asdict(best.point), "validation": figures(best)}


def _listed_as(path: Path) -> str:
    """The committed list by its place in the project, any other by its name."""
    return f"training/splits/{path.name}" if path in (CRY_LIST, SCREAM_LIST) else path.name


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
