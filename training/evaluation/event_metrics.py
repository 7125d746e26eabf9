"""Counts outcomes: what an evaluation reports, as JSON types, every figure with its count and interval.

Knows no sound and no network. Shares lie between 0 and 1, times are seconds, and equal outcomes give equal
reports.
"""

from __future__ import annotations

import hashlib
import operator
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.detectors import FLOAT, INT8
from training.statistics import auc_by_cluster, poisson_rate, roc_auc, share_by_cluster, wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from training.evaluation.detectors import System
    from training.evaluation.runner import Outcome

    Row = dict[str, Any]

IN_TIME_S = 4.0
"""A cry counts as decided in time if its alert comes so long after its onset, or sooner."""

BY_RECORDING = ("babycry",)
"""Sets of so few recordings that each is a source of its own."""

LEAST_AUC = 0.99
LEAST_RECALL = 0.95
MOST_OTHER_SHARE = 0.01
MOST_PER_HOUR = 2.0
LEAST_IN_TIME = 0.95
MOST_INT8_POINTS = 0.5
"""What is aimed at, on subjects that no training has seen."""

EVERY_LEVEL = "every cry at every level"
"""All scenes with a cry together: a source of thirty clips cannot show half a point."""

_PLACES = 5
_RELATIONS = {">=": operator.ge, "<=": operator.le, "<": operator.lt}


def report(outcomes: Sequence[Outcome], systems: Sequence[System], *, snr_db: float, seed: int) -> dict[str, Any]:
    """All figures.

    Args:
        outcomes: of all systems on the same scenes.
        systems: in the order of the report; the first is what is shipped.
        snr_db: at which single figures are told.
        seed: of the bootstraps.
    """
    first = [one for one in outcomes if one.system == systems[0].name]
    judged = [
        _system(system, [one for one in outcomes if one.system == system.name], snr_db, seed) for system in systems
    ]
    costs = _int8_cost(outcomes, {one["system"]: one for one in judged})
    return {
        "snr_db": snr_db,
        "seed": seed,
        "scenes": _scenes(first, snr_db),
        "others": _listed_others(first, snr_db),
        "systems": judged,
        "int8_cost": costs,
        "aims": _aims(judged[0], costs),
    }


def _system(system: System, outcomes: Sequence[Outcome], snr_db: float, seed: int) -> Row:
    cries = [one for one in outcomes if one.is_cry and one.snr_db == snr_db]
    others = [one for one in outcomes if not one.is_cry and one.snr_db == snr_db]
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
            {"file": one.name, "doubtful": one.doubtful, "level": _rounded(one.level)}
            for one in sorted(cries, key=lambda one: (one.level, one.name))
            if not one.found
        ],
        "noise": _noise([one for one in outcomes if one.is_cry]),
        "delay": [_delay(source, held) for source, held in {**_by_source(cries), "all": cries}.items() if held],
        "others": _others(others, seed),
        "hours": _hours([one for one in outcomes if one.snr_db is None]),
        "margins": _margins([one for one in outcomes if one.snr_db == snr_db]),
        "faults": dict(sorted(Counter(kind for one in outcomes for kind in one.faults).items())),
    }


# --- cries --------------------------------------------------------------------------------------


def sources(outcome: Outcome) -> tuple[str, ...]:
    """Under which names a cry is counted: its set, its recording, and donateacry's halves by their rate."""
    if outcome.set in BY_RECORDING:
        return (outcome.subject.replace(":", " ", 1),)
    if outcome.set == "donateacry":
        return outcome.set, f"{outcome.set} {outcome.sample_rate_hz / 1000:g} kHz"
    return (outcome.set,)


def _half_of(source: str) -> str | None:
    """The source whose clips of one rate these are; None where they are all of a source."""
    whole, _, rate = source.partition(" ")
    return whole if rate.endswith("kHz") else None


