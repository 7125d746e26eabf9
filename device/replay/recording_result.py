"""One recording of a replay: what is asked of it, and what it gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from device.messages import Event
    from device.report.page import PageSummary
    from device.report.spans import FaultSpan


@dataclass(frozen=True, slots=True)
class RecordingTask:
    """One recording to replay.

    Attributes:
        source: path as given.
        stream_id: prefix of its event ids.
        page: file of its page; None for no page.
        index: file name of the index beside the page; None for no index.
    """

    source: str
    stream_id: str
    page: str | None = None
    index: str | None = None


@dataclass(frozen=True, slots=True)
class RecordingResult:
    """What the replay of one recording gave.

    Attributes:
        source: path as given.
        duration_s: seconds that were listened to.
        events: all phases, in stream order.
        faults: what kept Auricle from hearing.
        error: why the recording could not be read to its end; None if it was.
        notes: what is odd in the file although its sound is whole.
        explanation: lines, if an explanation was asked for.
        summary: its line in the index, if pages were asked for.
        rows: rows kept until earlier recordings are done, by table.
    """

    source: str
    duration_s: float
    events: tuple[Event, ...]
    faults: tuple[FaultSpan, ...]
    error: str | None
    notes: tuple[str, ...] = ()
    explanation: tuple[str, ...] = ()
    summary: PageSummary | None = None
    rows: dict[str, str] = field(default_factory=dict)
