"""Scores in, few trustworthy events out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """When the scores of a label are believed; it travels with the model.

    Attributes:
        on: probability at or above which a window counts for an onset, in (0, 1).
        off: probability below which a window counts for the end, at most `on`.
        confirm_s: seconds of windows (k = confirm_s / hop) that must count ...
        confirm_of_s: ... within this many seconds of windows (n = confirm_of_s / hop).
        min_length_s: an event is not told before it is this long.
        hold_s: an event ends after this many seconds below `off`.
        cooldown_s: an onset within this time after the end reopens the same event.
    """

    on: float
    off: float
    confirm_s: float
    confirm_of_s: float
    min_length_s: float
    hold_s: float
    cooldown_s: float
