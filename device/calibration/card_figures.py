"""What a model's card says to expect: misses of a cry so far above the room, and false alarms an hour.

A card is JSON of any shape, so whatever is not there, or is no number, is no figure. Its figures are those of the
bundle's own operating point, sensitivity 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class ExpectedMisses:
    """Of the card's test recordings, at one distance from the background.

    Attributes:
        snr_db: the distance: the nearest of the card's that is not above the measured one, in whole decibels, or its
            lowest.
        missed: how many.
        clips: of how many.
        low: 95 % interval of the share that is missed (Wilson).
        high: its upper end.
    """

    snr_db: float
    missed: int
    clips: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ExpectedFalseAlarms:
    """Of the card's hours without the sound that the model detects.

    Attributes:
        alarms: how many there were.
        hours: in how long.
        low: 95 % interval an hour (Poisson).
        high: its upper end.
    """

    alarms: int
    hours: float
    low: float
    high: float


def expected_misses(card: Mapping[str, Any], snr_db: float) -> ExpectedMisses | None:
    """What to expect of a cry so far above the room; None if the card does not say."""
    evaluation = _member(card, "evaluation")
    halves = {row.get("source") for row in _rows(evaluation, "cries") if row.get("half_of")}
    rows = [row for row in _rows(evaluation, "noise") if row.get("source") not in halves and _is_counted(row)]
    levels = sorted({float(row["snr_db"]) for row in rows})
    if not levels:
        return None
    level = max((each for each in levels if each <= round(snr_db)), default=levels[0])
    clips = sum(row["clips"] for row in rows if row["snr_db"] == level)
    missed = clips - sum(row["found"] for row in rows if row["snr_db"] == level)
    return ExpectedMisses(level, missed, clips, *_wilson(missed, clips))


def expected_false_alarms(card: Mapping[str, Any]) -> ExpectedFalseAlarms | None:
    """What to expect of hours without such a sound; None if the card does not say."""
    for row in _rows(_member(card, "evaluation"), "false_alarms_an_hour"):
        figures = [row.get(name) for name in ("alarms", "hours", "per_hour_low", "per_hour_high")]
        numbers = [float(each) for each in figures if isinstance(each, int | float) and math.isfinite(each)]
        if row.get("sound") == "all" and len(numbers) == len(figures):
            alarms, hours, low, high = numbers
            return ExpectedFalseAlarms(round(alarms), hours, low, high)
    return None


def _member(card: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = card.get(name)
    return value if isinstance(value, dict) else {}


def _rows(members: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    value = members.get(name)
    yield from (row for row in value if isinstance(row, dict)) if isinstance(value, list) else ()


def _is_counted(row: Mapping[str, Any]) -> bool:
    counts = type(row.get("clips")) is int and type(row.get("found")) is int and 0 <= row["found"] <= row["clips"]
    return counts and row["clips"] > 0 and type(row.get("snr_db")) in {int, float} and math.isfinite(row["snr_db"])


def _wilson(hits: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share (E. Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    share, squared = hits / trials, _Z95**2
    middle = (share + squared / (2 * trials)) / (1 + squared / trials)
    reach = _Z95 * math.sqrt(share * (1 - share) / trials + squared / (4 * trials**2)) / (1 + squared / trials)
    return max(0.0, middle - reach), min(1.0, middle + reach)
