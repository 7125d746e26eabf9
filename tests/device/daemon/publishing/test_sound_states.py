"""A label is off only after quiet that was heard; while nobody knows, that is what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.daemon.publishing.sound_states import SoundStates
from device.messages import Decision, Event

if TYPE_CHECKING:
    from device.messages import LabelState, Phase

_CRY = ("cry", "cry")
_HOP_S = 0.5


def _event(phase: Phase, reason: str = "3 of 4") -> Event:
    return Event("s-cry-cry-0", 0, "cry", "cry", phase, 0.9, 1.0, None, 4.0, reason)


def _decisions(count: int, state: LabelState = "off", *, first: int = 0, trusted: bool = True) -> list[Decision]:
    ends_s = [2.0 + _HOP_S * index for index in range(first, first + count)]
    return [Decision("cry", "cry", state, "", 0.1, end_s - 2.0, end_s, trusted) for end_s in ends_s]


@pytest.fixture
def states() -> SoundStates:
    return SoundStates({_CRY: 2.0})


def test_nothing_is_known_before_the_decisions_were_off_for_the_hold(states: SoundStates) -> None:
    assert states.heard == {_CRY: None}
    states.apply_decisions(_decisions(4))
    assert states.heard == {_CRY: None}
    states.apply_decisions(_decisions(1, first=4))
    assert states.heard == {_CRY: False}


@pytest.mark.parametrize("reason", ["no_audio", "gap", "rate", "deaf", "reload", "stopped", "end_of_file"])
def test_a_sound_that_is_followed_no_more_is_not_off(states: SoundStates, reason: str) -> None:
    states.apply_event(_event("begin"))
    states.apply_event(_event("end", reason))
    assert states.heard == {_CRY: None}
    states.apply_decisions(_decisions(5))
    assert states.heard == {_CRY: False}


def test_quiet_is_off_at_once_and_a_new_begin_is_on(states: SoundStates) -> None:
    states.apply_event(_event("begin"))
    states.apply_event(_event("end", "quiet"))
    assert states.heard == {_CRY: False}
    states.apply_event(_event("reopen"))
    assert states.heard == {_CRY: True}


@pytest.mark.parametrize("between", [_decisions(1, "pending", first=3), _decisions(1, first=3, trusted=False), []])
def test_what_is_no_unbroken_quiet_does_not_count(states: SoundStates, between: list[Decision]) -> None:
    states.apply_decisions([*_decisions(3), *between, *_decisions(4, first=12)])
    assert states.heard == {_CRY: None}


def test_while_nothing_is_heard_a_label_that_was_off_is_unknown_and_one_that_is_on_stays(states: SoundStates) -> None:
    states.apply_decisions(_decisions(5))
    states.lose_hearing()
    assert states.heard == {_CRY: None}
    states.apply_event(_event("begin"))
    states.lose_hearing()
    assert states.heard == {_CRY: True}
