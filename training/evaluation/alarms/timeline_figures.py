"""The figures of timelines: recall and delays by level and ground, false alarms by ground, and sed_eval's measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.alarm_counting import IN_TIME_S, DetectedEvent
from training.evaluation.alarms.distinct_sounds import distinct_hours, distinct_mistakes
from training.evaluation.alarms.group_figures import Group
from training.statistics import poisson_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from training.evaluation.alarms.timelines import ScoredTimeline, TimelineEvent
    from training.evaluation.detectors import System
    from training.evaluation.measured import Figure

ALL_EVENTS, ALL_RECORDINGS = "all events", "all recordings"


@dataclass(frozen=True, slots=True)
class _Heard:
    """One annotated event as it was heard."""

    event: TimelineEvent
    ground: str
    delay_s: float | None
    in_time: bool


def timeline_figures(scored: Sequence[ScoredTimeline], systems: Sequence[System], *, seed: int) -> tuple[Figure, ...]:
    """All figures, system by system; subjects are those of the events, and recordings where alarms are false.

    Args:
        scored: the same timelines, by all systems.
        systems: in the order of the report.
        seed: of the bootstraps.
    """
    return tuple(
        figure
        for system in systems
        for figure in _of_system(system.name, [one for one in scored if one.system == system.name], seed)
    )


def _of_system(name: str, scored: Sequence[ScoredTimeline], seed: int) -> Iterator[Figure]:
    heard = [
        _Heard(event, one.timeline.ground, delay_s, in_time)
        for one in scored
        for event, delay_s, in_time in zip(one.timeline.events, one.delays_s, one.in_time, strict=True)
    ]
    for of, held in _groups(heard).items():
        hours = sum(one.event.end_s - one.event.onset_s for one in held) / 3600
        yield from _recall(Group(name, of, hours, seed), held)
    for ground in ("ordinary", "hard", ""):
        held_by = [one for one in scored if one.timeline.ground == ground]
        if held_by:
            of = f"{ground} backgrounds" if ground else ALL_RECORDINGS
            group = Group(name, of, sum(map(_duration_s, held_by)) / 3600, seed)
            yield from group.alarm_rates((one.timeline.subject, one.false_alarms, _duration_s(one)) for one in held_by)
            if any(one.timeline.sounds for one in held_by):
                yield _each_sound_once(name, of, held_by, seed)
    if heard:
        group = Group(name, ALL_RECORDINGS, sum(map(_duration_s, scored)) / 3600, seed)
        yield from group.event_measures([(one.timeline.subject, _annotated(one), one.heard) for one in scored])


def _groups(heard: Sequence[_Heard]) -> dict[str, list[_Heard]]:
    """Each level, all events, and where grounds are known each level and all events over each of them."""
    levels = list(dict.fromkeys(one.event.level for one in heard if one.event.level))
    grounds = [ground for ground in ("ordinary", "hard") if any(one.ground == ground for one in heard)]
    found = {}
    for ground in ("", *grounds):
        for of in (*levels, ALL_EVENTS):
            held = [one for one in heard if of in (ALL_EVENTS, one.event.level) and ground in ("", one.ground)]
            if held:
                found[f"{of}, {ground} backgrounds" if ground else of] = held
    return found


def _each_sound_once(name: str, of: str, scored: Sequence[ScoredTimeline], seed: int) -> Figure:
    """The rate of distinct mistakes in distinct hours; its items are the mistakes, its subjects all that sounded."""
    hours, mistakes = distinct_hours(one.timeline for one in scored), distinct_mistakes(scored)
    subjects = {sound.subject for one in scored for sound in one.timeline.sounds}
    rate = mistakes / hours if hours else float("nan")
    interval = poisson_rate(mistakes, hours) if hours else None
    group = Group(name, of, hours, seed)
    return group.figure(
        "false alarms an hour, each sound once",
        rate,
        interval,
        "an hour",
        "exact Poisson" if hours else "none",
        counts=(len(subjects), mistakes),
    )


def _recall(group: Group, heard: Sequence[_Heard]) -> Iterator[Figure]:
    measures: tuple[tuple[str, Callable[[_Heard], float]], ...] = (
        ("event recall", lambda one: float(one.delay_s is not None)),
        (f"found within {IN_TIME_S:g} s", lambda one: float(one.in_time)),
    )
    for measure, value in measures:
        yield group.bootstrapped(measure, _by_subject(heard, value), lambda held: float(held.mean()), "share")
    found = [one for one in heard if one.delay_s is not None]
    delays = _by_subject(found, lambda one: one.delay_s or 0.0)
    yield group.bootstrapped("median delay", delays, lambda held: float(np.median(held)), "s")
    yield group.bootstrapped("delay of 95 %", delays, lambda held: float(np.percentile(held, 95)), "s")


def _by_subject(heard: Sequence[_Heard], value: Callable[[_Heard], float]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for one in heard:
        found.setdefault(one.event.subject, []).append(value(one))
    return found


def _duration_s(one: ScoredTimeline) -> float:
    return one.timeline.recording.duration_s


def _annotated(one: ScoredTimeline) -> list[DetectedEvent]:
    return [DetectedEvent(event.onset_s, event.end_s) for event in one.timeline.events]
