"""How far a rate that was counted may be off."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_TAIL = 0.025
_STEPS = 60
"""Bisections of the interval: far more than a float has bits."""


def poisson_interval(count: int, exposure: float) -> tuple[float, float]:
    """Exact 95 % interval of a rate from the count of its events (F. Garwood, Biometrika 28, 1936).

    Args:
        count: events seen, at least 0.
        exposure: in which time, above 0; the interval is per unit of it.
    """
    most = count + 10.0 * math.sqrt(count + 1.0) + 10.0
    low = _bisect(lambda mean: 1.0 - _at_most(count - 1, mean) < _TAIL, most) if count else 0.0
    high = _bisect(lambda mean: _at_most(count, mean) > _TAIL, most)
    return low / exposure, high / exposure


def _at_most(count: int, mean: float) -> float:
    """The probability of at most so many events."""
    if mean <= 0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))


def _bisect(is_below: Callable[[float], bool], most: float) -> float:
    low, high = 0.0, most
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2
