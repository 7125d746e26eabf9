"""The figures of an evaluation as JSON types, each with its count and interval.

Counts scored scenes; knows no samples and no network. Shares lie between 0 and 1, times are seconds, and equal
scenes give equal reports.
"""

from __future__ import annotations

import hashlib
import operator
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.alarm_counting import IN_TIME_S
from training.evaluation.detectors import FLOAT, INT8
from training.statistics import auc_by_cluster, poisson_rate, roc_auc, share_by_cluster, wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from training.evaluation.detectors import System
    from training.evaluation.runner import ScoredScene

    Row = dict[str, Any]

BY_RECORDING = ("babycry",)
"""Sets of so few recordings that each is a source of its own."""

LEAST_AUC = 0.99
LEAST_RECALL = 0.95
MOST_OTHER_SHARE = 0.01
MOST_PER_HOUR = 2.0
LEAST_IN_TIME = 0.95
MOST_INT8_POINTS = 0.5
"""The aims, on subjects that no training has seen."""

EVERY_LEVEL = "every cry at every level"
"""All scenes with a cry together: a source of thirty clips cannot show half a point."""

_PLACES = 5
_RELATIONS = {">=": operator.ge, "<=": operator.le, "<": operator.lt}


def report(scored: Sequence[ScoredScene], systems: Sequence[System], *, snr_db: float, seed: int) -> dict[str, Any]:
    """All figures.

    Args:
        scored: the same scenes, by all systems.
        systems: in the order of the report; the first is the shipped one.
        snr_db: of the cries that single figures are stated for.
        seed: of the bootstraps.
    """
    first = [one for one in scored if one.system == systems[0].name]
    rows = [_system(system, [one for one in scored if one.system == system.name], snr_db, seed) for system in systems]
    costs = _int8_cost(scored, {row["system"]: row for row in rows})
    return {
        "snr_db": snr_db,
        "seed": seed,
        "scenes": _scenes(first, snr_db),
        "others": _listed_others(first, snr_db),
        "systems": rows,
        "int8_cost": costs,
        "aims": _aims(rows[0], costs),
    }


def _system(system: System, scored: Sequence[ScoredScene], snr_db: float, seed: int) -> Row:
    cries = [one for one in scored if one.scene.is_event and one.scene.snr_db == snr_db]
    others = [one for one in scored if not one.scene.is_event and one.scene.snr_db == snr_db]
    point = system.point
    return {
        "system": system.name,
        "window_s": system.window_s,
        "on": point.on,
        "off": point.off,
        "confirm_s": point.confirm_s,
        "confirm_of_s": point.confirm_of_s,
        "min_length_s": point.min_length_s,
        "hold_s": point.hold_s,
        "cooldown_s": point.cooldown_s,
        "cries": [
            _cries(source, held, others, seed, doubtful=doubtful)
            for source, all_of in _by_source(cries).items()
            for doubtful, held in _with_and_without_doubtful(all_of)
        ],
        "missed": [
            {"file": one.scene.name, "doubtful": one.scene.doubtful, "level": _rounded(one.level)}
            for one in sorted(cries, key=lambda one: (one.level, one.scene.name))
            if not one.found
        ],
        "noise": _noise([one for one in scored if one.scene.is_event]),
        "delay": [_delay(source, held) for source, held in {**_by_source(cries), "all": cries}.items() if held],
        "others": _others(others, seed),
        "hours": _hours([one for one in scored if one.scene.is_stream]),
        "margins": _margins([one for one in scored if one.scene.snr_db == snr_db]),
        "faults": dict(sorted(Counter(kind for one in scored for kind in one.faults).items())),
    }


# --- cries --------------------------------------------------------------------------------------


def sources(scored: ScoredScene) -> tuple[str, ...]:
    """Under which names a cry is counted: its set, its recording, and donateacry's halves by their rate."""
    if scored.scene.set in BY_RECORDING:
        return (scored.scene.subject.replace(":", " ", 1),)
    if scored.scene.set == "donateacry":
        return scored.scene.set, f"{scored.scene.set} {scored.scene.sample_rate_hz / 1000:g} kHz"
    return (scored.scene.set,)


