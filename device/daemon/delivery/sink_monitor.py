"""Monitors console and log: hung ones are a fault, dropped lines are reported. Pure; the clock is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from device.messages import Fault, OperationNote
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.messages import Notice

HUNG_AFTER_S = 10.0
"""A console or a disk that accepts no line for this long is a fault."""

DROPPED_REPORT_EVERY_S = 60.0
"""Period of reports of dropped lines, as each report is a line that can itself be dropped."""


class NoticeSink(Protocol):
    """A console or a log, as the main loop uses it."""

    name: str

    @property
    def dropped(self) -> int:
        """Notices dropped since the start."""

    def write(self, notice: Notice) -> None:
        """Queue a notice; never waits."""

    def stuck_for_s(self, now_s: float) -> float:
        """How long it has been busy with one notice, in seconds; 0 if it is idle."""

    def close(self, deadline_s: float) -> bool:
        """Write what is queued within the deadline, and end; returns whether all was written."""


class SinkMonitor:
    """Remembers what was reported of the sinks; a reload may replace the sinks themselves."""

    def __init__(self) -> None:
        self._hung_since_s: float | None = None
        self._dropped = 0
        self._dropped_reported_s = float("-inf")

    def __repr__(self) -> str:
        return f"SinkMonitor({'hung' if self._hung_since_s is not None else 'not hung'}, {self._dropped} dropped)"

    def hang_fault(self, sinks: Sequence[NoticeSink], *, now_s: float, stream_s: float) -> Fault | None:
        """The fault of hung sinks where it begins or ends: their readers learn nothing in between.

        Args:
            sinks: the current ones.
            now_s: monotonic.
            stream_s: newest second of the stream.
        """
        hung = [sink.name for sink in sinks if sink.stuck_for_s(now_s) > HUNG_AFTER_S]
        if hung and self._hung_since_s is None:
            since_s = self._hung_since_s = stream_s - HUNG_AFTER_S
            detail = f"the {' and the '.join(hung)} accepted no line for {HUNG_AFTER_S:.0f} s"
            return Fault("delivery", begins=True, since_s=since_s, at_s=stream_s, detail=detail)
        if not hung and self._hung_since_s is not None:
            since_s, self._hung_since_s = self._hung_since_s, None
            detail = "every line is accepted again"
            return Fault("delivery", begins=False, since_s=since_s, at_s=stream_s, detail=detail)
        return None

    def dropped_note(self, sinks: Sequence[NoticeSink], now_s: float) -> OperationNote | None:
        """A note on the lines dropped since the last one; None if there are none, or it is too early."""
        dropped = sum(sink.dropped for sink in sinks)
        self._dropped = min(self._dropped, dropped)  # sinks that a reload made count from 0
        if dropped <= self._dropped or now_s - self._dropped_reported_s < DROPPED_REPORT_EVERY_S:
            return None
        fresh, self._dropped, self._dropped_reported_s = dropped - self._dropped, dropped, now_s
        return OperationNote("dropped", f"{quantity(fresh, 'line')} could not be written in time")
