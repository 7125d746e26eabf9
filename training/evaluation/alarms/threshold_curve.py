"""How recall and false alarms of timelines change with the threshold; it chooses nothing.

One operating point says little of a network: two networks compare where both raise as many false alarms.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.alarm_counting import alarm_times, decide_events, heard_events
from training.evaluation.alarms.timelines import score_timeline
from training.evaluation.detectors import Detections

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from device.hearing.decision import OperatingPoint
    from training.evaluation.alarms.timelines import ScoredTimeline
    from training.evaluation.detectors import System

ALL_LEVELS = "all"
_LOGITS = np.arange(-3.0, 6.25, 0.25)
_THRESHOLDS = np.round(1 / (1 + np.exp(-_LOGITS)), 4)
"""From 0.05 to 0.998, evenly spaced in logits."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What one system reaches at one threshold; its times of confirmation and hold are its operating point's.

    Attributes:
        system: its name.
        on: the threshold; an event ends below half of it.
        recall: share of the events found, by level, and of all as `ALL_LEVELS`; empty without events.
        delay_p95_s: 95th percentile of the found events' delays; None if none was found.
        false_per_hour: by ground.
    """

    system: str
    on: float
    recall: dict[str, float]
    delay_p95_s: float | None
    false_per_hour: dict[str, float]


def threshold_curve(scored: Iterable[ScoredTimeline], systems: Sequence[System]) -> tuple[CurvePoint, ...]:
    """All thresholds, system by system.

    Args:
        scored: timelines as each system heard them.
        systems: those whose curve is drawn.
    """
    held = list(scored)
    return tuple(
        curve_point(system.name, [one for one in held if one.system == system.name], _with_threshold(system.point, on))
        for system in systems
        for on in map(float, _THRESHOLDS)
    )


def write_curve(points: Sequence[CurvePoint], path: Path) -> None:
    """Write a curve as CSV, a line each; shares with four decimals, rates an hour and seconds with two."""
    levels = sorted(dict.fromkeys(level for one in points for level in one.recall), key=ALL_LEVELS.__eq__)
    grounds = list(dict.fromkeys(ground for one in points for ground in one.false_per_hour))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        recalls, rates = (f"recall {level}" for level in levels), (f"false an hour {ground}" for ground in grounds)
        writer.writerow(["system", "on", *recalls, "delay p95 s", *rates])
        for one in points:
            shares = [f"{one.recall[level]:.4f}" for level in levels]
            delay = "" if one.delay_p95_s is None else f"{one.delay_p95_s:.2f}"
            falses = [f"{one.false_per_hour[ground]:.2f}" for ground in grounds]
            writer.writerow([one.system, f"{one.on:g}", *shares, delay, *falses])


def _with_threshold(point: OperatingPoint, on: float) -> OperatingPoint:
    return replace(point, on=on, off=on / 2)


def curve_point(system: str, scored: Sequence[ScoredTimeline], point: OperatingPoint) -> CurvePoint:
    """What timelines give at one operating point, from scores that one system gave.

    Args:
        system: its name.
        scored: timelines as it heard them.
        point: may differ from the one that they were decided by.
    """
    again = [decided_again(one, point) for one in scored]
    found: dict[str, list[bool]] = {}
    delays: list[float] = []
    for one in again:
        for event, delay_s in zip(one.timeline.events, one.delays_s, strict=True):
            for level in filter(None, (event.level, ALL_LEVELS)):
                found.setdefault(level, []).append(delay_s is not None)
            delays += [] if delay_s is None else [delay_s]
    grounds = dict.fromkeys(one.timeline.ground or ALL_LEVELS for one in again)
    return CurvePoint(
        system=system,
        on=point.on,
        recall={level: float(np.mean(hits)) for level, hits in found.items()},
        delay_p95_s=float(np.percentile(delays, 95)) if delays else None,
        false_per_hour={
            ground: _rate([one for one in again if (one.timeline.ground or ALL_LEVELS) == ground]) for ground in grounds
        },
    )


def decided_again(one: ScoredTimeline, point: OperatingPoint) -> ScoredTimeline:
    """What the same scores give at another operating point."""
    events = decide_events(one.windows, point)
    detections = Detections(one.windows, alarm_times(events), heard_events(events), one.faults)
    return score_timeline(one.timeline, one.system, detections)


def _rate(scored: Sequence[ScoredTimeline]) -> float:
    hours = sum(one.timeline.recording.duration_s for one in scored) / 3600
    return sum(one.false_alarms for one in scored) / hours
