"""Faults whose end nobody has seen: a listener that is taken away says that its faults are over, and they are not.

After a reload the new listener finds them again within a while, or they are over. Pure; the clock is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.alarms.machine import FOUND_AGAIN_S

if TYPE_CHECKING:
    from device.messages import Fault


class DeferredFaults:
    """Keeps the ends of faults back until it is known whether they are over."""

    def __init__(self) -> None:
        self._ends: dict[tuple[str, str], tuple[Fault, float]] = {}

    def __repr__(self) -> str:
        return f"DeferredFaults({', '.join(kind for kind, _ in self._ends)})"

    def keep_back(self, end: Fault, now_s: float) -> None:
        """A listener was taken away, and with it the sight of this fault."""
        self._ends[end.kind, end.model] = (end, now_s + FOUND_AGAIN_S)

    def seen(self, fault: Fault) -> None:
        """It was found again, or its end was."""
        self._ends.pop((fault.kind, fault.model), None)

    def over(self, now_s: float) -> list[Fault]:
        """Those that were not found again in time."""
        due = [key for key, (_, until_s) in self._ends.items() if now_s >= until_s]
        return [self._ends.pop(key)[0] for key in due]