def _by_source(cries: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for one in cries:
        for source in sources(one):
            found.setdefault(source, []).append(one)
    return dict(sorted(found.items()))


def _with_and_without_doubtful(cries: Sequence[Outcome]) -> list[tuple[str, Sequence[Outcome]]]:
    """All of them, and where some are doubtful (and not all), the others alone."""
    certain = [one for one in cries if not one.doubtful]
    return [("with", cries), ("without", certain)] if 0 < len(certain) < len(cries) else [("with", cries)]


def _cries(source: str, cries: Sequence[Outcome], others: Sequence[Outcome], seed: int, *, doubtful: str) -> Row:
    levels, subjects = [one.level for one in cries], [one.subject for one in cries]
    hits = [one.found for one in cries]
    row: Row = {
        "source": source,
        "half_of": _half_of(source),
        "doubtful": doubtful,
        "clips": len(cries),
        "doubtful_clips": sum(one.doubtful for one in cries),
        "subjects": len(set(subjects)),
        **_share("recall", sum(hits), len(hits)),
        **_between("recall_by_subject", share_by_cluster(hits, subjects, seed=seed)),
    }
    if not others:
        return row | {"auc": None}
    other_levels, other_subjects = [one.level for one in others], [one.subject for one in others]
    interval = auc_by_cluster(levels, subjects, other_levels, other_subjects, seed=seed)
    return row | {"auc": _rounded(roc_auc(levels, other_levels)), **_between("auc", interval)}


def _noise(cries: Sequence[Outcome]) -> list[Row]:
    """Recall at each level over the background."""
    return [
        {
            "source": source,
            "snr_db": snr_db,
            **_share("recall", sum(one.found for one in held if one.snr_db == snr_db), len(held) // len(snrs_db)),
        }
        for source, held in _by_source(cries).items()
        for snrs_db in [sorted({one.snr_db for one in held if one.snr_db is not None}, reverse=True)]
        for snr_db in snrs_db
    ]


def _delay(source: str, cries: Sequence[Outcome]) -> Row:
    """From the onset to the alert; a cry that was missed is never in time."""
    delays = [one.delay_s for one in cries if one.delay_s is not None]
    in_time = sum(delay_s <= IN_TIME_S for delay_s in delays)
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


def kind_of(outcome: Outcome) -> str:
    """Set and class of another clip; what a collection says beyond two words is left out."""
    return f"{outcome.set}: {' '.join(outcome.kind.split('|')[:2])}"


def _others(others: Sequence[Outcome], seed: int) -> Row:
    by_set = {name: [one for one in others if one.set == name] for name in sorted({one.set for one in others})}
    kinds = {name: [one for one in others if kind_of(one) == name] for name in sorted(set(map(kind_of, others)))}
    total = _share("share", sum(one.found for one in others), len(others))
    if others:
        found, subjects = [one.found for one in others], [one.subject for one in others]
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
            {"file": one.name, "kind": kind_of(one), "level": _rounded(one.level)}
            for one in sorted(others, key=lambda one: (-one.level, one.name))
            if one.found
        ],
    }


def _hours(streams: Sequence[Outcome]) -> Row:
    """False alarms an hour of what was played through."""
    sounds: Mapping[str, Callable[[Outcome], bool]] = {
        "ambient": lambda one: one.set == "ambient" and not one.kind.startswith("music"),
        "music": lambda one: one.set == "ambient" and one.kind.startswith("music"),
        "speech": lambda one: one.set == "speech",
        "all": lambda _: True,
    }
    held = {name: [one for one in streams if belongs(one)] for name, belongs in sounds.items()}
    return {
        "sounds": [_rate(name, of) for name, of in held.items() if of],
        "raised": [
            {"recording": one.name, "alarms": len(one.alerts_s), "duration_s": _rounded(one.duration_s)}
            for one in sorted(streams, key=lambda one: (-len(one.alerts_s), one.name))
            if one.alerts_s
        ],
    }


def _rate(sound: str, streams: Sequence[Outcome]) -> Row:
    alarms, hours = sum(len(one.alerts_s) for one in streams), sum(one.duration_s for one in streams) / 3600
    return {
        "sound": sound,
        "recordings": len(streams),
        "hours": _rounded(hours),
        "alarms": alarms,
        "per_hour": _rounded(alarms / hours),
        **_between("per_hour", poisson_rate(alarms, hours)),
    }


