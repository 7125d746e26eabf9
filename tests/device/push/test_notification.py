"""What a message says: read at night, on a locked phone, by somebody who was asleep."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

import pytest

from device.push.notification import MOST_LINES, Notification, notification_of
from device.push.owed.owed_ledger import Delivery
from tests.device.push.alarm_entries import UTC_S, change_of, entry

if TYPE_CHECKING:
    from device.push.owed.alarm_change import AlarmChange


def _message(*changes: AlarmChange, late_s: float = 0.0, receipts: dict[str, str] | None = None) -> Notification:
    delivery = Delivery("phone", changes, late_s, receipts or {})
    return notification_of(delivery, instance="anna", utc_s=UTC_S + 240.0, zone=UTC)


def _change(*arguments: Any, **members: Any) -> AlarmChange:
    return change_of(entry(*arguments, **members))


@pytest.mark.parametrize(
    ("change", "title", "text", "urgency"),
    [
        ("raised", "anna: cry", "02:14: score 0.91, 3 of 5 windows at 0.60 or above.", "high"),
        (
            "reopened",
            "anna: cry again",
            "02:14: score 0.91, 3 of 5 windows at 0.60 or above. It began at 02:14",
            "high",
        ),
        ("reminded", "anna: cry: nobody has acknowledged it", "02:14: why. It began at 02:14, 4 min 3 s ago.", "high"),
        ("latched", "anna: cry: not acknowledged yet", "02:14: why. It began at 02:14, 4 min 3 s ago.", "low"),
        ("acknowledged", "anna: cry: acknowledged", "02:14: why.", "quiet"),
        ("ended", "anna: cry: over", "02:14: why.", "quiet"),
    ],
)
def test_each_change_has_its_headline(change: Any, title: str, text: str, urgency: str) -> None:
    message = _message(_change(change=change, cause="why"))
    assert (message.title, message.urgency) == (title, urgency)
    assert message.text.startswith(text)
    assert bool(message.open_alarms) is (urgency != "quiet")


def test_a_fault_says_that_nothing_is_heard_and_what_to_do() -> None:
    message = _message(_change("b-silence-0", kind="technical", name="silence", priority="medium"))
    assert message.title == "anna: hears NOTHING: digital silence from the microphone"
    assert "What to do: check whether the microphone is muted" in message.text
    broker = _message(_change("b-broker-0", kind="technical", name="broker", priority="medium"))
    assert broker.title == "anna: the broker cannot be reached"
    newer = _message(_change("b-x-0", kind="technical", name="of_a_newer_daemon", priority="low"))
    assert newer.title == "anna: of_a_newer_daemon"


def test_a_message_that_comes_late_begins_with_that() -> None:
    assert _message(_change(), late_s=5.0).text.startswith("02:14")
    assert _message(_change(), late_s=725.0).text.startswith("LATE by 12 min 5 s. 02:14")


def test_a_summary_has_a_line_for_each_alarm_what_is_open_first() -> None:
    message = _message(
        _change("a"),
        _change("a", 1, "ended", cause="quiet", utc_s=UTC_S + 60.0),
        _change("b", name="wheeze", priority="medium"),
        late_s=900.0,
        receipts={"a": "r1", "b": "r2"},
    )
    assert message.title == "anna: 2 alarms, wheeze open"
    assert message.text == (
        "LATE by up to 15 min 0 s. What happened meanwhile:\n"
        "02:14 wheeze: OPEN, not acknowledged\n"
        "02:14 to 02:15 cry: quiet"
    )
    assert (message.urgency, message.obsolete) == ("medium", ("r1",))
    assert [alarm.alarm_id for alarm in message.open_alarms] == ["b"]


def test_a_summary_of_a_bad_night_is_cut_and_says_how_much_is_missing() -> None:
    message = _message(*(_change(f"a{number}", 1, "ended") for number in range(40)), late_s=9999.0)
    lines = message.text.splitlines()
    assert len(lines) == 1 + MOST_LINES + 1
    assert lines[-1] == f"and {40 - MOST_LINES} more"
    assert message.title == "anna: 40 alarms, nothing open"


def test_a_sentence_of_any_length_is_cut() -> None:
    assert len(_message(_change(change="ended", cause="x" * 5000)).text) < 400
