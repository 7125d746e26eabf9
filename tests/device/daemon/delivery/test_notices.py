"""Notices carry the time and the source, and never come in floods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.daemon.delivery.notices import NoticeMaker
from device.messages import Event, Fault, Heard, Notice

if TYPE_CHECKING:
    from device.messages import Phase

NOON_S = 1_700_000_000.0


def _event(decided_s: float, label: str = "cry", phase: Phase = "begin") -> Event:
    return Event("s-cry-cry-0", 0, "cry", label, phase, 0.9, decided_s - 2, None, decided_s, "3 of 4 windows")


def _gap(since_s: float, missing_s: float = 0.1) -> Fault:
    detail = f"{missing_s:.3f} s of sound are missing"
    return Fault("gap", begins=True, since_s=since_s, at_s=since_s + missing_s, detail=detail)


def _notices(maker: NoticeMaker, heard: Heard, newest_s: float = 100.0) -> list[Notice]:
    return list(maker.notices(heard, utc_s=NOON_S, newest_s=newest_s, source="nursery"))


def test_what_is_told_late_is_dated_back_to_when_it_was() -> None:
    (event, fault) = _notices(
        NoticeMaker({}), Heard(events=[_event(97.5)], faults=[Fault("silence", True, 95, 98, "")])
    )
    assert (event.utc_s, event.source) == (NOON_S - 2.5, "nursery")
    assert fault.utc_s == NOON_S - 2.0


def test_recordings_that_play_faster_are_dated_by_the_clock() -> None:
    heard = Heard(events=[_event(60.0)], faults=[Fault("silence", True, 40, 80, "")])
    event, fault = _notices(NoticeMaker({}, stream_speed=20.0), heard)
    assert (event.utc_s, event.since_utc_s) == (NOON_S - 2.0, NOON_S - 2.1)
    assert (fault.utc_s, fault.since_utc_s) == (NOON_S - 1.0, NOON_S - 3.0)


def test_nothing_is_dated_into_the_future() -> None:
    (notice,) = _notices(NoticeMaker({}), Heard(events=[_event(100.05)]))
    assert notice.utc_s == NOON_S


def test_an_event_has_the_priority_of_its_label_and_a_fault_has_none() -> None:
    maker = NoticeMaker({("cry", "cry"): "high", ("cry", "babble"): "low"})
    heard = Heard(events=[_event(1), _event(2, "babble"), _event(3, "other")], faults=[_gap(3)])
    assert [notice.priority for notice in _notices(maker, heard)] == ["high", "low", None, None]


def test_events_are_always_told() -> None:
    maker, events = NoticeMaker({}), [_event(second / 10) for second in range(500)]
    assert [notice.content for notice in _notices(maker, Heard(events=events))] == events


def test_a_gap_alone_is_told_as_it_is() -> None:
    maker = NoticeMaker({})
    assert [notice.content for notice in _notices(maker, Heard(faults=[_gap(3)]))] == [_gap(3)]
    assert [notice.content for notice in _notices(maker, Heard(faults=[_gap(20)]))] == [_gap(20)]


def test_gaps_that_come_thick_are_told_once_in_ten_seconds_with_their_number_and_sum() -> None:
    maker = NoticeMaker({})
    contents = [
        notice.content for second in range(31) for notice in _notices(maker, Heard(faults=[_gap(second, 0.25)]))
    ]
    assert [content.at_s for content in contents if isinstance(content, Fault)] == [0.25, 10.25, 20.25, 30.25]
    assert {content.detail for content in contents[1:] if isinstance(content, Fault)} == {
        "10 gaps since the last such line, 2.500 s of sound are missing"
    }


@pytest.mark.parametrize("kind", ["silence", "microphone", "coverage", "classifier", "clipping"])
def test_every_other_fault_is_told_where_it_begins_and_where_it_ends(kind: str) -> None:
    maker = NoticeMaker({})
    faults = [
        Fault(kind, begins=bool(index % 2 == 0), since_s=index, at_s=index, detail="")  # type: ignore[arg-type]  # one of the kinds
        for index in range(10)
    ]
    notices = _notices(maker, Heard(faults=[_gap(0), _gap(0.2), *faults]))
    assert [notice.content for notice in notices] == [_gap(0), *faults]
