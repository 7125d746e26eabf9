"""From events and faults to notices for console and log: with time of day and source, and without floods.

Every event becomes a notice. Gaps that come in quick succession become one notice once in a while, with their number;
all other faults become a notice when they begin and when they end. Knows no sink; the time of day is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from device.messages import Notice

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from device.messages import Event, Fault, Heard, Priority

GAP_NOTICE_EVERY_S = 10.0
"""An overloaded sound card can lose samples ten times a second, all night."""


@dataclass(slots=True)
class _Gaps:
    """Gaps since the last notice of one."""

    count: int = 0
    missing_s: float = 0.0


class NoticeMaker:
    """Makes notices, in stream order.

    Args:
        priorities: of each (model, label).
        stream_speed: seconds of the stream in one second; 1 for a microphone.

    Attributes:
        stream_speed: as given.
    """

    def __init__(self, priorities: Mapping[tuple[str, str], Priority], *, stream_speed: float = 1.0) -> None:
        self._priorities = priorities
        self.stream_speed = stream_speed
        self._gaps = _Gaps()
        self._gap_noticed_s: float | None = None

    def notices(
        self, heard: Heard, *, utc_s: float, newest_s: float, source: str, logged: Container[Event] = ()
    ) -> Iterator[Notice]:
        """Make the notices of what the listener returned for one block.

        Args:
            heard: by the listener.
            utc_s: time of day now.
            newest_s: second of the stream that is captured now; what was decided before is dated back by that much.
            source: name of the microphone or recording.
            logged: those events that raise no alarm, whatever the priority of their label.
        """
        for event in heard.events:
            priority = None if event in logged else self._priorities.get((event.model, event.label))
            ago_s = max(0.0, newest_s - event.decided_s) / self.stream_speed
            yield Notice(utc_s - ago_s, source, event, priority, self.stream_speed)
        for fault in heard.faults:
            content = self._merge_gap(fault) if fault.kind == "gap" else fault
            if content is not None:
                ago_s = max(0.0, newest_s - fault.at_s) / self.stream_speed
                yield Notice(utc_s - ago_s, source, content, stream_speed=self.stream_speed)

    def _merge_gap(self, gap: Fault) -> Fault | None:
        self._gaps.count += 1
        self._gaps.missing_s += gap.at_s - gap.since_s
        if self._gap_noticed_s is not None and gap.at_s - self._gap_noticed_s < GAP_NOTICE_EVERY_S:
            return None
        self._gap_noticed_s = gap.at_s
        gaps, self._gaps = self._gaps, _Gaps()
        if gaps.count == 1:
            return gap
        return replace(
            gap, detail=f"{gaps.count} gaps since the last such line, {gaps.missing_s:.3f} s of sound are missing"
        )
