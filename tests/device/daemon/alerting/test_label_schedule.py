"""The schedule of a daemon: hours and switches decide what reaches alarms, log and broker, whenever they change."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from device.commands import SetMode
from device.config.alerting.schedule_settings import ScheduleSettings
from device.config.settings import AlarmSettings
from device.daemon.alerting.label_schedule import SWITCHES
from device.messages import Event, Heard
from tests.device.daemon.alerting.stage import CRY, LABELS, TOPICS, Stage
from tests.device.daemon.scripted import NOON_S

if TYPE_CHECKING:
    from device.daemon.delivery.channels import Channels

if TYPE_CHECKING:
    from device.daemon.alerting.controller import OperationReport

UTC_MINUTE = round(NOON_S) // 60 % 1440  # of the stage's clock, in UTC
SWITCH = ScheduleSettings("cry", switch=True)


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.localtime", time.gmtime)


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


def _range(begin: int, end: int) -> str:
    """From and to these minutes from now."""
    return f"{_clock(UTC_MINUTE + begin)}-{_clock(UTC_MINUTE + end)}"


def _set(stage: Stage, mode: str) -> str:
    """Set the switch; returns what people read of it."""
    stage.replies.commanded(SetMode("cry", mode, "mqtt"))  # type: ignore[arg-type]  # a switch
    return _said(stage.turn())


def _said(report: OperationReport) -> str:
    return "; ".join(note.detail for note in report.notes if note.kind in {"asked", "schedule"})


def _mode(stage: Stage) -> dict[str, object]:
    told: dict[str, object] = json.loads(stage.broker.published[TOPICS.mode("cry")].payload)
    return told


def test_what_is_only_logged_raises_no_alarm_and_is_still_heard() -> None:
    stage = Stage(schedule=[ScheduleSettings("cry", otherwise="log")])
    assert _said(stage.turn()) == "from now on cry is only logged, by the hour"
    stage.cry()
    stage.settle()
    assert (stage.controller.machine.alarms, stage.broker.sent) == ((), [])
    assert stage.broker.published[TOPICS.sound("cry", "cry")].payload == b"ON"
    assert _mode(stage) == {"mode": "log", "cause": "hours", "switch": None}


def test_an_hour_that_begins_takes_effect_at_its_first_minute() -> None:
    stage = Stage(schedule=[ScheduleSettings("cry", off=(_range(1, 3),))])
    stage.turn()
    assert stage.controller.schedule.modes["cry"].mode == "alarm"
    assert _said(stage.turn(60.0)) == "from now on cry is not listened for, by the hour"
    stage.cry()
    assert stage.controller.machine.alarms == ()
    assert _said(stage.turn(120.0)) == "from now on cry raises alarms, by the hour"


def test_hours_of_another_day_of_the_week_wait_for_that_day() -> None:
    stage = Stage(schedule=[ScheduleSettings("cry", log=("wed 00:00-00:00",), off=("thu-mon 22:00-23:00",))])
    stage.turn()  # Tuesday, 22:13
    assert stage.controller.schedule.modes["cry"].mode == "alarm"
    assert _said(stage.turn(7200.0)) == "from now on cry is only logged, by the hour"
    assert _mode(stage) == {"mode": "log", "cause": "hours", "switch": None}
    stage.clocks.synchronized = False
    assert _said(stage.turn()) == "from now on cry raises alarms, while the clock is not synchronized"


def test_a_cry_that_goes_on_when_the_hour_is_over_raises_its_alarm_then() -> None:
    stage = Stage(schedule=[ScheduleSettings("cry", off=(_range(0, 2),))])
    stage.turn()
    stage.cry()
    assert stage.broker.published[TOPICS.sound("cry", "cry")].payload == b"OFF"
    report = stage.turn(120.0)
    assert [alarm.alarm_id for alarm in stage.controller.machine.alarms] == ["s-cry-cry-0"]
    assert [event.phase for event in report.released.visible.events] == ["begin"]
    assert report.released.logged == []
    stage.settle()
    (sent,) = stage.broker.sent
    assert (sent["topic"], sent["change"]) == (CRY, "raised")
    assert sent["captured_to_decided_s"] < 1.0
    assert "it went on when the schedule let it through" in sent["detail"]
    assert stage.broker.published[TOPICS.sound("cry", "cry")].payload == b"ON"
    stage.cry("end", reason="quiet")
    assert stage.controller.machine.alarms == ()


def test_an_alarm_that_is_on_stays_until_its_cry_ends_or_it_is_acknowledged() -> None:
    stage = Stage(schedule=[SWITCH])
    stage.cry()
    _set(stage, "off")
    assert [alarm.state for alarm in stage.controller.machine.alarms] == ["active"]
    assert stage.broker.published[TOPICS.sound("cry", "cry")].payload == b"ON"
    stage.cry("end", reason="quiet")
    stage.turn()
    assert stage.controller.machine.alarms == ()
    assert stage.broker.published[TOPICS.sound("cry", "cry")].payload == b"OFF"
    stage.cry(number=1)
    assert stage.controller.machine.alarms == ()


def test_while_the_clock_is_uncertain_it_raises_alarms() -> None:
    stage = Stage(schedule=[ScheduleSettings("cry", otherwise="off")])
    stage.clocks.synchronized = False
    stage.turn()
    stage.cry()
    assert [alarm.name for alarm in stage.controller.machine.alarms] == ["cry"]
    assert _mode(stage) == {"mode": "alarm", "cause": "clock", "switch": None}


def test_faults_are_alarms_whatever_is_scheduled() -> None:
    stage = Stage(schedule=[ScheduleSettings("cry", otherwise="off")])
    stage.turn()
    stage.hear(Heard(faults=[stage.fault("silence")]))
    assert [alarm.name for alarm in stage.controller.machine.alarms] == ["silence"]


def test_a_switch_is_set_noted_with_who_and_when_and_published() -> None:
    stage = Stage(schedule=[SWITCH])
    stage.journal.open()
    stage.turn()
    assert _set(stage, "off") == (
        "mqtt sets cry to off, until it is set to auto; from now on cry is not listened for, as it was set"
    )
    (note,) = [json.loads(value) for key, value in stage.journal.notes.items() if key.startswith("command.")]
    assert (note["command"], note["by"], note["done"], note["utc_s"]) == ("mode", "mqtt", True, stage.clocks.utc_s)
    assert _mode(stage) == {"mode": "off", "cause": "switch", "switch": "off"}
    assert _set(stage, "auto") == "mqtt sets cry to auto; from now on cry raises alarms, by the hour"


def test_a_switch_outlives_a_restart_and_holds_though_the_clock_is_uncertain() -> None:
    stage = Stage(schedule=[SWITCH])
    _set(stage, "log")
    later = Stage(schedule=[SWITCH], boot="c")
    later.clocks.synchronized = False
    later.journal.open(notes=stage.journal.notes)
    later.turn()
    later.cry()
    assert later.controller.machine.alarms == ()
    assert later.controller.schedule.modes["cry"].switch == "log"


@pytest.mark.parametrize("note", ["", "[]", "x", '{"cry": 1}', '{"cry": "quiet"}', "null"])
def test_a_malformed_note_changes_nothing(note: str) -> None:
    stage = Stage(schedule=[SWITCH])
    stage.journal.open(notes={SWITCHES: note})
    stage.turn()
    assert stage.controller.schedule.modes["cry"].switch == "auto"


def test_what_was_set_before_the_journal_was_read_is_kept() -> None:
    stage = Stage(schedule=[SWITCH])
    _set(stage, "log")
    stage.journal.open(notes={SWITCHES: '{"cry": "off"}'})
    stage.turn()
    assert stage.controller.schedule.modes["cry"].mode == "log"


def test_a_label_without_a_switch_cannot_be_set_and_the_answer_says_which_can() -> None:
    stage = Stage(schedule=[ScheduleSettings("cry", otherwise="log"), ScheduleSettings("scream", switch=True)])
    stage.turn()
    assert _set(stage, "off") == "mqtt sets 'cry' to off, which has no switch; there is one for scream"
    assert stage.controller.schedule.modes["cry"].mode == "log"
    assert SWITCHES not in stage.journal.notes
    assert "there is none: set switch = true in [schedule.LABEL]" in _set(Stage(), "off")


def test_a_reload_changes_the_hours_and_keeps_what_was_set() -> None:
    stage = Stage(schedule=[SWITCH])
    _set(stage, "off")
    channels: Channels = stage.controller.channels
    stage.controller.reconfigure(AlarmSettings(), LABELS, channels, [ScheduleSettings("cry", otherwise="log")])
    stage.turn()
    assert _mode(stage) == {"mode": "log", "cause": "hours", "switch": None}
    stage.controller.reconfigure(AlarmSettings(), LABELS, channels, [SWITCH])
    stage.turn()
    assert _mode(stage) == {"mode": "off", "cause": "switch", "switch": "off"}
    stage.controller.reconfigure(AlarmSettings(), LABELS, channels)
    assert _said(stage.turn()) == "from now on cry raises alarms, as nothing is scheduled for it"
    assert stage.controller.schedule.modes == {}


def test_without_a_schedule_nothing_is_looked_at_or_published() -> None:
    stage = Stage()
    stage.turn()
    assert stage.controller.schedule.step(0.0) is None
    assert not any("/mode/" in topic for topic in stage.broker.published)
    event = Event("s-x-cry-0", 0, "x", "cry", "begin", 0.9, 0.0, None, 3.0, "why")
    assert stage.hear(Heard(events=[event])).alarming == [event]
