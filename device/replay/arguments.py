"""What is wanted of a replay, and what one recording of it gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from device.config.settings import Settings
    from device.messages import Event
    from device.report.page import PageSummary
    from device.report.spans import FaultSpan


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What is wanted of a replay.

    Attributes:
        settings: from profile or file.
        models: shipped names or bundle files that listen instead of the settings' own; empty for those.
        events: where event lines go, `-` for standard output; None for nowhere.
        scores: where the score table goes, likewise.
        labels: where label tracks go: a file for one recording, a folder for several.
        report: where pages go: a file for one recording, a folder for several.
        explain_s: the second of each recording to explain; None for none.
        realtime: take as long as the recording lasts.
        channel: the channel to hear, from 0; None as the settings say.
        workers: processes; None as the settings say.
    """

    settings: Settings
    models: tuple[str, ...] = ()
    events: str | None = None
    scores: str | None = None
    labels: str | None = None
    report: str | None = None
    explain_s: float | None = None
    realtime: bool = False
    channel: int | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One recording, as whoever replays it is given it.

    Attributes:
        source: path as given.
        stream_id: what its event ids begin with.
        page: file of its page; None for none.
        index: file name of the index beside the page; None for none.
    """

    source: str
    stream_id: str
    page: str | None = None
    index: str | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one recording gave.

    Attributes:
        source: path as given.
        duration_s: seconds that were heard.
        events: all phases, in stream order.
        faults: what kept Auricle from hearing.
        error: why it could not be heard to its end; None where it was.
        explanation: lines, where one was ordered.
        summary: its line in the index, where pages were ordered.
        rows: rows that were kept for later, by table.
    """

    source: str
    duration_s: float
    events: tuple[Event, ...]
    faults: tuple[FaultSpan, ...]
    error: str | None
    explanation: tuple[str, ...] = ()
    summary: PageSummary | None = None
    rows: dict[str, str] = field(default_factory=dict)
