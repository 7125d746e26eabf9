"""Runs detectors over the scenes of a part, in one process or several, and counts the alarms of each scene.

Recordings go through the device's own listener, and alarms are counted as a caregiver would count them
(`alarm_counting`). What the scenes are is decided in `training.mixing.scenes`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.evaluation.alarm_counting import SceneAlarms, alarm_level, count_alarms
from training.evaluation.detectors import open_detectors
from training.mixing.scenes import hard_clips, home_backgrounds, listed_event, mix_scenes, plan_scenes
from training.scaling.run_all import run_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from device.hearing.decision import OperatingPoint
    from training.evaluation.alarm_counting import DetectedEvent, WindowScores
    from training.evaluation.detectors import Detections, Detector, System
    from training.mixing.scenes import HeldOutPart, SceneAnnotation, ScenePlan, SoundEvent
    from training.mixing.signal import Float32


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """What is evaluated, on what.

    Attributes:
        model: a bundle, a run folder or a `.keras` file.
        data: folder that holds the collections.
        part: subjects that no training has seen.
        split: the committed list.
        seed: of the backgrounds and pauses.
        label: of the bundle; None for its only alarm.
        float_model: the network before it was converted; None to leave it out.
        peer: YAMNet as a `.tflite` file; None to leave it out.
        peer_classes: which of its classes count.
        point: how scores become events; None for the model's own.
        sensitivity: the steps that `point` was shifted by, as a device's configuration does.
        sound: the event, instead of the one that the list names.
        hard_only: only clips that are hard for the event, no events and no streams.
    """

    model: Path
    data: Path
    part: HeldOutPart
    split: Path
    seed: int
    label: str | None = None
    float_model: Path | None = None
    peer: Path | None = None
    peer_classes: tuple[int, ...] = (20,)
    point: OperatingPoint | None = None
    sensitivity: int = 0
    sound: SoundEvent | None = None
    hard_only: bool = False

    @property
    def event(self) -> str:
        """What is looked for: a cry, a scream, or the sound."""
        return self.sound or listed_event(self.split)

    def plans(self, *, only: Iterable[str] | None = None) -> tuple[ScenePlan, ...]:
        """The plans of the part's scenes, or of some of its files."""
        if self.hard_only:
            return hard_clips(self.data, self.part, split=self.split)
        joined = only is None
        return plan_scenes(self.data, self.part, split=self.split, only=only, with_joined=joined, sound=self.sound)


@dataclass(frozen=True, slots=True, eq=False)
class ScoredScene(SceneAlarms):
    """One scene as one system scored it.

    Attributes:
        system: its name.
        windows: the scores of all windows of the scene.
        level: the highest threshold at which a window that touches the clip would confirm an event.
        faults: kinds of faults that kept the listener from hearing.
        events: from when to when events lasted.
    """

    system: str
    windows: WindowScores
    level: float
    faults: tuple[str, ...]
    events: tuple[DetectedEvent, ...] = ()


def score_plans(
    settings: EvaluationSettings, plans: Sequence[ScenePlan], *, workers: int = 1, scheduler: str | None = None
) -> tuple[tuple[System, ...], tuple[ScoredScene, ...]]:
    """Score all scenes of some plans: the systems, and the scored scenes in the order of the plans.

    Args:
        settings: the model, and the part whose backgrounds are used.
        plans: of the scenes.
        workers: processes; their number changes no result.
        scheduler: of a Dask cluster that computes instead.

    Raises:
        AuricleError: a model is not valid, a recording cannot be read, or a worker or the cluster failed.
    """
    score = functools.partial(_score_with_systems, settings)
    parts = run_all(score, plans, workers=workers, scheduler=scheduler, progress="scenes")
    # Where a worker opened the networks, this process need not.
    systems = parts[0][0] if parts else systems_of(settings)
    return systems, tuple(scene for _, scenes in parts for scene in scenes)


def systems_of(settings: EvaluationSettings) -> tuple[System, ...]:
    """The systems that are evaluated, the shipped one first."""
    return open_scorer(settings).systems


def _score_with_systems(settings: EvaluationSettings, plan: ScenePlan) -> tuple[tuple[System, ...], list[ScoredScene]]:
    return systems_of(settings), score_plan(settings, plan)


def score_plan(settings: EvaluationSettings, plan: ScenePlan) -> list[ScoredScene]:
    """The scenes of one plan, scored by all systems."""
    return open_scorer(settings).score(plan)


@functools.cache
def open_scorer(settings: EvaluationSettings) -> SceneScorer:
    """The scorer of this process: networks are opened and backgrounds decoded once."""
    detectors = open_detectors(
        settings.model,
        label=settings.label,
        float_path=settings.float_model,
        peer_path=settings.peer,
        peer_classes=settings.peer_classes,
        point=settings.point,
    )
    backgrounds = home_backgrounds(settings.data, settings.part, split=settings.split)
    return SceneScorer(detectors, backgrounds, settings.seed)


class SceneScorer:
    """Mixes the scenes of a plan and runs all detectors over them.

    Args:
        detectors: what is evaluated.
        backgrounds: held-out recordings, float32 (n,) each.
        seed: of what is drawn.
    """

    def __init__(self, detectors: Sequence[Detector], backgrounds: Sequence[Float32], seed: int) -> None:
        self._detectors = tuple(detectors)
        self._backgrounds = tuple(backgrounds)
        self._seed = seed
        self.systems = tuple(system for detector in detectors for system in detector.systems)

    def __repr__(self) -> str:
        names = ", ".join(system.name for system in self.systems)
        return f"SceneScorer({names}; {len(self._backgrounds)} backgrounds)"

    def score(self, plan: ScenePlan) -> list[ScoredScene]:
        """The scenes of one plan, scored by all systems."""
        return [
            scored
            for scene, samples in mix_scenes(plan, self._backgrounds, seed=self._seed)
            for scored in self._score_scene(scene, samples)
        ]

    def _score_scene(self, scene: SceneAnnotation, samples: Float32) -> list[ScoredScene]:
        detections: dict[str, Detections] = {}
        for detector in self._detectors:
            detections |= detector.detect(samples, "evaluation")
        return [score_scene(scene, system, detections[system.name]) for system in self.systems]


def score_scene(scene: SceneAnnotation, system: System, detections: Detections) -> ScoredScene:
    """Count one system's alarms in one scene."""
    alarms = count_alarms(scene, detections.windows, detections.alarms_s)
    return ScoredScene(
        scene=scene,
        alarms_s=alarms.alarms_s,
        background_alarms=alarms.background_alarms,
        system=system.name,
        windows=detections.windows,
        level=alarm_level(scene, detections.windows, system.point),
        faults=detections.faults,
        events=detections.events,
    )
