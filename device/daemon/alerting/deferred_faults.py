"""Fault ends that a closed listener reported: it ends all of its faults, though they may in fact go on.

After a reload the new listener detects a fault again within a while, or the fault is over. Pure; the clock is an
argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.alarms.machine import FOUND_AGAIN_S

if TYPE_CHECKING:
    from device.messages import Fault


class DeferredFaults:
    """Holds the ends of faults back until it is known whether they are over."""

    def __init__(self) -> None:
        self._ends: dict[tuple[str, str], tuple[Fault, float]] = {}

    def __repr__(self) -> str:
        return f"DeferredFaults({', '.join(kind for kind, _ in self._ends)})"

    def defer(self, end: Fault, now_s: float) -> None:
        """Hold back the end of a fault whose listener was closed."""
        self._ends[end.kind, end.model] = (end, now_s + FOUND_AGAIN_S)

    def cancel(self, fault: Fault) -> None:
        """Forget a deferred end: the new listener has reported the fault, or its end."""
        self._ends.pop((fault.kind, fault.model), None)

    def pop_due(self, now_s: float) -> list[Fault]:
        """Remove and return the ends of those faults that were not detected again in time."""
        due = [key for key, (_, until_s) in self._ends.items() if now_s >= until_s]
        return [self._ends.pop(key)[0] for key in due]
