"""What a delivery channel lost is noted once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.device.daemon.alerting.stage import Stage


def test_pins_that_do_nothing_are_told_once(stage: Stage) -> None:
    stage.pins.problem = "no GPIO here"
    notes = [note for _ in range(5) for note in stage.turn().notes]
    assert [(note.kind, note.detail) for note in notes if note.kind != "broker"] == [("pins", "no GPIO here")]
