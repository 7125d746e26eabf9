"""The page of a night, from noon to noon: when there was hearing, what was on, and who asked for what. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from device.daytime import noon_of
from device.fault_info import FAULTS, WHY_LOST
from device.quantity import quantity
from device.runtime.verdict import lasted_text, span_text
from device.web.pages.now_view import clock_text, label_text
from device.web.pages.why_view import address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    from device.alarms.journal.command_notes import CommandNote
    from device.web.night.alarm_stories import AlarmStory, StoryStep
    from device.web.night.clip_files import ClipFile
    from device.web.night.happenings import Happened
    from device.web.night.hearing_record import HearingSpan

WIDTH = 960.0
"""Of the picture, in its own units: noon to noon."""

_LEAST_WIDTH = 3.0
_TICKS = 8
_CLIP_SLACK_S = 10.0
_CHANGES = {
    "raised": "raised",
    "reopened": "heard again",
    "priority": "another priority",
    "latched": "over, waits to be acknowledged",
    "acknowledged": "acknowledged",
    "reminded": "reminded",
    "ended": "ended",
}


@dataclass(frozen=True, slots=True)
class Night:
    """A stretch from noon to noon.

    Attributes:
        day: at whose noon it begins.
        from_utc_s: that noon.
        until_utc_s: the next one.
    """

    day: date
    from_utc_s: float
    until_utc_s: float

    @classmethod
    def of(cls, day: date, zone: tzinfo | None) -> Night:
        """The night that begins at the noon of a day."""
        return cls(day, noon_of(day, zone), noon_of(day + timedelta(days=1), zone))

    @classmethod
    def at(cls, utc_s: float, zone: tzinfo | None) -> Night:
        """The night that a moment belongs to."""
        local = datetime.fromtimestamp(utc_s, UTC).astimezone(zone)
        return cls.of(local.date() if local.hour >= 12 else local.date() - timedelta(days=1), zone)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the picture: where, how wide, and of which kind."""

    x: float
    width: float
    kind: str


