"""Folds the phases of events, and the beginnings and ends of faults, into spans of time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from device.messages import Event, Fault, FaultKind


@dataclass(frozen=True, slots=True)
class Span:
    """One stretch of sound in which a label was on.

    Attributes:
        event_id: of the event it belongs to; an event that was reopened has several spans.
        model: name of the model.
        label: its label.
        start_s: start of the first window counted.
        end_s: end of the last window at or above the off threshold.
        decided_s: end of the window that decided its beginning.
        score: the highest probability.
        opened_by: the rule that began it.
        closed_by: why it ended; None if it was still open when the sound ended.
        onset_s: when the sound began, as estimated; None if nobody has estimated it.
        offset_s: when it ended, likewise.
        verdict: what a model that follows the label said of it at its end; None if it abstained, or there is none.
    """

    event_id: str
    model: str
    label: str
    start_s: float
    end_s: float
    decided_s: float
    score: float
    opened_by: str
    closed_by: str | None
    onset_s: float | None = None
    offset_s: float | None = None
    verdict: str | None = None

    @property
    def began_s(self) -> float:
        """The best that is known of when the sound began."""
        return self.start_s if self.onset_s is None else self.onset_s

    @property
    def ended_s(self) -> float:
        """The best that is known of when it ended."""
        return self.end_s if self.offset_s is None else max(self.offset_s, self.began_s)


@dataclass(frozen=True, slots=True)
class FaultSpan:
    """One stretch of sound with a fault.

    Attributes:
        kind: what was wrong.
        start_s: where it began.
        end_s: where it ended, or the end of the sound.
        detail: one sentence with the figure that was measured.
        lasted: True if it had not ended when the sound ended.
    """

    kind: FaultKind
    start_s: float
    end_s: float
    detail: str
    lasted: bool


def fold(events: Iterable[Event], duration_s: float) -> list[Span]:
    """Return the spans of `events`, by start; an open one ends at `duration_s`.

    A reopening that begins before the end of the previous span continues it instead of overlapping it.
    """
    spans: list[Span] = []
    open_at: dict[str, int] = {}
    last_of: dict[str, int] = {}
    for event in events:
        if event.phase == "end":
            index = open_at.pop(event.event_id, None)
            if index is not None:
                spans[index] = _closed(spans[index], event)
            continue
        before = last_of.get(event.event_id)
        if before is None or event.start_s > spans[before].end_s:
            before = len(spans)
            spans.append(_opened(event, duration_s))
        else:
            spans[before] = replace(
                spans[before], end_s=max(duration_s, event.start_s), offset_s=None, closed_by=None, verdict=None
            )
        open_at[event.event_id] = last_of[event.event_id] = before
    return sorted(spans, key=lambda span: (span.start_s, span.end_s, span.model, span.label))


def fold_faults(faults: Iterable[Fault], duration_s: float) -> list[FaultSpan]:
    """Return the spans of `faults`, by start; an open one ends at `duration_s`.

    A gap ends where it is noticed. Of any other kind, at most one for each model is open at a time.
    """
    done: list[FaultSpan] = []
    open_faults: dict[tuple[FaultKind, str], Fault] = {}
    for fault in faults:
        if fault.kind == "gap":
            if fault.begins:
                done.append(_fault_span(fault, fault.at_s, lasted=False))
        elif fault.begins:
            open_faults.setdefault((fault.kind, fault.model), fault)
        elif (begun := open_faults.pop((fault.kind, fault.model), None)) is not None:
            done.append(_fault_span(begun, fault.at_s, lasted=False))
    done.extend(_fault_span(fault, duration_s, lasted=True) for fault in open_faults.values())
    return sorted(done, key=lambda span: (span.start_s, span.end_s, span.kind))


def _fault_span(fault: Fault, end_s: float, *, lasted: bool) -> FaultSpan:
    return FaultSpan(fault.kind, fault.since_s, max(end_s, fault.since_s), fault.detail, lasted)


def _opened(event: Event, duration_s: float) -> Span:
    return Span(
        event_id=event.event_id,
        model=event.model,
        label=event.label,
        start_s=event.start_s,
        end_s=max(duration_s, event.start_s),
        decided_s=event.decided_s,
        score=event.score,
        opened_by=event.reason,
        closed_by=None,
        onset_s=event.onset_s,
    )


def _closed(span: Span, event: Event) -> Span:
    end_s = event.decided_s if event.end_s is None else event.end_s
    return replace(
        span,
        end_s=max(end_s, span.start_s),
        score=max(span.score, event.score),
        closed_by=event.reason,
        offset_s=event.offset_s,
        verdict=event.verdict,
    )
