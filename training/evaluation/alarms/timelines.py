"""Recordings with several annotated events, as a detector hears them: scenes that were written, or one's own.

An event is found if an alarm's deciding window touches it, or if an earlier alarm still lasts when it begins: a
caregiver is there already. Every alarm that touches no event is false. Counts by `alarm_counting`.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from device.errors import ConfigError
from training.data.clips import SAMPLE_RATE_HZ
from training.data.datasets.annotated_recording import AnnotatedRecording, load_audio
from training.data.datasets.layouts import read_dataset
from training.evaluation.alarm_counting import IN_TIME_S, DetectedEvent, deciding_window, match_alarms
from training.evaluation.alarms.scenes_command import SCENES
from training.evaluation.detectors import open_detectors
from training.scaling.run_all import run_all
from training.splits.subject_split import check_subjects, load_assignments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from device.hearing.decision import OperatingPoint
    from training.evaluation.alarm_counting import WindowScores
    from training.evaluation.detectors import Detections, Detector, System


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """An annotated event of a timeline.

    Attributes:
        onset_s: where it is first audible.
        end_s: where it ends.
        subject: whom it is of.
        level: "20 dB", or "" where it is not known.
    """

    onset_s: float
    end_s: float
    subject: str
    level: str


@dataclass(frozen=True, slots=True)
class BackgroundSound:
    """A sound of a scene that is no event.

    Attributes:
        file: as listed.
        subject: whom or what it is of.
        start_s: where it starts in the scene.
        end_s: where it ends.
    """

    file: str
    subject: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """A recording that is played through.

    Attributes:
        recording: the audio.
        name: its file.
        subject: of its background.
        ground: "ordinary", "hard", or "" where it is not known.
        events: all that it holds.
        sounds: what else it is made of; empty where that is not known.
    """

    recording: AnnotatedRecording
    name: str
    subject: str
    ground: str
    events: tuple[TimelineEvent, ...]
    sounds: tuple[BackgroundSound, ...] = ()


@dataclass(frozen=True, slots=True)
class ScoredTimeline:
    """What one system heard of a timeline.

    Attributes:
        timeline: what is annotated.
        system: its name.
        windows: its scores.
        delays_s: for each event from its onset to the alarm, at least 0; None if it was missed.
        false_alarms: alarms that touch no event.
        heard: from when to when events were heard.
        faults: kinds of faults that kept the listener from hearing.
        false_over: for each false alarm what sounded in the window that decided it, the latest first.
    """

    timeline: Timeline
    system: str
    windows: WindowScores
    delays_s: tuple[float | None, ...]
    false_alarms: int
    heard: tuple[DetectedEvent, ...]
    faults: tuple[str, ...]
    false_over: tuple[tuple[BackgroundSound, ...], ...] = ()

    @property
    def in_time(self) -> tuple[bool, ...]:
        """Which events were found within `IN_TIME_S`."""
        return tuple(delay_s is not None and delay_s <= IN_TIME_S for delay_s in self.delays_s)


@dataclass(frozen=True, slots=True)
class TimelineSettings:
    """What is evaluated: model, label, peer, and how scores become events; all can be pickled.

    `point` is shifted by `sensitivity` steps already, as a device's configuration does.
    """

    model: Path
    label: str | None
    float_model: Path | None
    peer: Path | None
    peer_classes: tuple[int, ...]
    point: OperatingPoint | None = None
    sensitivity: int = 0


def is_scenes_folder(data: Path) -> bool:
    """Whether `scenes` wrote it."""
    return (data / SCENES).is_file()


def read_scenes(data: Path) -> tuple[dict[str, Any], tuple[Timeline, ...]]:
    """What `scenes` wrote: the head of its `scenes.json`, and the timelines.

    Raises:
        ConfigError: the file was not written by `scenes`.
    """
    try:
        head = json.loads((data / SCENES).read_text(encoding="utf-8"))
        timelines = tuple(_scene(data, one) for one in head["scenes"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{data / SCENES} cannot be understood ({error!r}): write the scenes again") from None
    return head, timelines


def read_own(data: Path, *, label: str, part: str = "", split: Path | None = None) -> tuple[Timeline, ...]:
    """Recordings of one's own with annotated events; one without any, or with none of this label, is background.

    Args:
        data: a collection in any layout.
        label: of the events, upper and lower case alike.
        part: of the split; all recordings without one.
        split: who is in which part.

    Raises:
        RecordingError: the collection or the split cannot be read, or the split divides a subject.
        ConfigError: no recording is left.
    """
    dataset = read_dataset(data)
    lines = load_assignments(split) if split else ()
    check_subjects(lines)
    wanted = {one.file: one.subject for one in lines if one.part == part}
    timelines = tuple(
        _own(one, dataset.file_name(one), wanted.get(dataset.file_name(one), one.subject), label)
        for one in dataset.recordings
        if split is None or dataset.file_name(one) in wanted
    )
    if not timelines:
        raise ConfigError(f"{data} holds no recordings of the part {part}")
    return timelines


def score_timelines(
    settings: TimelineSettings, timelines: Sequence[Timeline], *, workers: int = 1, scheduler: str | None = None
) -> tuple[tuple[System, ...], tuple[ScoredTimeline, ...]]:
    """The systems, and every timeline as each heard it.

    Raises:
        AuricleError: a model is not valid, or a recording cannot be read.
    """
    score = functools.partial(_score, settings)
    scored = run_all(score, timelines, workers=workers, scheduler=scheduler, progress="recordings")
    return _systems(settings), tuple(one for held in scored for one in held)


def score_timeline(timeline: Timeline, system: str, found: Detections) -> ScoredTimeline:
    """Match one system's alarms and events to the annotated ones."""
    stretches = [(one.onset_s, one.end_s) for one in timeline.events]
    matched, false_alarms = match_alarms(stretches, found.windows, found.alarms_s)
    delays_s = tuple(
        max(0.0, alarms_s[0] - event.onset_s) if alarms_s else _already_on(event, found.events)
        for event, alarms_s in zip(timeline.events, matched, strict=True)
    )
    counted = {alarm_s for held in matched for alarm_s in held}
    false_over = tuple(
        _sounding(timeline, found.windows, alarm_s) for alarm_s in found.alarms_s if alarm_s not in counted
    )
    return ScoredTimeline(
        timeline, system, found.windows, delays_s, false_alarms, found.events, found.faults, false_over
    )


