"""The figures of an evaluation of alarms, each with its interval, its subjects and its hours, as `measured` types.

Reads scored scenes; counts as `event_metrics` and `sed_measures` do. docs/evaluation.md defines each measure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.alarm_counting import IN_TIME_S, DetectedEvent
from training.evaluation.alarms.group_figures import BOOTSTRAP, Group
from training.statistics import auc_by_cluster, roc_auc, share_by_cluster

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from training.evaluation.detectors import System
    from training.evaluation.measured import Figure
    from training.evaluation.runner import ScoredScene


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
        if held:
            group = _group(name, f"{snr_db:g} dB", held, seed)
            yield _ranked(_group(name, group.of, [*held, *others], seed), held, others)
            yield _share(group, "event recall", held, [one.found for one in held])
            yield _share(group, f"found within {IN_TIME_S:g} s", held, [one.in_time for one in held])
            yield _median_delay(group, held)
            yield from group.event_measures([_heard(one) for one in held])
    if others:
        group = _group(name, "other clips", others, seed)
        yield _share(group, "other clips that alarm", others, [one.found for one in others])
    for ground in ("ordinary", "hard"):
        streams = [one for one in scored if one.scene.ground == ground]
        group = _group(name, f"{ground} backgrounds", streams, seed)
        if group.hours:
            yield from group.alarm_rates(
                (one.scene.subject, len(one.alarms_s), one.scene.duration_s) for one in streams
            )


def _ranked(group: Group, events: Sequence[ScoredScene], others: Sequence[ScoredScene]) -> Figure:
    """ROC AUC of clips by the threshold at which they would have alarmed, against all other clips."""
    if not others:
        return group.figure("clip ROC AUC", float("nan"), None, "share", "none", counts=_counts(events))
    levels, subjects = [one.level for one in events], [one.scene.subject for one in events]
    other_levels, other_subjects = [one.level for one in others], [one.scene.subject for one in others]
    interval = auc_by_cluster(levels, subjects, other_levels, other_subjects, seed=group.seed)
    auc = roc_auc(levels, other_levels)
    return group.figure("clip ROC AUC", auc, interval, "share", BOOTSTRAP, counts=_counts([*events, *others]))


def _share(group: Group, measure: str, scored: Sequence[ScoredScene], hits: Sequence[bool]) -> Figure:
    interval = share_by_cluster(hits, [one.scene.subject for one in scored], seed=group.seed)
    return group.figure(measure, float(np.mean(hits)), interval, "share", BOOTSTRAP, counts=_counts(scored))


def _median_delay(group: Group, events: Sequence[ScoredScene]) -> Figure:
    """From the onset to the alarm, of those that were found."""
    delays: dict[str, list[float]] = {}
    for one in events:
        if one.found:
            delays.setdefault(one.scene.subject, []).append(one.delay_s or 0.0)
    return group.bootstrapped("median delay", delays, lambda held: float(np.median(held)), "s")


def _heard(one: ScoredScene) -> tuple[str, Sequence[DetectedEvent], Sequence[DetectedEvent]]:
    return one.scene.subject, (DetectedEvent(one.scene.onset_s, one.scene.end_s),), one.events


def _group(name: str, of: str, scored: Iterable[ScoredScene], seed: int) -> Group:
    return Group(name, of, sum(one.scene.duration_s for one in scored) / 3600, seed)


def _counts(scored: Sequence[ScoredScene]) -> tuple[int, int]:
    """Subjects, and scenes."""
    return len({one.scene.subject for one in scored}), len(scored)