def _half_of(source: str) -> str | None:
    """The source whose clips of one rate these are; None if they are all clips of the source."""
    whole, _, rate = source.partition(" ")
    return whole if rate.endswith("kHz") else None


def _by_source(cries: Iterable[ScoredScene]) -> dict[str, list[ScoredScene]]:
    found: dict[str, list[ScoredScene]] = {}
    for one in cries:
        for source in sources(one):
            found.setdefault(source, []).append(one)
    return dict(sorted(found.items()))


def _with_and_without_doubtful(cries: Sequence[ScoredScene]) -> list[tuple[str, Sequence[ScoredScene]]]:
    """All of them, and, if some but not all are doubtful, the others alone."""
    certain = [one for one in cries if not one.scene.doubtful]
    return [("with", cries), ("without", certain)] if 0 < len(certain) < len(cries) else [("with", cries)]


def _cries(
    source: str, cries: Sequence[ScoredScene], others: Sequence[ScoredScene], seed: int, *, doubtful: str
) -> Row:
    levels, subjects = [one.level for one in cries], [one.scene.subject for one in cries]
    hits = [one.found for one in cries]
    row: Row = {
        "source": source,
        "half_of": _half_of(source),
        "doubtful": doubtful,
        "clips": len(cries),
        "doubtful_clips": sum(one.scene.doubtful for one in cries),
        "subjects": len(set(subjects)),
        **_share("recall", sum(hits), len(hits)),
        **_between("recall_by_subject", share_by_cluster(hits, subjects, seed=seed)),
    }
    if not others:
        return row | {"auc": None}
    other_levels, other_subjects = [one.level for one in others], [one.scene.subject for one in others]
    interval = auc_by_cluster(levels, subjects, other_levels, other_subjects, seed=seed)
    return row | {"auc": _rounded(roc_auc(levels, other_levels)), **_between("auc", interval)}