def _sounding(timeline: Timeline, windows: WindowScores, alarm_s: float) -> tuple[BackgroundSound, ...]:
    """What touches the window that decided an alarm, the sound that began last first."""
    start_s, end_s = deciding_window(windows, alarm_s)
    touching = [one for one in timeline.sounds if one.end_s > start_s and one.start_s < end_s]
    return tuple(sorted(touching, key=lambda one: one.start_s, reverse=True))


def _already_on(event: TimelineEvent, heard: Sequence[DetectedEvent]) -> float | None:
    """0 if an event that was heard earlier lasts when this one begins."""
    lasting = any(one.onset_s <= event.onset_s < one.offset_s for one in heard)
    return 0.0 if lasting else None


@functools.cache
def _detectors(settings: TimelineSettings) -> tuple[Detector, ...]:
    return open_detectors(
        settings.model,
        label=settings.label,
        float_path=settings.float_model,
        peer_path=settings.peer,
        peer_classes=settings.peer_classes,
        point=settings.point,
    )


def _systems(settings: TimelineSettings) -> tuple[System, ...]:
    return tuple(system for detector in _detectors(settings) for system in detector.systems)


def _score(settings: TimelineSettings, timeline: Timeline) -> list[ScoredTimeline]:
    samples = load_audio(timeline.recording, SAMPLE_RATE_HZ)
    found: dict[str, Detections] = {}
    for detector in _detectors(settings):
        found |= detector.detect(samples, "evaluation")
    return [score_timeline(timeline, system.name, found[system.name]) for system in _systems(settings)]


def _scene(data: Path, one: dict[str, Any]) -> Timeline:
    events = tuple(
        TimelineEvent(event["onset_s"], event["end_s"], event["subject"], f"{event['snr_db']:g} dB")
        for event in one["events"]
    )
    recording = AnnotatedRecording(
        file=data / one["file"],
        set="scenes",
        labels=(),
        subject=one["file"],
        session="",
        official_split="",
        sample_rate_hz=SAMPLE_RATE_HZ,
        duration_s=one["duration_s"],
        events=(),
        note="",
    )
    sounds = tuple(
        BackgroundSound(sound["file"], sound["subject"], sound["start_s"], sound["end_s"])
        for sound in one["background"]
    )
    return Timeline(recording, one["file"], one["file"], one["ground"], events, sounds)


def _own(recording: AnnotatedRecording, name: str, subject: str, label: str) -> Timeline:
    wanted = label.casefold()
    spans = [(one.start_s, one.end_s) for one in recording.events if one.label.casefold() == wanted]
    if not recording.events and any(one.casefold() == wanted for one in recording.labels):
        spans = [(0.0, recording.duration_s)]
    whose = subject or name
    return Timeline(recording, name, whose, "", tuple(TimelineEvent(start, end, whose, "") for start, end in spans))
