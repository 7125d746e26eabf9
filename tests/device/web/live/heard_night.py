"""Items as a daemon tells them, made by hand: a window every half second, and what is decided about it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from device.messages import Decision, Heard, Scores
from device.runtime.sockets.recent_hearing import HeardItem

if TYPE_CHECKING:
    from device.messages import Event, Fault, LabelState

NOON_S = 1_700_000_000.0
HOP_S, WINDOW_S = 0.5, 2.0


def window(
    number: int,
    score: float = 0.1,
    *,
    state: LabelState = "off",
    rule: str = "off: below on",
    stream: str = "s",
    events: tuple[Event, ...] = (),
    faults: tuple[Fault, ...] = (),
) -> HeardItem:
    """The window that ends `number` hops after noon, which is the beginning of its stream."""
    end_s = number * HOP_S
    start_s = end_s - WINDOW_S
    heard = Heard(
        [Scores("cry", {"cry": score}, start_s, end_s)],
        [Decision("cry", "cry", state, rule, score, start_s, end_s)],
        list(events),
        list(faults),
    )
    return HeardItem(number, stream, end_s, NOON_S + end_s, 1.0, heard)


def recent_window(
    number: int, score: float = 0.1, *, state: LabelState = "off", rule: str = "off: below on"
) -> HeardItem:
    """The same, as heard just now."""
    return replace(window(number, score, state=state, rule=rule), at_utc_s=time.time() - 5.0 + number * HOP_S)