def _noise(cries: Sequence[ScoredScene]) -> list[Row]:
    """Recall at each level over the background."""
    return [
        {
            "source": source,
            "snr_db": snr_db,
            **_share("recall", sum(one.found for one in held if one.scene.snr_db == snr_db), len(held) // len(snrs_db)),
        }
        for source, held in _by_source(cries).items()
        for snrs_db in [sorted({one.scene.snr_db for one in held if one.scene.snr_db is not None}, reverse=True)]
        for snr_db in snrs_db
    ]


def _delay(source: str, cries: Sequence[ScoredScene]) -> Row:
    """From the onset to the alarm; a cry that was missed is never in time."""
    delays = [one.delay_s for one in cries if one.delay_s is not None]
    in_time = sum(one.in_time for one in cries)
    return {
        "source": source,
        "clips": len(cries),
        "found": len(delays),
        "in_time": in_time,
        "in_time_of_found": _rounded(in_time / len(delays)) if delays else None,
        **_between("in_time_of_found", wilson(in_time, len(delays))),
        "in_time_of_all": _rounded(in_time / len(cries)),
        "median_s": _rounded(float(np.median(delays))) if delays else None,
        "p95_s": _rounded(float(np.percentile(delays, 95))) if delays else None,
    }


# --- everything else ----------------------------------------------------------------------------


def kind_of(scored: ScoredScene) -> str:
    """Set and class of another clip, the class cut to the first two labels of its collection."""
    return f"{scored.scene.set}: {' '.join(scored.scene.kind.split('|')[:2])}"


def _others(others: Sequence[ScoredScene], seed: int) -> Row:
    by_set = {
        name: [one for one in others if one.scene.set == name] for name in sorted({one.scene.set for one in others})
    }
    kinds = {name: [one for one in others if kind_of(one) == name] for name in sorted(set(map(kind_of, others)))}
    total = _share("share", sum(one.found for one in others), len(others))
    if others:
        found, subjects = [one.found for one in others], [one.scene.subject for one in others]
        total |= _between("share_by_subject", share_by_cluster(found, subjects, seed=seed))
    rows = [
        {"kind": name, **_share("share", sum(one.found for one in held), len(held))} for name, held in kinds.items()
    ]
    return {
        "all": total,
        "sets": [
            {"set": name, **_share("share", sum(one.found for one in held), len(held))} for name, held in by_set.items()
        ],
        "kinds": sorted(rows, key=lambda row: (-row["found"], -row["share"], row["kind"])),
        "raised": [
            {"file": one.scene.name, "kind": kind_of(one), "level": _rounded(one.level)}
            for one in sorted(others, key=lambda one: (-one.level, one.scene.name))
            if one.found
        ],
    }


def _hours(streams: Sequence[ScoredScene]) -> Row:
    """False alarms an hour of streams."""
    sounds: Mapping[str, Callable[[ScoredScene], bool]] = {
        "ambient": lambda one: one.scene.set == "ambient" and not one.scene.kind.startswith("music"),
        "music": lambda one: one.scene.set == "ambient" and one.scene.kind.startswith("music"),
        "speech": lambda one: one.scene.set == "speech",
        "all": lambda _: True,
    }
    held = {name: [one for one in streams if belongs(one)] for name, belongs in sounds.items()}
    return {
        "sounds": [_rate(name, of) for name, of in held.items() if of],
        "raised": [
            {"recording": one.scene.name, "alarms": len(one.alarms_s), "duration_s": _rounded(one.scene.duration_s)}
            for one in sorted(streams, key=lambda one: (-len(one.alarms_s), one.scene.name))
            if one.alarms_s
        ],
    }


def _rate(sound: str, streams: Sequence[ScoredScene]) -> Row:
    alarms, hours = sum(len(one.alarms_s) for one in streams), sum(one.scene.duration_s for one in streams) / 3600
    return {
        "sound": sound,
        "recordings": len(streams),
        "hours": _rounded(hours),
        "alarms": alarms,
        "per_hour": _rounded(alarms / hours),
        **_between("per_hour", poisson_rate(alarms, hours)),
    }


def _margins(clips: Sequence[ScoredScene]) -> Row:
    """Alarms of the backgrounds alone, before and behind the clips: they count for no clip."""
    hours = sum(one.scene.duration_s - (one.scene.end_s - one.scene.start_s) for one in clips) / 3600
    return {"hours": _rounded(hours), "events": sum(one.background_alarms for one in clips)}


# --- scenes, cost of int8, aims ------------------------------------------------------------------


def _scenes(scored: Sequence[ScoredScene], snr_db: float) -> Row:
    at_snr = [one for one in scored if one.scene.snr_db == snr_db]
    return {
        "cries": sum(one.scene.is_event for one in at_snr),
        "doubtful_cries": sum(one.scene.is_event and one.scene.doubtful for one in at_snr),
        "others": sum(not one.scene.is_event for one in at_snr),
        "streams": sum(one.scene.is_stream for one in scored),
        "snrs_db": sorted({one.scene.snr_db for one in scored if one.scene.snr_db is not None}, reverse=True),
        "hours": _rounded(sum(one.scene.duration_s for one in scored) / 3600),
    }


def _listed_others(scored: Sequence[ScoredScene], snr_db: float) -> Row:
    """The one set of other clips that cries are ranked against: how many of what, and a hash of their names."""
    others = [one for one in scored if not one.scene.is_event and one.scene.snr_db == snr_db]
    names = "".join(f"{one.scene.name}\n" for one in sorted(others, key=lambda one: one.scene.name))
    return {
        "clips": len(others),
        "subjects": len({one.scene.subject for one in others}),
        "sets": dict(sorted(Counter(one.scene.set for one in others).items())),
        "kinds": dict(sorted(Counter(map(kind_of, others)).items())),
        "files_sha256": hashlib.sha256(names.encode()).hexdigest(),
    }


def _int8_cost(scored: Sequence[ScoredScene], systems: Mapping[str, Row]) -> list[Row]:
    """What quantization costs, in points of a hundred: float minus int8, by source and over all scenes with a cry."""
    if INT8 not in systems or FLOAT not in systems:
        return []
    rows = [
        {
            "source": exact["source"],
            "doubtful": exact["doubtful"],
            "scenes": exact["clips"],
            "auc_points": None if exact["auc"] is None else _rounded(100 * (exact["auc"] - coarse["auc"])),
            "recall_points": _rounded(100 * (exact["recall"] - coarse["recall"])),
        }
        for exact, coarse in zip(systems[FLOAT]["cries"], systems[INT8]["cries"], strict=True)
    ]
    found = {name: [one.found for one in scored if one.scene.is_event and one.system == name] for name in (INT8, FLOAT)}
    if not found[INT8]:
        return rows
    points = _rounded(100 * float(np.mean(found[FLOAT]) - np.mean(found[INT8])))
    every = {"source": EVERY_LEVEL, "doubtful": "with", "scenes": len(found[INT8])}
    return [*rows, every | {"auc_points": None, "recall_points": points}]


def worst_int8_cost(costs: Sequence[Row]) -> dict[str, float | None]:
    """The largest costs of quantization, in points of a hundred, by what they are; None if not measured."""
    auc = max((row["auc_points"] for row in costs if row["auc_points"] is not None), default=None)
    recall = max((row["recall_points"] for row in costs if row["source"] != EVERY_LEVEL), default=None)
    at_every_level = max((row["recall_points"] for row in costs if row["source"] == EVERY_LEVEL), default=None)
    return {
        "points of ROC AUC that int8 costs, the worst source": auc,
        "points of recall that int8 costs, the worst source": recall,
        "points of recall that int8 costs, cries at every level": at_every_level,
    }


def _aims(own: Row, costs: Sequence[Row]) -> list[Row]:
    """Each aim beside what the shipped model reached."""
    cries = [row for row in own["cries"] if row["half_of"] is None]
    rows = [_aim(f"ROC AUC, {_named(row)}", row["auc"], LEAST_AUC, ">=") for row in cries]
    rows += [_aim(f"recall, {_named(row)}", row["recall"], LEAST_RECALL, ">=") for row in cries]
    rows += [_aim("share of other clips that raise an alert", own["others"]["all"]["share"], MOST_OTHER_SHARE, "<")]
    rows += [_aim("false alarms an hour", row["per_hour"], MOST_PER_HOUR, "<=") for row in own["hours"]["sounds"][-1:]]
    rows += [
        _aim(f"share of found cries decided within {IN_TIME_S:g} s", row["in_time_of_found"], LEAST_IN_TIME, ">=")
        for row in own["delay"][-1:]
    ]
    rows += [_aim(what, points, MOST_INT8_POINTS, "<=") for what, points in worst_int8_cost(costs).items()]
    return [row for row in rows if row["reached"] is not None]


def _named(row: Row) -> str:
    return row["source"] if row["doubtful"] == "with" else f"{row['source']}, without doubtful clips"


def _aim(what: str, reached: float | None, aimed: float, relation: str) -> Row:
    met = None if reached is None else _RELATIONS[relation](reached, aimed)
    return {"what": what, "aim": f"{relation} {aimed:g}", "reached": reached, "met": met}


def _share(name: str, found: int, clips: int) -> Row:
    share = {"found": found, "clips": clips, name: _rounded(found / clips) if clips else None}
    return share | _between(name, wilson(found, clips))


def _between(name: str, interval: Any) -> Row:
    return {f"{name}_low": _rounded(interval.low), f"{name}_high": _rounded(interval.high)}


def _rounded(value: float) -> float:
    return round(float(value), _PLACES)
