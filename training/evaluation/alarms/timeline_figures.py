"""The figures of timelines: recall by level, delays, false alarms by ground, and sed_eval's measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.alarm_counting import IN_TIME_S, DetectedEvent
from training.evaluation.alarms.sed_measures import COLLARS_S, count_events, error_rate, f1
from training.evaluation.measured import Figure
from training.statistics import bootstrap_interval, poisson_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from training.evaluation.alarms.timelines import ScoredTimeline, TimelineEvent
    from training.evaluation.detectors import System

ALL_EVENTS, ALL_RECORDINGS = "all events", "all recordings"


@dataclass(frozen=True, slots=True)
class _Heard:
    """One annotated event as it was heard."""

    event: TimelineEvent
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
        _Heard(event, delay_s, in_time)
        for one in scored
        for event, delay_s, in_time in zip(one.timeline.events, one.delays_s, one.in_time, strict=True)
    ]
    levels = list(dict.fromkeys(one.event.level for one in heard if one.event.level))
    for of in (*levels, ALL_EVENTS):
        held = [one for one in heard if of in (ALL_EVENTS, one.event.level)]
        if held:
            yield from _recall(name, of, held, seed)
    for ground in ("ordinary", "hard", ""):
        held_by = [one for one in scored if one.timeline.ground == ground]
        if held_by:
            yield from _rates(name, f"{ground} backgrounds" if ground else ALL_RECORDINGS, held_by, seed)
    if heard:
        yield from _sed(name, scored, seed)


def _recall(name: str, of: str, heard: Sequence[_Heard], seed: int) -> Iterator[Figure]:
    hours = sum(one.event.end_s - one.event.onset_s for one in heard) / 3600
    measures: tuple[tuple[str, Callable[[_Heard], float]], ...] = (
        ("event recall", lambda one: float(one.delay_s is not None)),
        (f"found within {IN_TIME_S:g} s", lambda one: float(one.in_time)),
    )
    for measure, value in measures:
        yield _figure(
            name, measure, of, _by_subject(heard, value), lambda held: float(held.mean()), "share", hours, seed
        )
    found = [one for one in heard if one.delay_s is not None]
    delays = _by_subject(found, lambda one: one.delay_s or 0.0)
    yield _figure(name, "median delay", of, delays, lambda held: float(np.median(held)), "s", hours, seed)


def _by_subject(heard: Sequence[_Heard], value: Callable[[_Heard], float]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for one in heard:
        found.setdefault(one.event.subject, []).append(value(one))
    return found


def _rates(name: str, of: str, scored: Sequence[ScoredTimeline], seed: int) -> Iterator[Figure]:
    hours = sum(one.timeline.recording.duration_s for one in scored) / 3600
    alarms = sum(one.false_alarms for one in scored)
    exact = poisson_rate(alarms, hours)
    yield Figure(
        system=name,
        measure="false alarms an hour",
        of=of,
        value=round(alarms / hours, 5),
        low=round(exact.low, 5),
        high=round(exact.high, 5),
        unit="an hour",
        interval="exact Poisson",
        subjects=len({one.timeline.subject for one in scored}),
        items=len(scored),
        hours=round(hours, 5),
    )
    rows: dict[str, list[tuple[float, float]]] = {}
    for one in scored:
        row = (one.false_alarms, one.timeline.recording.duration_s / 3600)
        rows.setdefault(one.timeline.subject, []).append(row)
    rate = lambda held: float(held[:, 0].sum() / held[:, 1].sum())  # noqa: E731 - a statistic
    yield _figure(name, "false alarms an hour, by source", of, rows, rate, "an hour", hours, seed)


def _sed(name: str, scored: Sequence[ScoredTimeline], seed: int) -> Iterator[Figure]:
    hours = sum(one.timeline.recording.duration_s for one in scored) / 3600
    for collar_s in COLLARS_S:
        rows: dict[str, list[tuple[int, int, int]]] = {}
        for one in scored:
            annotated = [DetectedEvent(event.onset_s, event.end_s) for event in one.timeline.events]
            counted = count_events(annotated, one.heard, collar_s=collar_s)
            rows.setdefault(one.timeline.subject, []).append(counted.row)
        for measure, statistic, unit in (("F1", f1, "share"), ("error rate", error_rate, "errors for each event")):
            of = f"event {measure}, collar {collar_s:g} s"
            yield _figure(name, of, ALL_RECORDINGS, rows, statistic, unit, hours, seed)


def _figure(
    name: str,
    measure: str,
    of: str,
    rows: dict[str, list[float]] | dict[str, list[tuple[float, float]]] | dict[str, list[tuple[int, int, int]]],
    statistic: Callable[[np.ndarray], float],
    unit: str,
    hours: float,
    seed: int,
) -> Figure:
    """A figure with its bootstrap over subjects; without a value where it is not defined."""
    every = np.array([row for held in rows.values() for row in held])
    value = statistic(every) if len(every) else float("nan")
    interval = None if np.isnan(value) else bootstrap_interval(rows, statistic, np.random.default_rng(seed))
    return Figure(
        system=name,
        measure=measure,
        of=of,
        value=None if interval is None else round(value, 5),
        low=None if interval is None else round(interval.low, 5),
        high=None if interval is None else round(interval.high, 5),
        unit=unit,
        interval="none" if interval is None else "bootstrap over subjects",
        subjects=len(rows),
        items=len(every),
        hours=round(hours, 5),
    )
