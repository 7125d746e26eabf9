"""The figures of an evaluation of alarms, each with its interval, its subjects and its hours, as `measured` types.

Reads scored scenes; counts as `event_metrics` and `sed_measures` do. docs/evaluation.md defines each measure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.alarm_counting import IN_TIME_S, DetectedEvent
from training.evaluation.alarms.sed_measures import COLLARS_S, count_events, error_rate, f1
from training.evaluation.measured import Figure
from training.statistics import (
    Interval,
    auc_by_cluster,
    bootstrap_interval,
    poisson_rate,
    roc_auc,
    share_by_cluster,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy.typing as npt

    from training.evaluation.detectors import System
    from training.evaluation.measured import IntervalKind
    from training.evaluation.runner import ScoredScene

    Counts = npt.NDArray[np.int64]

_BOOTSTRAP: IntervalKind = "bootstrap over subjects"


def alarm_figures(scored: Sequence[ScoredScene], systems: Sequence[System], *, seed: int) -> tuple[Figure, ...]:
    """All figures, system by system.

    Args:
        scored: the same scenes, by all systems.
        systems: in the order of the report.
        seed: of the bootstraps.
    """
    return tuple(
        figure
        for system in systems
        for figure in _of_system(system.name, [one for one in scored if one.system == system.name], seed)
    )


def _of_system(name: str, scored: Sequence[ScoredScene], seed: int) -> Iterator[Figure]:
    snrs_db = sorted({one.scene.snr_db for one in scored if one.scene.snr_db is not None}, reverse=True)
    events = {
        snr_db: [one for one in scored if one.scene.is_event and one.scene.snr_db == snr_db] for snr_db in snrs_db
    }
    others = [one for one in scored if not one.scene.is_event and not one.scene.is_stream]
    for snr_db, held in events.items():
        of = f"{snr_db:g} dB"
        if held:
            yield _ranked(name, of, held, others, seed)
            yield _share(name, "event recall", of, held, [one.found for one in held], seed)
            yield _share(name, f"found within {IN_TIME_S:g} s", of, held, [one.in_time for one in held], seed)
            yield _median_delay(name, of, held, seed)
            yield from _sed(name, of, held, seed)
    if others:
        yield _share(name, "other clips that alarm", "other clips", others, [one.found for one in others], seed)
    for ground in ("ordinary", "hard"):
        yield from _rates(name, f"{ground} backgrounds", [one for one in scored if one.scene.ground == ground], seed)


def _ranked(name: str, of: str, events: Sequence[ScoredScene], others: Sequence[ScoredScene], seed: int) -> Figure:
    """ROC AUC of clips by the threshold at which they would have alarmed, against all other clips."""
    if not others:
        return _figure(name, "clip ROC AUC", of, None, None, "share", "none", events)
    levels, subjects = [one.level for one in events], [one.scene.subject for one in events]
    other_levels, other_subjects = [one.level for one in others], [one.scene.subject for one in others]
    interval = auc_by_cluster(levels, subjects, other_levels, other_subjects, seed=seed)
    auc = roc_auc(levels, other_levels)
    return _figure(name, "clip ROC AUC", of, auc, interval, "share", _BOOTSTRAP, [*events, *others])


def _share(name: str, measure: str, of: str, scored: Sequence[ScoredScene], hits: Sequence[bool], seed: int) -> Figure:
    interval = share_by_cluster(hits, [one.scene.subject for one in scored], seed=seed)
    return _figure(name, measure, of, float(np.mean(hits)), interval, "share", _BOOTSTRAP, scored)


def _median_delay(name: str, of: str, events: Sequence[ScoredScene], seed: int) -> Figure:
    """From the onset to the alarm, of those that were found."""
    found = [one for one in events if one.found]
    delays: dict[str, list[float]] = {}
    for one in found:
        delays.setdefault(one.scene.subject, []).append(one.delay_s or 0.0)
    if not delays:
        return _figure(name, "median delay", of, None, None, "s", "none", events)
    every = np.concatenate([np.array(held) for held in delays.values()])
    interval = bootstrap_interval(delays, lambda held: float(np.median(held)), np.random.default_rng(seed))
    return _figure(name, "median delay", of, float(np.median(every)), interval, "s", _BOOTSTRAP, found)


def _sed(name: str, of: str, events: Sequence[ScoredScene], seed: int) -> Iterator[Figure]:
    """sed_eval's F1 and error rate over the scenes with an event, at each collar."""
    for collar_s in COLLARS_S:
        rows: dict[str, list[tuple[int, int, int]]] = {}
        for one in events:
            annotated = (DetectedEvent(one.scene.onset_s, one.scene.end_s),)
            counted = count_events(annotated, one.events, collar_s=collar_s)
            rows.setdefault(one.scene.subject, []).append(counted.row)
        for measure, statistic in (("event F1", f1), ("event error rate", error_rate)):
            yield _counted(name, f"{measure}, collar {collar_s:g} s", of, events, rows, statistic, seed)


def _counted(
    name: str,
    measure: str,
    of: str,
    scored: Sequence[ScoredScene],
    rows: dict[str, list[tuple[int, int, int]]],
    statistic: Callable[[Counts], float],
    seed: int,
) -> Figure:
    every = np.array([row for held in rows.values() for row in held])
    interval = bootstrap_interval(rows, statistic, np.random.default_rng(seed))
    unit = "share" if statistic is f1 else "errors for each event"
    return _figure(name, measure, of, statistic(every), interval, unit, _BOOTSTRAP, scored)


def _rates(name: str, of: str, streams: Sequence[ScoredScene], seed: int) -> Iterator[Figure]:
    """False alarms an hour: the exact Poisson interval, whose upper end holds where none was raised, and by source.

    Each stream is played once, so all hours are distinct.
    """
    hours = sum(one.scene.duration_s for one in streams) / 3600
    if not hours:
        return
    alarms = sum(len(one.alarms_s) for one in streams)
    interval = poisson_rate(alarms, hours)
    yield _figure(name, "false alarms an hour", of, alarms / hours, interval, "an hour", "exact Poisson", streams)
    rows: dict[str, list[tuple[float, float]]] = {}
    for one in streams:
        rows.setdefault(one.scene.subject, []).append((len(one.alarms_s), one.scene.duration_s / 3600))
    by_source = bootstrap_interval(
        rows, lambda held: float(held[:, 0].sum() / held[:, 1].sum()), np.random.default_rng(seed)
    )
    yield _figure(
        name, "false alarms an hour, by source", of, alarms / hours, by_source, "an hour", _BOOTSTRAP, streams
    )


def _figure(
    name: str,
    measure: str,
    of: str,
    value: float | None,
    interval: Interval | None,
    unit: str,
    kind: IntervalKind,
    scored: Iterable[ScoredScene],
) -> Figure:
    held = tuple(scored)
    return Figure(
        system=name,
        measure=measure,
        of=of,
        value=None if value is None else round(value, 5),
        low=None if interval is None else round(interval.low, 5),
        high=None if interval is None else round(interval.high, 5),
        unit=unit,
        interval=kind,
        subjects=len({one.scene.subject for one in held}),
        items=len(held),
        hours=round(sum(one.scene.duration_s for one in held) / 3600, 5),
    )
