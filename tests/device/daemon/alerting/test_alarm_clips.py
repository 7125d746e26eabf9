"""The sound of an alarm is kept, and dated back to its decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.device.daemon.scripted import NOON_S

if TYPE_CHECKING:
    from tests.device.daemon.alerting.stage import Stage


def test_the_sound_of_each_alarm_is_kept_and_dated_back_to_its_decision(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.cry("end", reason="quiet")
    ((event_id, utc_s),) = stage.clips.kept
    assert event_id == "s-cry-cry-0"
    assert utc_s == pytest.approx(NOON_S + 10.0 - 0.2)
    stage.clips.dropped, stage.clips.failure = 2, "the disk is full"
    (note,) = stage.turn().notes
    assert (note.kind, note.detail) == ("dropped", "2 clips could not be kept: the disk is full")
