"""Wheezes and crackles as a device says them: the events of its decision rule in whole recordings, chosen and counted.

A recording that holds a label is found if an event of the label begins in it; in one without the label each event
that begins is false. Counts through the device's own `Decider`, one label at a time. Recordings of poor quality, which
carry no annotation, are left out.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.decision import OperatingPoint
from training.data.tasks import BREATH_SOUNDS
from training.evaluation.alarm_counting import WindowScores, decide_alarms
from training.evaluation.measured import Figure
from training.statistics import bootstrap_interval, poisson_rate, share_by_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from device.hearing.bundle.contents import Bundle
    from training.evaluation.breath.record_scores import RecordScores
    from training.evaluation.measured import IntervalKind
    from training.statistics import Interval

_CONFIRMED = ((0.5, 0.5), (1.0, 1.0), (1.0, 2.0), (1.5, 2.0), (1.5, 3.0), (2.0, 3.0), (2.5, 4.0))
_THRESHOLDS = (*np.arange(0.2, 0.95, 0.025), 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995)
_BOOTSTRAP: IntervalKind = "bootstrap over subjects"


@dataclass(frozen=True, slots=True)
class HeardRecording:
    """One recording and one label: whether it holds it, and how many events of it begin.

    Attributes:
        subject: the patient.
        holds: an annotated event or cycle has the label.
        events: that begin.
        hours: its length.
    """

    subject: str
    holds: bool
    events: int
    hours: float


def event_labels(model: Bundle) -> tuple[str, ...]:
    """The labels of a model that breath annotations can judge."""
    return tuple(label.name for label in model.labels if label.name in BREATH_SOUNDS.labels)


def chosen_event_points(records: Sequence[RecordScores], model: Bundle, *, most_false_an_hour: float) -> dict[str, Any]:
    """The operating point of each label that finds most recordings at so few false events; as JSON types.

    Of equal ones the highest threshold is taken. If none is quiet enough, the quietest one is.
    """
    points, validation = {}, {}
    for label in event_labels(model):
        found = [(point, _heard(records, model, label, point)) for point in _candidates()]
        quiet = [one for one in found if _rate(one[1]) <= most_false_an_hour]
        least = min(_rate(heard) for _, heard in found)
        point, heard = max(
            quiet or [one for one in found if _rate(one[1]) == least], key=lambda one: (_recall(one[1]), one[0].on)
        )
        points[label] = asdict(point)
        validation[label] = {
            "recordings_found": round(_recall(heard), 4),
            "recordings_with": sum(one.holds for one in heard),
            "false_events_an_hour": round(_rate(heard), 3),
            "hours_without": round(sum(one.hours for one in heard if not one.holds), 3),
            "patients": len({one.subject for one in heard}),
        }
    return {"operating_points": points, "validation": validation}


def event_figures(records: Sequence[RecordScores], model: Bundle, *, seed: int) -> Iterator[Figure]:
    """For each label the share of recordings that were found, and false events an hour, at the model's own points."""
    for label in event_labels(model):
        point = next(one.operating_point for one in model.labels if one.name == label)
        heard = _heard(records, model, label, point)
        with_label, without = [one for one in heard if one.holds], [one for one in heard if not one.holds]
        if with_label:
            hits, subjects = [one.events > 0 for one in with_label], [one.subject for one in with_label]
            interval = share_by_cluster(hits, subjects, seed=seed)
            yield _figure("event recall", f"recordings with {label}", _recall(heard), interval, "share", with_label)
        if without:
            yield from _false_events(label, without, seed)


def _false_events(label: str, without: Sequence[HeardRecording], seed: int) -> Iterator[Figure]:
    of, hours = f"recordings without {label}", sum(one.hours for one in without)
    exact = poisson_rate(sum(one.events for one in without), hours)
    yield _figure("false alarms an hour", of, _rate(without), exact, "an hour", without, "exact Poisson")
    rows: dict[str, list[tuple[float, float]]] = {}
    for one in without:
        rows.setdefault(one.subject, []).append((one.events, one.hours))
    by_patient = bootstrap_interval(
        rows, lambda held: float(held[:, 0].sum() / held[:, 1].sum()), np.random.default_rng(seed)
    )
    yield _figure("false alarms an hour, by source", of, _rate(without), by_patient, "an hour", without)


def _candidates() -> Iterator[OperatingPoint]:
    for on, (confirm_s, confirm_of_s) in itertools.product(_THRESHOLDS, _CONFIRMED):
        yield OperatingPoint(
            on=round(float(on), 3),
            off=round(float(on) / 2, 3),
            confirm_s=confirm_s,
            confirm_of_s=confirm_of_s,
            min_length_s=0.0,
            hold_s=3.0,
            cooldown_s=5.0,
        )


def _heard(records: Sequence[RecordScores], model: Bundle, label: str, point: OperatingPoint) -> list[HeardRecording]:
    """What one operating point hears of one label in all recordings that are annotated."""
    place, wanted = model.label_names.index(label), BREATH_SOUNDS.labels.index(label)
    heard = []
    for record in records:
        targets = [target for one in record.events if (target := BREATH_SOUNDS.target_of((one.label,))) is not None]
        if not targets:
            continue
        windows = WindowScores(record.starts_s, record.ends_s, record.probabilities[:, place])
        reached = windows.probabilities.max(initial=0.0) >= point.on
        events = len(decide_alarms(windows, point)) if reached else 0
        holds = any(target[wanted] for target in targets)
        heard.append(HeardRecording(record.subject, holds, events, record.duration_s / 3600))
    return heard


def _recall(heard: Sequence[HeardRecording]) -> float:
    held = [one.events > 0 for one in heard if one.holds]
    return float(np.mean(held)) if held else 0.0


def _rate(heard: Sequence[HeardRecording]) -> float:
    """False events an hour of recordings without the label."""
    without = [one for one in heard if not one.holds]
    return sum(one.events for one in without) / max(sum(one.hours for one in without), 1e-9)


def _figure(
    measure: str,
    of: str,
    value: float,
    interval: Interval,
    unit: str,
    held: Sequence[HeardRecording],
    kind: IntervalKind = _BOOTSTRAP,
) -> Figure:
    return Figure(
        system="model",
        measure=measure,
        of=of,
        value=round(value, 5),
        low=round(interval.low, 5),
        high=round(interval.high, 5),
        unit=unit,
        interval=kind,
        subjects=len({one.subject for one in held}),
        items=len(held),
        hours=round(sum(one.hours for one in held), 5),
    )
