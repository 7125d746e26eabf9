"""The first screen says first whether it hears; nothing that is unknown looks well."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args
from zoneinfo import ZoneInfo

import pytest

from device.fault_info import DEAFENING, FAULTS
from device.messages import FaultKind
from device.runtime.daemon_state import FaultStatus
from device.web.live.moments import Moment
from device.web.pages.now_view import PageFacts, now_fragments, now_values

if TYPE_CHECKING:
    from device.runtime.daemon_state import DaemonState

NOW_UTC_S = 1795230847.0  # 2026-11-21T03:14:07Z
FACTS = PageFacts("anna", ZoneInfo("Europe/Berlin"), longest_pause_s=1800.0)


def _values(state: DaemonState | None, problem: str = "") -> dict[str, Any]:
    return now_values(Moment(1, NOW_UTC_S, state, problem), FACTS, NOW_UTC_S)


def test_one_that_is_well_hears_and_says_what_is_on_since_when(state: DaemonState) -> None:
    values = _values(state)
    assert (values["verdict"].hears, values["verdict"].title) == (True, "It hears")
    (alarm,) = values["alarms"]
    assert (alarm.title, alarm.when, alarm.priority) == ("Cry", "since 04:13, 1 min", "high")


def test_what_is_unknown_is_not_heard_and_not_quiet() -> None:
    values = _values(None, "the daemon does not answer within 1 s")
    assert not values["verdict"].hears
    assert values["verdict"].title == "Hears NOTHING, as far as is known"
    assert values["verdict"].why == "the daemon does not answer within 1 s"
    fragments = now_fragments(Moment(1, NOW_UTC_S, None, "x"), FACTS, NOW_UTC_S, may_command=True)
    assert "Nothing is on" not in fragments["alarms"]


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_every_fault_that_deafens_is_said_with_what_to_do(state: DaemonState, kind: FaultKind) -> None:
    deaf = replace(state, hearing=False, faults=(FaultStatus(kind, NOW_UTC_S - 185.0, "a figure"),))
    verdict = _values(deaf)["verdict"]
    assert not verdict.hears
    if kind in DEAFENING:
        assert verdict.title == "Hears NOTHING"
        assert verdict.why == f"{FAULTS[kind].words}, for 3 min 5 s: a figure"
        assert verdict.cure == FAULTS[kind].cure
    else:
        assert verdict.title == "Hears NOTHING yet"


def test_an_alarm_that_is_over_says_that_nobody_has_seen_it(state: DaemonState) -> None:
    latched = replace(state.alarms[0], state="latched")
    (alarm,) = _values(replace(state, alarms=(latched,)))["alarms"]
    assert alarm.when == "over, and nobody has seen it yet"


def test_a_technical_alarm_is_in_words_with_its_cure(state: DaemonState) -> None:
    technical = replace(state.alarms[0], kind="technical", name="broker", model="", priority="medium")
    (alarm,) = _values(replace(state, alarms=(technical,)))["alarms"]
    assert (alarm.title, alarm.cure) == ("The broker cannot be reached", FAULTS["broker"].cure)


def test_a_pause_says_until_when_and_too_long_ones_cannot_be_pressed(state: DaemonState) -> None:
    paused = replace(state, paused=True, paused_until_utc_s=NOW_UTC_S + 600.0)
    moment = Moment(1, NOW_UTC_S, paused)
    html = now_fragments(moment, FACTS, NOW_UTC_S, may_command=True)["signals"]
    assert "Paused until 04:24." in html
    assert "Resume" in html
    assert html.count("disabled") == 1
    assert "allows 30 min at most" in html
    viewer = now_fragments(moment, FACTS, NOW_UTC_S, may_command=False)
    assert "<button" not in "".join(viewer.values())


def test_a_journal_that_keeps_nothing_is_said_loudly(state: DaemonState) -> None:
    assert ("alarms are kept", "NO: the disk is full") in _values(replace(state, journal="the disk is full"))["facts"]


def test_parts_change_only_when_what_they_say_changes(state: DaemonState) -> None:
    before = now_fragments(Moment(1, NOW_UTC_S, state), FACTS, NOW_UTC_S, may_command=True)
    later = replace(state, uptime_s=3600.5, told_utc_s=state.told_utc_s + 0.5, windows_scored=9999, level_dbfs=-52.0)
    after = now_fragments(Moment(2, NOW_UTC_S + 0.5, later), FACTS, NOW_UTC_S + 0.5, may_command=True)
    assert before == after


def test_a_label_that_raises_no_alarms_is_said_beside_the_verdict_and_among_the_facts(state: DaemonState) -> None:
    (label, *others) = state.labels
    logged = replace(label, mode="log", mode_cause="hours")
    values = _values(replace(state, labels=(logged, *others)))
    assert "Cry is only logged, by the hour" in values["verdict"].why
    assert ("Cry", "is only logged, by the hour") in values["facts"]
