"""A sensitivity that a command set holds over restarts and reloads, until the file says something new."""

from __future__ import annotations

import pytest

from device.commands import SetSensitivity
from device.daemon.alerting.sensitivities import SENSITIVITIES, Sensitivities
from device.daemon.delivery.reply_queue import ReplyQueue
from tests.device.daemon.alerting.stage import Stage
from tests.device.daemon.scripted import ManualClocks, ScriptedJournal, ScriptedModels

_CRY = ("cry", "cry")
_UP = SetSensitivity("cry", "cry", 2, "mqtt")


@pytest.fixture
def journal() -> ScriptedJournal:
    return ScriptedJournal(ManualClocks(), ReplyQueue())


def test_a_command_is_in_force_at_once_noted_and_shown(stage: Stage) -> None:
    stage.replies.commanded(_UP)
    (note,) = [note for note in stage.turn().notes if note.kind == "asked"]
    assert (note.kind, note.detail) == (
        "asked",
        "mqtt sets the sensitivity of cry/cry to +2; the configuration says +0",
    )
    assert stage.models.in_force == {_CRY: 2}
    assert stage.controller.sensitivities.values == {_CRY: (2, 0)}


def test_a_label_that_nobody_listens_for_changes_nothing_and_names_those_there_are(stage: Stage) -> None:
    stage.replies.commanded(SetSensitivity("cry", "scream", 2, "mqtt"))
    (note,) = [note for note in stage.turn().notes if note.kind == "asked"]
    assert "'cry/scream', which is not listened for; there are cry/cry" in note.detail
    assert stage.models.in_force == {}
    assert SENSITIVITIES not in stage.journal.notes


def test_it_outlives_a_restart(stage: Stage) -> None:
    stage.replies.commanded(_UP)
    stage.turn()
    later = Stage()
    later.journal.open(notes=stage.journal.notes)
    later.turn()
    assert later.models.in_force == {_CRY: 2}


def test_it_outlives_a_reload_until_the_file_says_something_else(journal: ScriptedJournal) -> None:
    sensitivities = Sensitivities(ScriptedModels(cry=1))
    sensitivities.set(_UP, journal)
    same, other = ScriptedModels(cry=1), ScriptedModels(cry=-1)
    sensitivities.use_models(same)
    assert same.in_force == {_CRY: 2}
    sensitivities.use_models(other)
    assert other.in_force == {_CRY: -1}
    assert sensitivities.values == {_CRY: (-1, -1)}
    restarted = ScriptedModels(cry=-1)
    again = Sensitivities(restarted)
    again.restore(journal.notes[SENSITIVITIES])
    assert restarted.in_force == {_CRY: -1}


def test_what_was_set_before_the_journal_could_be_read_is_newer(journal: ScriptedJournal) -> None:
    Sensitivities(ScriptedModels(cry=0)).set(SetSensitivity("cry", "cry", -3, "mqtt"), journal)
    models = ScriptedModels(cry=0)
    later = Sensitivities(models)
    later.set(_UP, ScriptedJournal(ManualClocks(), ReplyQueue()))
    later.restore(journal.notes[SENSITIVITIES])
    assert models.in_force == {_CRY: 2}


@pytest.mark.parametrize("note", ["{", "3", "[3]", '[["cry","cry",99,0]]', '[["cry","cry","2",0]]'])
def test_a_note_that_is_none_hinders_nothing(note: str) -> None:
    models = ScriptedModels(cry=1)
    Sensitivities(models).restore(note)
    assert models.in_force == {_CRY: 1}


def test_the_loudness_alarm_has_none_and_the_answer_says_what_it_has(stage: Stage) -> None:
    stage.replies.commanded(SetSensitivity("loudness", "loud", 2, "mqtt"))
    (note,) = [note for note in stage.turn().notes if note.kind == "asked"]
    assert note.detail == ("mqtt sets the sensitivity of loudness/loud, which has none; set level_dbfs in [loudness]")
    assert stage.models.in_force == {}
