"""The page of a night: from noon to noon of its zone, also where the clocks change; what is unknown stays empty."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from device.alarms.journal.command_notes import CommandNote
from device.web.night.alarm_stories import AlarmStory, StoryStep
from device.web.night.clip_files import ClipFile
from device.web.night.happenings import Happened
from device.web.night.hearing_record import HearingSpan
from device.web.pages.night_view import WIDTH, Night, night_values

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Night.of(date(2026, 11, 20), BERLIN)
AT = NIGHT.from_utc_s + 6 * 3600.0  # 18:00


def _story(**changes: object) -> AlarmStory:
    seen = StoryStep(AT + 9, "acknowledged", "acknowledged by anna (w)", "high")
    steps = (StoryStep(AT, "raised", "rule", "high"), seen)
    values = {
        "alarm_id": "a", "kind": "sound", "name": "cry", "model": "cry", "priority": "high", "start_utc_s": AT,
        "end_utc_s": AT + 1800.0, "score": 0.97, "detail": "rule", "acknowledged": "acknowledged by anna (w)",
        "is_doubtful": False, "steps": steps,
    }  # fmt: skip
    return AlarmStory(**{**values, **changes})  # type: ignore[arg-type]


def test_a_moment_belongs_to_the_night_of_its_noon() -> None:
    assert Night.at(NIGHT.from_utc_s, BERLIN) == NIGHT
    assert Night.at(NIGHT.until_utc_s - 1, BERLIN) == NIGHT
    assert Night.at(NIGHT.until_utc_s, BERLIN).day == date(2026, 11, 21)


def test_a_night_in_which_the_clocks_change_has_23_or_25_hours() -> None:
    spring, autumn = Night.of(date(2026, 3, 28), BERLIN), Night.of(date(2026, 10, 24), BERLIN)
    assert (spring.until_utc_s - spring.from_utc_s) / 3600 == 23
    assert (autumn.until_utc_s - autumn.from_utc_s) / 3600 == 25


def test_alarms_are_placed_told_and_have_their_clips() -> None:
    ours, other = ClipFile("a", "cry", AT + 2, has_picture=True), ClipFile("b", "scream", AT + 2, has_picture=True)
    later = ClipFile("c", "cry", AT + 3600, has_picture=False)
    happened = Happened([_story()], [CommandNote(1, AT, "anna (w)", "pause", True, "paused")], [ours, other, later])
    values = night_values(NIGHT, happened, [], zone=BERLIN, now_utc_s=NIGHT.until_utc_s + 1)
    (bar,) = values["sounds"]
    assert (bar.x, bar.width, bar.kind) == (WIDTH / 4, WIDTH / 48, "high")
    (alarm,) = values["alarms"]
    assert (alarm["title"], alarm["at"], alarm["lasted"]) == ("Cry", "18:00", "30 min 0 s")
    assert alarm["seen"] == "acknowledged by anna"
    assert alarm["clips"] == [ours]
    assert alarm["steps"] == [("18:00:00", "raised"), ("18:00:09", "acknowledged by anna")]
    assert values["commands"] == [("18:00", "anna", "paused", True)]
    assert values["after"] == "2026-11-21"


@pytest.mark.parametrize(
    ("lasted_s", "text"), [(0.3, "less than 1 s"), (0.85, "1 s"), (1.95, "2 s"), (59.6, "1 min 0 s")]
)
def test_a_short_cry_is_not_said_to_have_lasted_no_time(lasted_s: float, text: str) -> None:
    happened = Happened([_story(end_utc_s=AT + lasted_s)], [], [])
    values = night_values(NIGHT, happened, [], zone=BERLIN, now_utc_s=NIGHT.until_utc_s)
    assert values["alarms"][0]["lasted"] == text


def test_the_step_that_ends_a_sound_tells_its_verdict() -> None:
    steps = (StoryStep(AT, "raised", "rule", "high"), StoryStep(AT + 9, "ended", "quiet", "high", "hungry"))
    values = night_values(NIGHT, Happened([_story(steps=steps)], [], []), [], zone=BERLIN, now_utc_s=AT + 60)
    assert values["alarms"][0]["steps"][-1][1].endswith(": quiet; verdict hungry")


def test_a_step_says_why_a_sound_was_followed_no_more_in_words() -> None:
    steps = (StoryStep(AT, "raised", "rule", "high"), StoryStep(AT + 9, "latched", "no_audio", "high"))
    values = night_values(NIGHT, Happened([_story(steps=steps)], [], []), [], zone=BERLIN, now_utc_s=AT + 60)
    assert values["alarms"][0]["steps"][-1][1].endswith(": no sound comes")


def test_an_alarm_that_goes_on_reaches_to_now_and_a_short_one_can_be_seen() -> None:
    happened = Happened([_story(end_utc_s=None), _story(kind="technical", name="broker", end_utc_s=AT + 1)], [], [])
    values = night_values(NIGHT, happened, [], zone=BERLIN, now_utc_s=AT + 3600.0)
    assert values["sounds"][0].width == WIDTH / 24
    assert values["faults"][0].width == 3.0
    assert values["alarms"][1]["lasted"] == "goes on, 1 h 0 min so far"
    assert values["alarms"][0]["title"] == "The broker cannot be reached"
    assert values["after"] == ""


def test_hearing_is_never_claimed_for_minutes_that_nobody_followed() -> None:
    stretches = ((0, 3600, 1.0), (3600, 3660, 0.5), (3660, 7200, None))
    hearing = [HearingSpan(AT + begin_s, AT + end_s, share) for begin_s, end_s, share in stretches]
    values = night_values(NIGHT, Happened([], [], []), hearing, zone=BERLIN, now_utc_s=NIGHT.until_utc_s)
    assert [bar.kind for bar in values["hearing"]] == ["heard", "partly", "unknown"]
    assert values["summary"] == (
        "0 sound alarms, 0 faults. It heard for 1 h 0 min of the 1 h 1 min that this page followed."
    )
    nothing = night_values(NIGHT, Happened([], [], []), hearing[2:], zone=BERLIN, now_utc_s=NIGHT.until_utc_s)
    assert nothing["summary"].endswith("This page did not follow the hearing then.")
