"""An alarm's change as it is kept, and read back whatever the disk made of it."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.daemon.alerting.alarm_json import entry_of, read_acknowledger, read_alarm
from device.messages import Alarm, AlarmKind, AlarmState, Priority, Transition

_NUMBER = st.floats(allow_nan=False, allow_infinity=False)
_PRIORITY = st.sampled_from(get_args(Priority))
_ALARMS = st.builds(
    Alarm,
    kind=st.sampled_from(get_args(AlarmKind)),
    state=st.sampled_from(get_args(AlarmState)),
    priority=_PRIORITY,
    score=st.none() | _NUMBER,
    lowered_from=st.none() | _PRIORITY,
)


@given(_ALARMS, st.integers(0, 10**6), st.none() | _NUMBER)
def test_an_alarm_survives_the_disk(alarm: Alarm, seq: int, start_utc_s: float | None) -> None:
    entry = entry_of(Transition(alarm, seq, "raised", "", 1.0), body="{}", start_utc_s=start_utc_s, decided_utc_s=7.0)
    back = read_alarm(entry.alarm, entry.seq)
    assert (back.alarm, back.seq, back.start_utc_s) == (alarm, seq, start_utc_s)
    assert entry.key == (alarm.alarm_id, seq)
    assert entry.ended == (alarm.state == "ended")
    assert entry.urgent == ("high" in {alarm.priority, alarm.lowered_from})


_TEXT = json.dumps(
    {
        "alarm_id": "s-cry-cry-0", "kind": "sound", "name": "cry", "model": "cry", "priority": "high",
        "state": "active", "acknowledged": False, "score": 0.9, "detail": "", "lowered_from": None, "start_utc_s": 1.0,
    }
)  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "smell"},
        {"priority": None},
        {"state": 1},
        {"score": "high"},
        {"acknowledged": 0},
        {"more": 1},
        {"name": 3},
    ],
)
def test_what_is_no_alarm_is_refused(changed: dict[str, object]) -> None:
    assert read_alarm(_TEXT, 3).alarm.name == "cry"
    with pytest.raises(ValueError, match="other members than an alarm"):
        read_alarm(json.dumps({**json.loads(_TEXT), **changed}), 3)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "3"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own sentence will do
        read_alarm(text, 0)


@pytest.mark.parametrize(
    ("body", "by"),
    [
        ('{"change":"acknowledged","cause":"acknowledged by Nora (mqtt)"}', "Nora (mqtt)"),
        ('{"change":"raised","cause":"begin"}', None),
        ('{"change":"acknowledged","cause":7}', None),
        ("[]", None),
        ("no JSON", None),
    ],
)
def test_who_acknowledged_is_read_from_what_was_published_of_that(body: str, by: str | None) -> None:
    assert read_acknowledger(body) == by
