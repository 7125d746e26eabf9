"""The lines of a history, made from changes in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from device.alarms.journal.alarm_changes import AlarmChange
from device.alarms.journal.entries import Entry
from device.fault_info import WHY_LOST
from device.tools.history.history_lines import history_lines, local_time

NIGHT_S = datetime(2026, 11, 21, 1, 0, tzinfo=UTC).timestamp()


def _change(seq: int, at_s: float, *, delivered: bool = True, **body: Any) -> AlarmChange:
    return AlarmChange(Entry("a", seq, at_s, urgent=True, alarm="{}", body="{}"), body, delivered)


def _iso(utc_s: float) -> str:
    return datetime.fromtimestamp(utc_s, UTC).isoformat()


def test_no_change_is_one_sentence() -> None:
    assert list(history_lines([], None)) == ["nothing was alarmed about since then"]


def test_times_are_in_the_given_zone() -> None:
    assert local_time(NIGHT_S, ZoneInfo("Europe/Berlin")) == "2026-11-21 02:00:00"


def test_a_body_without_fields_is_still_one_line_that_goes_on() -> None:
    _, line = history_lines([_change(0, NIGHT_S)], UTC)
    assert line.startswith("2026-11-21 01:00:00  2026-11-21T01:00:00Z")
    assert line.endswith(", goes on")


def test_a_stepped_clock_is_named_rather_than_an_unsynchronized_one() -> None:
    changes = [
        _change(0, NIGHT_S, name="cry", time_quality="unsynchronized"),
        _change(1, NIGHT_S + 5, name="cry", time_quality="stepped", delivered=False),
    ]
    _, line = history_lines(changes, UTC)
    assert "acknowledgement not noted: 1 of 2 changes" in line
    assert line.endswith("the clock jumped meanwhile")


@pytest.mark.parametrize(("lasted_s", "text"), [(0.3, "less than 1 s"), (0.85, "1 s"), (1.95, "2 s")])
def test_a_short_cry_is_not_said_to_have_lasted_no_time(lasted_s: float, text: str) -> None:
    times: dict[str, Any] = {"start_utc": _iso(NIGHT_S), "end_utc": _iso(NIGHT_S + lasted_s)}
    changes = [
        _change(0, NIGHT_S + 1, change="raised", name="cry", state="active", **times),
        _change(1, NIGHT_S + 9, change="ended", name="cry", state="ended", cause="quiet", **times),
    ]
    _, line = history_lines(changes, UTC)
    assert f"cry, {text}, ended: quiet" in line


def test_an_alarm_that_was_latched_and_acknowledged_keeps_why_it_was_latched() -> None:
    changes = [
        _change(0, NIGHT_S, change="raised", name="cry", state="active"),
        _change(1, NIGHT_S + 20, change="latched", name="cry", state="latched", cause="gap"),
        _change(2, NIGHT_S + 90, change="acknowledged", name="cry", state="latched", cause="acknowledged by anna"),
        _change(3, NIGHT_S + 90, change="ended", name="cry", state="ended", cause="acknowledged by anna"),
    ]
    _, line = history_lines(changes, UTC)
    assert line.endswith(
        "cry, 20 s, then sound is missing; ended 1 min 10 s later: acknowledged by anna; "
        "acknowledged by anna after 1 min 30 s"
    )


@pytest.mark.parametrize("reason", WHY_LOST)
def test_why_an_alarm_was_latched_is_words_and_no_code(reason: str) -> None:
    """The history said `then no_audio`, which is what programs read."""
    changes = [
        _change(0, NIGHT_S, change="raised", name="cry", state="active"),
        _change(1, NIGHT_S + 20, change="latched", name="cry", state="latched", cause=reason),
    ]
    _, line = history_lines(changes, UTC)
    assert line.endswith(f"cry, 20 s, then {WHY_LOST[reason]}; nobody has acknowledged it")
    assert " " in WHY_LOST[reason]


def test_an_alarm_that_was_latched_and_began_again_is_told_as_it_went_on() -> None:
    changes = [
        _change(0, NIGHT_S, change="raised", name="cry", state="active"),
        _change(1, NIGHT_S + 20, change="latched", name="cry", state="latched", cause="gap"),
        _change(2, NIGHT_S + 30, change="reopened", name="cry", state="active", cause="heard"),
        _change(3, NIGHT_S + 50, change="ended", name="cry", state="ended", cause="quiet"),
    ]
    _, line = history_lines(changes, UTC)
    assert line.endswith("cry, 50 s, ended: quiet")


def test_the_verdict_is_that_of_the_newest_end() -> None:
    changes = [
        _change(0, NIGHT_S, change="raised", name="cry", state="active", verdict=None),
        _change(1, NIGHT_S + 20, change="latched", name="cry", state="latched", cause="gap", verdict="hungry"),
    ]
    _, line = history_lines(changes, UTC)
    assert line.endswith("cry, 20 s, then sound is missing; nobody has acknowledged it; verdict hungry")
    changes += [_change(2, NIGHT_S + 90, change="ended", name="cry", state="ended", cause="acknowledged by anna")]
    _, line = history_lines(changes, UTC)
    assert line.endswith("acknowledged by anna; verdict hungry")
    changes += [
        _change(3, NIGHT_S + 91, change="reopened", name="cry", state="active"),
        _change(4, NIGHT_S + 99, change="ended", name="cry", state="ended", cause="quiet", verdict=None),
    ]
    _, line = history_lines(changes, UTC)
    assert line.endswith("cry, 1 min 39 s, ended: quiet")


def test_how_long_a_sound_lasted_follows_from_when_it_ended_and_not_from_when_that_was_decided() -> None:
    start_utc, end_utc = "2026-11-21T00:59:58.000Z", "2026-11-21T01:00:12.000Z"
    changes = [
        _change(0, NIGHT_S, change="raised", name="cry", state="active", start_utc=start_utc),
        _change(1, NIGHT_S + 19, change="ended", name="cry", state="ended", cause="quiet", end_utc=end_utc),
    ]
    _, line = history_lines(changes, UTC)
    assert line.endswith("cry, 14 s, ended: quiet")
