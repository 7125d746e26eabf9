"""A lost cause counts how long its label was off, and records sort by urgency."""

from __future__ import annotations

from dataclasses import replace

from device.alarms.alarm_record import AlarmRecord, LostCause, urgency
from device.messages import Alarm
from tests.device.alarms.machine_inputs import make_decision

ALARM = Alarm("s-ears-cry-0", "sound", "cry", "ears", "high", "active", False, 0.9, "3 of 3")


def test_only_trusted_windows_without_a_gap_count_as_off() -> None:
    lost = LostCause(0.0)
    assert lost.off_s < 0
    for end_s in (2.0, 2.5, 3.0):
        lost = lost.after(make_decision(end_s))
    assert lost.off_s == 1.0
    assert lost.after(make_decision(9.0)).off_s == 0.0  # behind a gap
    assert lost.after(make_decision(3.5, "pending")).off_s < 0
    assert lost.after(make_decision(3.5, trusted=False)).off_s < 0


def test_the_most_urgent_unacknowledged_sound_sorts_first() -> None:
    alarms = [
        ALARM,
        replace(ALARM, kind="technical"),
        replace(ALARM, acknowledged=True),
        replace(ALARM, priority="medium"),
        replace(ALARM, priority="low"),
    ]
    records = [AlarmRecord(alarm, 0, 0.0) for alarm in alarms]
    assert sorted((records[place] for place in (3, 0, 4, 2, 1)), key=urgency) == records


def test_outside_quiet_hours_a_record_has_its_usual_priority() -> None:
    assert AlarmRecord(replace(ALARM, priority="medium", lowered_from="high"), 0, 0.0).usual == "high"
    assert AlarmRecord(ALARM, 0, 0.0).usual == "high"
