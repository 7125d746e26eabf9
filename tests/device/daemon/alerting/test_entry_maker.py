"""An entry says when its alarm began, was decided and published, and whether the clock was stepped."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from device.messages import Event, Heard

if TYPE_CHECKING:
    from tests.device.daemon.alerting.stage import Stage


def test_it_says_when_it_began_when_it_was_decided_and_how_long_each_step_took(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    decided_utc_s = stage.clocks.utc_s
    stage.clocks.advance(0.5)
    stage.journal.commit()
    stage.turn()
    (sent,) = stage.broker.sent
    assert sent["captured_to_decided_s"] == pytest.approx(0.2)
    assert sent["decided_to_told_s"] == pytest.approx(0.55)
    assert stage.journal.committed[0].utc_s == decided_utc_s
    assert (sent["decided_utc"], sent["start_utc"]) == ("2023-11-14T22:13:30.000Z", "2023-11-14T22:13:26.800Z")
    stage.turn(60.0)
    stage.cry("end", reason="quiet")
    stage.journal.commit()
    assert stage.entries[-1]["start_utc"] == sent["start_utc"]


def test_a_clock_that_jumps_by_an_hour_loses_and_sticks_nothing_and_is_told(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.clocks.utc_s += 3600.0
    stage.turn(60.0)
    stage.cry("end", reason="quiet")
    stage.settle()
    stage.cry(number=1)
    stage.settle()
    changes = [(body["change"], body["time_quality"]) for body in stage.entries]
    assert changes == [("raised", "synchronized"), ("ended", "stepped"), ("raised", "synchronized")]
    assert [sent["late"] for sent in stage.broker.sent] == [True, False, False]
    assert len(stage.broker.sent) == 3


@pytest.mark.parametrize(("reason", "end_utc"), [("quiet", "2023-11-14T22:14:21.000Z"), ("no_audio", None)])
def test_it_says_when_the_sound_was_as_estimated_and_no_end_that_nobody_heard(
    stage: Stage, reason: str, end_utc: str | None
) -> None:
    stage.turn(10.0)
    begun = Event("s-cry-cry-0", 0, "cry", "cry", "begin", 0.9, 6.0, None, 10.0, "3 of 4", onset_s=7.5)
    stage.hear(Heard(events=[begun]))
    stage.turn(60.0)
    over = replace(begun, seq=1, phase="end", end_s=63.0, decided_s=70.0, reason=reason, offset_s=61.0)
    stage.hear(Heard(events=[over]))
    stage.journal.commit()
    raised, last = stage.entries
    assert (raised["start_utc"], raised["end_utc"]) == ("2023-11-14T22:13:27.500Z", None)
    assert (last["start_utc"], last["end_utc"]) == ("2023-11-14T22:13:27.500Z", end_utc)