def night_values(
    night: Night, happened: Happened, hearing: Sequence[HearingSpan], *, zone: tzinfo | None, now_utc_s: float
) -> dict[str, Any]:
    """The values of the template of a night.

    Args:
        night: from noon to noon.
        happened: in it.
        hearing: minutes by their hearing.
        zone: of the times that are shown; None for the machine's own.
        now_utc_s: now; the picture ends there.
    """
    known = [span for span in hearing if span.from_utc_s < now_utc_s]
    next_day = night.day + timedelta(days=1)
    return {
        "title": f"{night.day:%A %-d %B} to {next_day:%A %-d %B}",
        "short": f"{night.day:%a %-d} to {next_day:%a %-d %b}",
        "from_utc_s": night.from_utc_s,
        "until_utc_s": night.until_utc_s,
        "before": (night.day - timedelta(days=1)).isoformat(),
        "after": next_day.isoformat() if night.until_utc_s <= now_utc_s else "",
        "summary": _summary(happened, known),
        "hearing": [_hearing_bar(night, span, now_utc_s) for span in known],
        "sounds": [_bar(night, story, now_utc_s) for story in happened.stories if story.kind == "sound"],
        "faults": [_bar(night, story, now_utc_s) for story in happened.stories if story.kind == "technical"],
        "ticks": [(WIDTH * hour / 24, f"{(12 + hour) % 24:02}") for hour in range(0, 24, 24 // _TICKS)],
        "now": _x(night, now_utc_s) if night.from_utc_s < now_utc_s < night.until_utc_s else None,
        "width": WIDTH,
        "alarms": [_alarm(story, happened.clips, zone, now_utc_s) for story in reversed(happened.stories)],
        "commands": [_command(note, zone) for note in reversed(happened.commands)],
        "problem": happened.problem,
    }


def _summary(happened: Happened, hearing: Sequence[HearingSpan]) -> str:
    sounds = sum(story.kind == "sound" for story in happened.stories)
    alarms = f"{quantity(sounds, 'sound alarm')}, {quantity(len(happened.stories) - sounds, 'fault')}."
    followed = [span for span in hearing if span.share is not None]
    if not followed:
        return f"{alarms} This page did not follow the hearing then."
    followed_s = sum(span.until_utc_s - span.from_utc_s for span in followed)
    heard_s = sum((span.until_utc_s - span.from_utc_s) * (span.share or 0.0) for span in followed)
    return f"{alarms} It heard for {_hours(heard_s)} of the {_hours(followed_s)} that this page followed."


def _hours(seconds: float) -> str:
    return span_text(60 * round(seconds / 60)).removesuffix(" 0 s") if seconds >= 60 else "0 min"


def _alarm(story: AlarmStory, clips: Sequence[ClipFile], zone: tzinfo | None, now_utc_s: float) -> dict[str, Any]:
    is_sound = story.kind == "sound"
    end_utc_s = now_utc_s if story.end_utc_s is None else story.end_utc_s
    lasted = lasted_text(end_utc_s - story.start_utc_s)
    info = next((info for kind, info in FAULTS.items() if kind == story.name), None)
    title = label_text(story.name) if is_sound or info is None else info.words[:1].upper() + info.words[1:]
    return {
        "title": title,
        "at": clock_text(story.start_utc_s, zone),
        "why": address(story.start_utc_s),
        "lasted": f"goes on, {lasted} so far" if story.end_utc_s is None else lasted,
        "priority": story.priority,
        "seen": _without_process(story.acknowledged),
        "score": None if story.score is None else f"{story.score:.2f}",
        "model": story.model,
        "detail": story.detail,
        "cure": "" if is_sound or info is None else info.cure,
        "is_doubtful": story.is_doubtful,
        "steps": list(_steps(story.steps, zone)),
        "clips": [clip for clip in clips if is_sound and _belongs(clip, story, end_utc_s)],
    }


def _command(note: CommandNote, zone: tzinfo | None) -> tuple[str, str, str, bool]:
    return clock_text(note.utc_s, zone), _without_process(note.by), note.sentence, note.done


def _steps(steps: Sequence[StoryStep], zone: tzinfo | None) -> Iterator[tuple[str, str]]:
    for step in steps:
        words = _CHANGES.get(step.change, step.change)
        cause = "" if step.change == "raised" or not step.cause else f": {WHY_LOST.get(step.cause, step.cause)}"
        if step.change == "acknowledged" and step.cause.startswith("acknowledged"):
            words, cause = _without_process(step.cause), ""
        verdict = f"; verdict {step.verdict}" if step.verdict else ""
        yield _time_text(step.utc_s, zone), f"{words}{cause}{verdict}"


def _without_process(text: str) -> str:
    """`anna (auricle-web)` -> `anna`: whom the process asked for is what people want to read."""
    return text.rpartition(" (")[0] if text.endswith(")") and " (" in text else text


def _belongs(clip: ClipFile, story: AlarmStory, end_utc_s: float) -> bool:
    return clip.label == story.name and story.start_utc_s - 1.0 <= clip.utc_s <= end_utc_s + _CLIP_SLACK_S


def _bar(night: Night, story: AlarmStory, now_utc_s: float) -> Bar:
    begin = _x(night, story.start_utc_s)
    end = _x(night, now_utc_s if story.end_utc_s is None else story.end_utc_s)
    return Bar(round(begin, 1), round(max(_LEAST_WIDTH, end - begin), 1), story.priority)


def _hearing_bar(night: Night, span: HearingSpan, now_utc_s: float) -> Bar:
    begin, end = _x(night, span.from_utc_s), _x(night, min(span.until_utc_s, now_utc_s))
    kind = "unknown" if span.share is None else "heard" if span.share > 0.98 else "partly" if span.share > 0 else "deaf"
    return Bar(round(begin, 1), round(end - begin, 1), kind)


def _x(night: Night, utc_s: float) -> float:
    share = (utc_s - night.from_utc_s) / (night.until_utc_s - night.from_utc_s)
    return WIDTH * min(1.0, max(0.0, share))


def _time_text(utc_s: float, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(utc_s, UTC).astimezone(zone).strftime("%H:%M:%S")
