"""Commands step the machine, are noted, and a pause is written to the journal."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from device.alarms.journal.command_notes import KEY_PREFIX, parse_command_notes
from device.commands import Acknowledge, Outcome, Pause, Reload, Resume, SelfTest
from device.config.settings import AlarmSettings
from device.daemon.alerting.command_handler import MODEL_UPDATE
from device.daemon.alerting.restore import PAUSED_UNTIL
from device.daemon.delivery.journal_messages import JournalOpened
from device.daemon.delivery.reply_queue import CommandReceived
from tests.device.daemon.alerting.stage import Stage

if TYPE_CHECKING:
    from device.commands import Command


def _became(stage: Stage, command: Command) -> Outcome:
    """What the sender of a command is told."""
    answers: list[Outcome] = []
    assert stage.replies.try_put(CommandReceived(command, answers.append))
    stage.turn()
    (answer,) = answers
    return answer


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


def test_an_acknowledgement_of_an_alarm_that_is_not_open_is_told_as_in_vain(stage: Stage) -> None:
    """Nobody answers who publishes a command over MQTT: the console said `mqtt acknowledges no-such-alarm` alone."""
    stage.turn(10.0)
    stage.cry()
    stage.replies.commanded(Acknowledge("no-such-alarm", "mqtt"))
    (note,) = stage.turn().notes
    assert note.detail == 'mqtt acknowledges no-such-alarm: no open alarm is "no-such-alarm"; open: cry (cry)'


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


def test_who_acknowledges_is_told_which_alarms_those_were(stage: Stage) -> None:
    assert _became(stage, Acknowledge(None, "anna")) == Outcome(done=True, sentence="no alarm waits to be acknowledged")
    stage.turn(10.0)
    stage.cry()
    stage.cry(label="scream")
    unknown = _became(stage, Acknowledge("s-cry-cry-9", "anna"))
    assert unknown == Outcome(done=False, sentence='no open alarm is "s-cry-cry-9"; open: cry (cry)')
    assert _became(stage, Acknowledge(None, "anna")) == Outcome(done=True, sentence="acknowledged: cry (cry)")
    again = _became(stage, Acknowledge("s-cry-cry-0", "ben"))
    assert again == Outcome(done=True, sentence="it was acknowledged before")
    stage.journal.commit()
    assert [body["cause"] for body in stage.entries[1:]] == ["acknowledged by anna"]


def test_who_pauses_is_told_until_when_by_the_configured_zone() -> None:
    stage = Stage(settings=AlarmSettings(longest_pause_s=600.0))
    stage.clocks.timekeeper.zone = ZoneInfo("Europe/Berlin")
    until = datetime.fromtimestamp(stage.clocks.utc_s + 60.05, ZoneInfo("Europe/Berlin"))
    paused = _became(stage, Pause(60.0, "anna"))
    assert paused == Outcome(done=True, sentence=f"nothing sounds until {until:%H:%M:%S}; alarms are still sent")
    shortened = _became(stage, Pause(1200.0, "anna")).sentence
    assert "(longest_pause_s in [alarms] allows 600 s); alarms are still sent" in shortened
    assert _became(stage, Resume("anna")) == Outcome(done=True, sentence="signals sound again")
    assert _became(stage, Resume("anna")) == Outcome(done=True, sentence="signals were not paused")


def test_who_asks_for_a_self_test_is_told_where_its_result_is(stage: Stage) -> None:
    expected = Outcome(done=True, sentence="a self-test begins; console and log have its result in a minute")
    assert _became(stage, SelfTest("anna")) == expected
    assert stage.tested == [SelfTest("anna")]


def test_a_reload_says_why_in_log_and_journal(stage: Stage) -> None:
    began = _became(stage, Reload("cry 1.1.0 was installed", "root"))
    assert began == Outcome(
        done=True, sentence="configuration and models are read again; auricle status has the result"
    )
    assert stage.reloads == ["reload"]
    assert stage.journal.notes[MODEL_UPDATE].endswith("Z root: cry 1.1.0 was installed")
    stage.replies.commanded(Reload("", "anna"))
    assert [(note.kind, note.detail) for note in stage.turn().notes] == [("asked", "anna asks for a reload")]
    assert stage.journal.notes[MODEL_UPDATE].endswith("Z root: cry 1.1.0 was installed")


def test_every_command_is_noted_in_the_journal_with_who_when_and_what_became_of_it(stage: Stage) -> None:
    stage.replies.put(JournalOpened((), {}, 0))
    stage.turn(10.0)
    stage.cry()
    by = "anna (auricle-web)"
    for command in (Acknowledge(None, by), Pause(60.0, by), Resume("mqtt"), SelfTest(by), Acknowledge("no", by)):
        _became(stage, command)
    notes = parse_command_notes(value for key, value in stage.journal.notes.items() if key.startswith(KEY_PREFIX))
    assert [(note.by, note.command, note.done) for note in notes] == [
        (by, "acknowledge", True),
        (by, "pause", True),
        ("mqtt", "resume", True),
        (by, "self_test", True),
        (by, "acknowledge", False),
    ]
    assert notes[0].sentence == "acknowledged: cry (cry)"
    assert {round(stage.clocks.utc_s - note.utc_s) for note in notes} <= {0, 1}
