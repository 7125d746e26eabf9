"""Compares what was found with what was labelled, and chooses the sensitivity to configure. Pure.

A labelled sound is found if a span of its label overlaps it. An alert is false if none of its spans overlaps a sound
of its label; a sound that begins again within the cooldown is no further alert. A span lasts from the start of the
first window that counted to the end of the last one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.poisson_interval import poisson_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from device.report.spans import Span
    from device.tools.evaluate.night_labels import LabelledSound


@dataclass(frozen=True, slots=True)
class Counts:
    """What one operating point found.

    Attributes:
        sounds: how many were labelled.
        found: how many of them were found.
        false_alarms: alerts for nothing that is labelled.
        hours: that were listened to.
    """

    sounds: int
    found: int
    false_alarms: int
    hours: float

    @property
    def false_alarms_per_hour(self) -> float:
        """0 if nothing was heard."""
        return self.false_alarms / self.hours if self.hours else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of false alarms an hour."""
        return poisson_interval(self.false_alarms, self.hours) if self.hours else (0.0, math.inf)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One recording's sounds and spans of one label.

    Attributes:
        found: the sounds that were found, each with seconds from its start to the alert; 0 if that was on already.
        missed: the other sounds.
        false_alarms: the first span of each false alert.
        onset_errors_s: estimated minus labelled start.
        offset_errors_s: likewise of the end.
    """

    found: tuple[tuple[LabelledSound, float], ...]
    missed: tuple[LabelledSound, ...]
    false_alarms: tuple[Span, ...]
    onset_errors_s: tuple[float, ...] = ()
    offset_errors_s: tuple[float, ...] = ()


def compare(sounds: Iterable[LabelledSound], spans: Sequence[Span]) -> Comparison:
    """Compare the labelled sounds of one label in one recording with what was found; both in time order."""
    found, missed = [], []
    labelled = list(sounds)
    for sound in labelled:
        first = next((span for span in spans if _overlap(span, sound)), None)
        if first is None:
            missed.append(sound)
        else:
            found.append((sound, max(0.0, first.decided_s - sound.start_s)))
    right = {span.event_id for span in spans if any(_overlap(span, sound) for sound in labelled)}
    alerts = {span.event_id: span for span in reversed(spans)}
    false_alarms = [span for event_id, span in alerts.items() if event_id not in right]
    pairs = [(span, [sound for sound in labelled if _overlap(span, sound)]) for span in spans]
    return Comparison(
        found=tuple(found),
        missed=tuple(missed),
        false_alarms=tuple(sorted(false_alarms, key=lambda span: span.start_s)),
        onset_errors_s=tuple(span.began_s - heard[0].start_s for span, heard in pairs if heard),
        offset_errors_s=tuple(
            span.ended_s - max(sound.end_s for sound in heard)
            for span, heard in pairs
            if heard and span.closed_by == "quiet"
        ),
    )


def counts(comparisons: Iterable[Comparison], hours: float) -> Counts:
    """The sums over all recordings."""
    found = missed = false_alarms = 0
    for each in comparisons:
        found, missed = found + len(each.found), missed + len(each.missed)
        false_alarms += len(each.false_alarms)
    return Counts(found + missed, found, false_alarms, hours)


def recommended(swept: dict[int, Counts], configured: int, most_per_hour: float) -> int:
    """The sensitivity that finds most with at most so many false alarms an hour.

    Of equals the one with fewer false alarms, then the one nearest to what is configured. If all raise too many, the
    one that raises fewest.
    """
    allowed = {step: each for step, each in swept.items() if each.false_alarms_per_hour <= most_per_hour}
    if not allowed:
        return min(swept, key=lambda step: (swept[step].false_alarms, -swept[step].found, abs(step - configured), step))
    return min(
        allowed, key=lambda step: (-allowed[step].found, allowed[step].false_alarms, abs(step - configured), step)
    )


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of the values does not exceed; None of none."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values) - 1e-9) - 1)]


def _overlap(span: Span, sound: LabelledSound) -> bool:
    return span.start_s <= sound.end_s and span.end_s >= sound.start_s
