"""One story for each alarm, from its changes in the journal."""

from __future__ import annotations

import json
from typing import Any

from device.alarms.journal.entries import Entry
from device.web.night.alarm_stories import alarm_stories


def _entry(alarm_id: str, seq: int, utc_s: float, change: str, **members: Any) -> Entry:
    body = {"change": change, "kind": "sound", "name": "cry", "model": "cry", "priority": "high", **members}
    return Entry(alarm_id, seq, utc_s, urgent=True, alarm="{}", body=json.dumps(body))


def test_an_alarm_is_told_from_its_begin_to_its_end() -> None:
    (story,) = alarm_stories(
        [
            _entry("a", 0, 100.0, "raised", start_utc="1970-01-01T00:01:38.500Z", score=0.8, detail="3 of 4 windows"),
            _entry("a", 1, 110.0, "acknowledged", cause="acknowledged by anna (auricle-web)", acknowledged=True),
            _entry("a", 2, 130.0, "ended", end_utc="1970-01-01T00:02:05.000Z", cause="quiet", score=0.97),
        ]
    )
    assert (story.start_utc_s, story.end_utc_s, story.score) == (98.5, 125.0, 0.97)
    assert story.acknowledged == "acknowledged by anna (auricle-web)"
    assert [step.change for step in story.steps] == ["raised", "acknowledged", "ended"]
    assert not story.is_doubtful


def test_the_step_that_ends_a_sound_has_its_verdict() -> None:
    (story,) = alarm_stories(
        [_entry("a", 0, 100.0, "raised", verdict=None), _entry("a", 1, 130.0, "ended", cause="quiet", verdict="other")]
    )
    assert [step.verdict for step in story.steps] == ["", "other"]


def test_an_alarm_that_was_heard_again_goes_on() -> None:
    (story,) = alarm_stories(
        [
            _entry("a", 0, 100.0, "raised", priority="medium"),
            _entry("a", 1, 110.0, "ended"),
            _entry("a", 2, 120.0, "reopened", time_quality="stepped"),
        ]
    )
    assert story.end_utc_s is None
    assert story.priority == "high"
    assert story.is_doubtful


def test_a_latched_alarm_was_over_when_its_sound_was() -> None:
    (story,) = alarm_stories(
        [_entry("a", 0, 100.0, "raised"), _entry("a", 1, 110.0, "latched"), _entry("a", 2, 500.0, "ended")]
    )
    assert story.end_utc_s == 110.0
    assert story.acknowledged == ""


def test_what_another_version_wrote_breaks_no_story() -> None:
    entries = [
        Entry("a", 0, 1.0, urgent=True, alarm="", body="no json"),
        _entry("a", 1, 2.0, "new_change", score="high", start_utc=5, priority=["x"]),
    ]
    (story,) = alarm_stories(entries)
    assert (story.start_utc_s, story.score, story.priority, story.name) == (1.0, None, "low", "")
