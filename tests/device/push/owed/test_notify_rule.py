"""Which alarms somebody is notified of: by priority, label and kind of fault, quiet hours included."""

from __future__ import annotations

from typing import Any

import pytest

from device.config.push.notify_settings import NotifySettings
from device.push.owed.daemon_absence import ABSENT_AFTER_S, DaemonAbsence
from device.push.owed.notify_rule import NotifyRule
from tests.device.push.alarm_entries import UTC_S, change_of, entry


def _matches(settings: NotifySettings, **members: Any) -> bool:
    return NotifyRule(settings).matches(change_of(entry(**members)))


@pytest.mark.parametrize(
    ("settings", "members", "expected"),
    [
        ({}, {}, True),
        ({}, {"priority": "low"}, False),
        ({"priorities": ("high",)}, {"priority": "medium"}, False),  # a cry in quiet hours
        ({"labels": ("cry",)}, {"name": "cry"}, True),
        ({"labels": ("cry",)}, {"name": "wheeze"}, False),
        ({"labels": ()}, {}, False),
        ({"labels": ()}, {"kind": "technical", "name": "silence", "priority": "medium"}, True),
        ({"faults": ("silence",)}, {"kind": "technical", "name": "silence", "priority": "medium"}, True),
        ({"faults": ("silence",)}, {"kind": "technical", "name": "broker", "priority": "medium"}, False),
        ({"faults": ()}, {"kind": "technical", "name": "silence", "priority": "medium"}, False),
        ({"faults": ()}, {}, True),
    ],
)
def test_a_rule_matches(settings: dict[str, Any], members: dict[str, Any], *, expected: bool) -> None:
    assert _matches(NotifySettings(**settings), **members) is expected


def test_whoever_gets_any_fault_gets_that_of_a_daemon_that_does_not_answer() -> None:
    absence = DaemonAbsence("", 0.0)
    assert absence.update(answers=True, now_s=10.0, utc_s=UTC_S) is None
    assert absence.update(answers=False, now_s=10.0 + ABSENT_AFTER_S - 1.0, utc_s=UTC_S) is None
    begin = absence.update(answers=False, now_s=10.0 + ABSENT_AFTER_S, utc_s=UTC_S)
    assert begin is not None
    assert absence.update(answers=False, now_s=500.0, utc_s=UTC_S) is None
    wanted = [NotifyRule(NotifySettings(faults=faults)).matches(begin) for faults in (None, ("silence",), ())]
    assert wanted == [True, True, False]
    end = absence.update(answers=True, now_s=501.0, utc_s=UTC_S + 400.0)
    assert end is not None
    assert (end.alarm_id, end.seq, end.state) == (begin.alarm_id, 1, "ended")
