"""Phases of events, folded into spans of time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import hypothesis.strategies as st
from hypothesis import given

from device.messages import Event
from device.report.spans import fold

if TYPE_CHECKING:
    from device.messages import Phase


def _event(phase: Phase, start_s: float, end_s: float | None = None, *, score: float = 0.9, number: int = 1) -> Event:
    return Event(
        event_id=f"s-m-cry-{number}",
        seq=0,
        model="m",
        label="cry",
        phase=phase,
        score=score,
        start_s=start_s,
        end_s=end_s,
        decided_s=(start_s if end_s is None else end_s) + 2,
        reason="quiet" if phase == "end" else "confirmed",
    )


def test_begin_and_end_make_one_span_with_the_highest_score() -> None:
    (span,) = fold([_event("begin", 2.0), _event("end", 2.0, 6.5, score=0.97)], 60.0)
    assert (span.start_s, span.end_s, span.decided_s, span.score) == (2.0, 6.5, 4.0, 0.97)
    assert (span.opened_by, span.closed_by) == ("confirmed", "quiet")


def test_a_span_has_the_verdict_of_its_end_alone() -> None:
    end = replace(_event("end", 2.0, 6.0), verdict="hungry")
    (span,) = fold([_event("begin", 2.0), end], 60.0)
    assert span.verdict == "hungry"
    (span,) = fold([_event("begin", 2.0), end, _event("reopen", 5.0)], 60.0)
    assert span.verdict is None


def test_what_is_open_at_the_end_ends_with_the_sound() -> None:
    (span,) = fold([_event("begin", 2.0)], 60.0)
    assert (span.end_s, span.closed_by) == (60.0, None)


def test_a_reopened_event_has_two_spans_of_one_id() -> None:
    events = [_event("begin", 2.0), _event("end", 2.0, 6.0), _event("reopen", 9.0), _event("end", 9.0, 12.0)]
    spans = fold(events, 60.0)
    assert [(span.start_s, span.end_s) for span in spans] == [(2.0, 6.0), (9.0, 12.0)]
    assert len({span.event_id for span in spans}) == 1


def test_a_reopening_that_reaches_back_goes_on_with_its_span() -> None:
    events = [_event("begin", 2.0), _event("end", 2.0, 6.0), _event("reopen", 5.0), _event("end", 5.0, 12.0)]
    assert [(span.start_s, span.end_s) for span in fold(events, 60.0)] == [(2.0, 12.0)]


def test_an_end_without_a_beginning_makes_no_span() -> None:
    assert fold([_event("end", 2.0, 6.0)], 60.0) == []


def test_events_that_interleave_keep_apart() -> None:
    events = [
        _event("begin", 2.0, number=1),
        _event("begin", 3.0, number=2),
        _event("end", 2.0, 9.0, number=1),
        _event("end", 3.0, 4.0, number=2),
    ]
    assert [(span.event_id[-1], span.start_s, span.end_s) for span in fold(events, 10.0)] == [("1", 2, 9), ("2", 3, 4)]


@given(st.lists(st.tuples(st.floats(0.0, 50.0), st.floats(0.0, 50.0)), max_size=20), st.booleans())
def test_no_span_ends_before_it_starts_and_all_are_in_order(times: list[tuple[float, float]], last_open: bool) -> None:  # noqa: FBT001 (hypothesis passes it by position)
    events = []
    for number, (start_s, length_s) in enumerate(times):
        events.append(_event("begin", start_s, number=number))
        if not last_open or number + 1 < len(times):
            events.append(_event("end", start_s, start_s + length_s, number=number))
    spans = fold(events, 100.0)
    assert len(spans) == len(times)
    assert all(span.end_s >= span.start_s for span in spans)
    assert spans == sorted(spans, key=lambda span: span.start_s)