def _margins(clips: Sequence[Outcome]) -> Row:
    """Events of the backgrounds alone, before and behind the clips: they count for no clip."""
    hours = sum(one.duration_s - (one.end_s - one.start_s) for one in clips) / 3600
    return {"hours": _rounded(hours), "events": sum(one.elsewhere for one in clips)}


# --- what was heard, and how well ------------------------------------------------------------------


def _scenes(outcomes: Sequence[Outcome], snr_db: float) -> Row:
    at_snr = [one for one in outcomes if one.snr_db == snr_db]
    return {
        "cries": sum(one.is_cry for one in at_snr),
        "doubtful_cries": sum(one.is_cry and one.doubtful for one in at_snr),
        "others": sum(not one.is_cry for one in at_snr),
        "streams": sum(one.snr_db is None for one in outcomes),
        "snrs_db": sorted({one.snr_db for one in outcomes if one.snr_db is not None}, reverse=True),
        "hours": _rounded(sum(one.duration_s for one in outcomes) / 3600),
    }


def _listed_others(outcomes: Sequence[Outcome], snr_db: float) -> Row:
    """The one set of other clips that cries are ranked against: how many of what, and a hash of their names."""
    others = [one for one in outcomes if not one.is_cry and one.snr_db == snr_db]
    names = "".join(f"{one.name}\n" for one in sorted(others, key=lambda one: one.name))
    return {
        "clips": len(others),
        "subjects": len({one.subject for one in others}),
        "sets": dict(sorted(Counter(one.set for one in others).items())),
        "kinds": dict(sorted(Counter(map(kind_of, others)).items())),
        "files_sha256": hashlib.sha256(names.encode()).hexdigest(),
    }


def _int8_cost(outcomes: Sequence[Outcome], systems: Mapping[str, Row]) -> list[Row]:
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
    found = {name: [one.found for one in outcomes if one.is_cry and one.system == name] for name in (INT8, FLOAT)}
    if not found[INT8]:
        return rows
    points = _rounded(100 * float(np.mean(found[FLOAT]) - np.mean(found[INT8])))
    every = {"source": EVERY_LEVEL, "doubtful": "with", "scenes": len(found[INT8])}
    return [*rows, every | {"auc_points": None, "recall_points": points}]


def _aims(own: Row, costs: Sequence[Row]) -> list[Row]:
    """What was aimed at, beside what was reached by the shipped model."""
    cries = [row for row in own["cries"] if row["half_of"] is None]
    rows = [_aim(f"ROC AUC, {_named(row)}", row["auc"], LEAST_AUC, ">=") for row in cries]
    rows += [_aim(f"recall, {_named(row)}", row["recall"], LEAST_RECALL, ">=") for row in cries]
    rows += [_aim("share of other clips that raise an alert", own["others"]["all"]["share"], MOST_OTHER_SHARE, "<")]
    rows += [_aim("false alarms an hour", row["per_hour"], MOST_PER_HOUR, "<=") for row in own["hours"]["sounds"][-1:]]
    rows += [
        _aim(f"share of found cries decided within {IN_TIME_S:g} s", row["in_time_of_found"], LEAST_IN_TIME, ">=")
        for row in own["delay"][-1:]
    ]
    worst = max((row["auc_points"] for row in costs if row["auc_points"] is not None), default=None)
    rows += [_aim("points of ROC AUC that int8 costs, the worst source", worst, MOST_INT8_POINTS, "<=")]
    dearest = max((row["recall_points"] for row in costs if row["source"] != EVERY_LEVEL), default=None)
    rows += [_aim("points of recall that int8 costs, the worst source", dearest, MOST_INT8_POINTS, "<=")]
    rows += [
        _aim("points of recall that int8 costs, cries at every level", row["recall_points"], MOST_INT8_POINTS, "<=")
        for row in costs
        if row["source"] == EVERY_LEVEL
    ]
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
