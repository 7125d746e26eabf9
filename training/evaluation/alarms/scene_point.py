"""Chooses an operating point on long validation scenes: recall, less a price for each false alarm an hour.

Hours of backgrounds tell more of false alarms than single clips do, because a daemon hears hours. An hour of hard
backgrounds holds hundreds of animals and shouting people, far more than a night, so an alarm in it costs less.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from training.evaluation.alarms.threshold_curve import ALL_LEVELS, curve_point
from training.evaluation.threshold_search import candidates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from device.hearing.decision import OperatingPoint
    from training.evaluation.alarms.threshold_curve import CurvePoint
    from training.evaluation.alarms.timelines import ScoredTimeline

PRICES: Mapping[str, float] = {"ordinary": 0.1, "hard": 0.02}
"""Share of all events that one false alarm an hour costs, by ground."""

_DEFAULT_PRICE = 0.1


def scene_merit(found: CurvePoint) -> float:
    """Recall of all events, less the price of false alarms; a share that may be negative."""
    recall = found.recall.get(ALL_LEVELS, 0.0)
    return recall - sum(PRICES.get(ground, _DEFAULT_PRICE) * rate for ground, rate in found.false_per_hour.items())


def chosen_on_scenes(
    scored: Sequence[ScoredTimeline], points: Iterable[OperatingPoint] | None = None
) -> dict[str, Any]:
    """The operating point of the highest merit, of equals the one with the highest threshold: JSON types.

    Args:
        scored: validation scenes as one system heard them.
        points: to choose from; None for all `candidates`.
    """
    system = scored[0].system
    found = ((point, curve_point(system, scored, point)) for point in points or candidates())
    point, best = max(found, key=lambda one: (round(scene_merit(one[1]), 3), one[0].on))
    validation = {
        "recall_by_level": {level: round(share, 4) for level, share in best.recall.items()},
        "delay_p95_s": None if best.delay_p95_s is None else round(best.delay_p95_s, 2),
        "false_alarms_per_hour_by_ground": {ground: round(rate, 3) for ground, rate in best.false_per_hour.items()},
        "merit": round(scene_merit(best), 4),
    }
    return {"operating_point": asdict(point), "validation": validation}
