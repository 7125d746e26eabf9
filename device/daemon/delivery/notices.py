"""From what was heard to what people are told: the time of day, the name of the source, and no flood.

Events are always told. Gaps that come thick are told once in a while, with their number; all other
faults are told where they begin and where they end. Knows no sink; the time of day is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from device.messages import Notice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from device.messages import Fault, Heard, Priority

GAPS_TOLD_EVERY_S = 10.0
"""An overloaded sound card can lose samples ten times a second, all night."""


@dataclass(slots=True)
class _Untold:
    """Gaps since the last one that was told."""

    count: int = 0
    missing_s: float = 0.0


class NoticeMaker:
    """Makes notices, in stream order.

    Args:
        priorities: (model, label) -> priority.
    """

    def __init__(self, priorities: Mapping[tuple[str, str], Priority]) -> None:
        self._priorities = priorities
        self._untold = _Untold()
        self._gap_told_s: float | None = None

    def notices(self, heard: Heard, *, utc_s: float, newest_s: float, source: str) -> Iterator[Notice]:
        """What is told of what one push gave.

        Args:
            heard: by the listener.
            utc_s: time of day now.
            newest_s: second of the stream that is captured now; what was decided before is dated back by that much.
            source: what is heard.
        """
        for event in heard.events:
            priority = self._priorities.get((event.model, event.label))
            yield Notice(utc_s - max(0.0, newest_s - event.decided_s), source, event, priority)
        for fault in heard.faults:
            told = self._thinned(fault) if fault.kind == "gap" else fault
            if told is not None:
                yield Notice(utc_s - max(0.0, newest_s - fault.at_s), source, told)

    def _thinned(self, gap: Fault) -> Fault | None:
        self._untold.count += 1
        self._untold.missing_s += gap.at_s - gap.since_s
        if self._gap_told_s is not None and gap.at_s - self._gap_told_s < GAPS_TOLD_EVERY_S:
            return None
        self._gap_told_s = gap.at_s
        untold, self._untold = self._untold, _Untold()
        if untold.count == 1:
            return gap
        return replace(
            gap, detail=f"{untold.count} gaps since this was last told, {untold.missing_s:.3f} s of sound are missing"
        )
