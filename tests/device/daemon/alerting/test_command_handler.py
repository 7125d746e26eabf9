"""Commands step the machine, are noted, and a pause is written to the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.commands import Acknowledge, Pause, Resume, SelfTest
from device.daemon.alerting.restore import PAUSED_UNTIL

if TYPE_CHECKING:
    from tests.device.daemon.alerting.stage import Stage


def test_an_acknowledgement_silences_and_is_kept_and_told(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.replies.commanded(Acknowledge("s-cry-cry-0", "mqtt"))
    (note,) = stage.turn().notes
    assert (note.kind, note.detail) == ("asked", "mqtt acknowledges s-cry-cry-0")
    assert stage.pins.shown[-1].silent
    stage.journal.commit()
    assert [body["cause"] for body in stage.entries[1:]] == ["acknowledged by mqtt"]
    assert stage.state()["alarms"][0]["acknowledged"]


def test_a_pause_is_kept_for_the_next_start_and_its_end_is_told(stage: Stage) -> None:
    stage.replies.commanded(Pause(60.0, "mqtt"))
    stage.turn()
    assert stage.state()["paused"]
    assert float(stage.journal.notes[PAUSED_UNTIL]) == pytest.approx(stage.clocks.utc_s + 60.0)
    stage.replies.commanded(Resume("mqtt"))
    stage.turn()
    assert not stage.controller.summary.paused
    assert float(stage.journal.notes[PAUSED_UNTIL]) == 0.0
    assert not stage.state()["paused"]


def test_a_self_test_is_handed_on(stage: Stage) -> None:
    stage.replies.commanded(SelfTest("mqtt"))
    stage.turn()
    assert stage.tested == [SelfTest("mqtt")]
