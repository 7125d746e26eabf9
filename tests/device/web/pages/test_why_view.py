"""The page about a moment says what decided, in the time of the place, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from device.messages import Scores
from device.web.live.circumstances import CircumstanceRecord
from device.web.live.hindsight import Question
from device.web.live.score_ring import ScoreRing
from device.web.pages.rendering import rendered
from device.web.pages.why_view import address, exact_clock, local_moment, why_values
from tests.device.web.live.heard_night import HOP_S, NOON_S, window

BERLIN = ZoneInfo("Europe/Berlin")
SHARED = {"instance": "anna", "visitor": None, "version": "1", "is_open": True, "root": "./"}
HOSTILE = "<b>off</b>\u202e"


def _ring() -> ScoreRing:
    ring = ScoreRing()
    for number in range(1, 101):
        ring.add(NOON_S + number * HOP_S, [window(number, 0.25, rule=HOSTILE)], daemon=1)
    return ring


def _page(at_s: float) -> str:
    now_utc_s = NOON_S + 55.0
    found = Question(_ring(), CircumstanceRecord(), NOON_S + at_s, now_utc_s).answer()
    return rendered("why.html", **SHARED, **why_values(found, BERLIN, now_utc_s))


def test_each_window_stands_in_a_table_with_its_rule_and_nothing_of_it_is_markup() -> None:
    text = _page(20.2)
    assert text.count('<tr><th scope="row">') == 4
    assert "23:13:38.5 to 23:13:40.5" in text
    assert "&lt;b&gt;off&lt;/b&gt;" in text
    assert "\u202e" not in text
    assert "Cry: no alert" in text


def test_labels_that_nothing_is_decided_about_stand_in_one_table() -> None:
    ring = ScoreRing()
    first, second = window(4, 0.25), window(5, 0.25)
    scores = [Scores("cry", {"cry": 0.25, "dog": 0.875}, 0.5, 2.5)]
    ring.add(NOON_S + 2.0, [first], daemon=1)
    ring.add(NOON_S + 2.5, [replace(second, heard=replace(second.heard, scores=scores))], daemon=1)
    values = why_values(Question(ring, CircumstanceRecord(), NOON_S + 2.0, NOON_S + 9.0).answer(), BERLIN, NOON_S + 9.0)
    assert [label["title"] for label in values["labels"]] == ["Cry"]
    assert values["others"] == [("Dog", "cry", "0.875")]


def test_what_is_not_known_is_said_first() -> None:
    text = _page(-30.0)
    assert "Nothing is known of this moment: the page had just been started." in text
    assert "Nothing decided" not in text


def test_moments_near_it_are_a_link_away_but_for_those_to_come() -> None:
    text = _page(50.0)
    assert f'href="{address(NOON_S + 52.0)}">2 s later' in text
    assert "10 s later" not in text
    assert "10 s earlier" in text


def test_a_time_is_shown_and_entered_in_the_zone_of_the_place() -> None:
    assert exact_clock(NOON_S + 0.5, BERLIN) == "23:13:20.5"
    assert local_moment("2023-11-14T23:13:20", BERLIN) == NOON_S
    assert local_moment("2023-11-14T22:13:20Z", BERLIN) == NOON_S


@pytest.mark.parametrize("text", ["noon", "2023-13-01T00:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        local_moment(text, BERLIN)
