"""The changes of alarms, as the journal holds them, told as one story for each alarm. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from device.alarms.journal.alarm_changes import body_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from device.alarms.journal.entries import Entry

_BEGINS = {"raised", "reopened"}
_OVER = {"latched", "ended"}


@dataclass(frozen=True, slots=True)
class StoryStep:
    """One change.

    Attributes:
        utc_s: when it was decided.
        change: raised, reopened, priority, latched, acknowledged, reminded or ended.
        cause: why, in one sentence.
        priority: after it.
        verdict: what a model said the sound was, where it ended; empty if none did.
    """

    utc_s: float
    change: str
    cause: str
    priority: str
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class AlarmStory:
    """One alarm from its begin to its end, as far as it has got.

    Attributes:
        alarm_id: of it.
        kind: sound or technical.
        name: the label, or the fault's kind.
        model: that detected it; empty for none.
        priority: the highest that it had.
        start_utc_s: when its cause began.
        end_utc_s: when its cause was over; None while it goes on.
        score: the highest; None for a fault.
        detail: the rule that decided, or the measured value.
        acknowledged: why it counts as seen, such as `acknowledged by anna`; empty if nobody has seen it.
        is_doubtful: the clock was not synchronized, or it jumped meanwhile.
        steps: its changes, in their order.
    """

    alarm_id: str
    kind: str
    name: str
    model: str
    priority: str
    start_utc_s: float
    end_utc_s: float | None
    score: float | None
    detail: str
    acknowledged: str
    is_doubtful: bool
    steps: tuple[StoryStep, ...]


def alarm_stories(entries: Iterable[Entry]) -> list[AlarmStory]:
    """One story for each alarm, in the order in which they began."""
    changes: dict[str, list[tuple[Entry, Mapping[str, Any]]]] = {}
    for entry in entries:
        changes.setdefault(entry.alarm_id, []).append((entry, body_of(entry)))
    return sorted((_story(of_alarm) for of_alarm in changes.values()), key=lambda story: story.start_utc_s)


def _story(changes: Sequence[tuple[Entry, Mapping[str, Any]]]) -> AlarmStory:
    bodies = [body for _, body in changes]
    first, last = bodies[0], bodies[-1]
    steps = tuple(_step(entry, body) for entry, body in changes)
    scores = [float(body["score"]) for body in bodies if type(body.get("score")) in {int, float}]
    causes = [step.cause for step in steps if step.change == "acknowledged"]
    return AlarmStory(
        alarm_id=changes[0][0].alarm_id,
        kind="technical" if first.get("kind") == "technical" else "sound",
        name=_text(first, "name"),
        model=_text(first, "model"),
        priority=_highest(step.priority for step in steps),
        start_utc_s=_seconds(first.get("start_utc")) or changes[0][0].utc_s,
        end_utc_s=_end_utc_s(changes),
        score=max(scores, default=None),
        detail=_text(first, "detail"),
        acknowledged=causes[-1] if causes else "acknowledged" if last.get("acknowledged") is True else "",
        is_doubtful=any(body.get("time_quality") in {"unsynchronized", "stepped"} for body in bodies),
        steps=steps,
    )


def _step(entry: Entry, body: Mapping[str, Any]) -> StoryStep:
    change, cause, priority, verdict = (_text(body, name) for name in ("change", "cause", "priority", "verdict"))
    return StoryStep(entry.utc_s, change, cause, priority, verdict)


def _end_utc_s(changes: Sequence[tuple[Entry, Mapping[str, Any]]]) -> float | None:
    """When the cause was over for good; None while it goes on."""
    end: float | None = None
    for entry, body in changes:
        if body.get("change") in _BEGINS:
            end = None
        elif body.get("change") in _OVER and end is None:
            end = _seconds(body.get("end_utc")) or entry.utc_s
    return end


def _highest(priorities: Iterable[str]) -> str:
    seen = set(priorities)
    return next((priority for priority in ("high", "medium") if priority in seen), "low")


def _seconds(text: object) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
    except ValueError:
        return None


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""
