"""What a daemon heard in the last seconds, window by window: scores, the rule of each, events and faults; no sound.

The daemon keeps a few of these in memory and tells them beside its state, so that whoever asks twice a second misses no
window. They are numbered: a missing number is a window that was not told. What the schedule hides is not in them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from device.errors import ServiceError
from device.messages import Decision, Event, Fault, Heard, Scores
from device.runtime.daemon_state import object_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

KEPT_S = 4.0
"""Of the daemon's time: eight questions of a page."""

MOST_KEPT = 96
"""More are only made by a recording that is played faster than real time, or by a very small hop."""

_MOST_LISTED = 1000  # of one kind in one item that is read
_DIGITS_S, _DIGITS_SCORE = 4, 6


@dataclass(frozen=True, slots=True)
class HeardItem:
    """What one turn of the daemon heard.

    Attributes:
        number: counts the items of a daemon, from 1.
        stream: id of the stream; the times of one stream are never those of another.
        at_s: second of the stream that was captured then.
        at_utc_s: time of day then.
        speed: seconds of the stream in one second; 1 for a microphone.
        heard: the results, without what the schedule hides.
    """

    number: int
    stream: str
    at_s: float
    at_utc_s: float
    speed: float
    heard: Heard

    def utc_of(self, stream_s: float) -> float:
        """The time of day of a second of this stream."""
        return self.at_utc_s + (stream_s - self.at_s) / self.speed

    def stream_s_of(self, utc_s: float) -> float:
        """The second of this stream at a time of day."""
        return self.at_s + (utc_s - self.at_utc_s) * self.speed


class RecentHearing:
    """Keeps the newest items, for readers in any thread.

    Args:
        monotonic: seconds of a clock that does not jump.

    Attributes:
        items: oldest first; replaced as a whole, never changed.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.items: tuple[HeardItem, ...] = ()
        self._monotonic = monotonic
        self._added_s: tuple[float, ...] = ()
        self._number = 0

    def __repr__(self) -> str:
        return f"RecentHearing({len(self.items)} of {self._number})"

    def add(self, heard: Heard, *, stream: str, at_s: float, at_utc_s: float, speed: float) -> None:
        """Keep one result, unless nothing is in it, and forget old ones."""
        if not (heard.scores or heard.decisions or heard.events or heard.faults):
            return
        now_s = self._monotonic()
        self._number += 1
        added_s = (*self._added_s, now_s)[-MOST_KEPT:]
        old = sum(each < now_s - KEPT_S for each in added_s)
        item = HeardItem(self._number, stream, at_s, at_utc_s, speed, heard)
        self._added_s = added_s[old:]
        self.items = (*self.items, item)[-len(self._added_s) :]


# --- as JSON


def item_json(item: HeardItem) -> dict[str, Any]:
    """An item with short numbers: times to 0.1 ms, scores to 6 digits."""
    return {
        "number": item.number,
        "stream": item.stream,
        "at_s": round(item.at_s, _DIGITS_S),
        "at_utc_s": round(item.at_utc_s, _DIGITS_S),
        "speed": item.speed,
        "scores": [_scores_json(each) for each in item.heard.scores],
        "decisions": [_members(each) for each in item.heard.decisions],
        "events": [_members(each) for each in item.heard.events],
        "faults": [_members(each) for each in item.heard.faults],
    }


def item_of(value: Any) -> HeardItem:
    """The item that `item_json` wrote; the windows of an event are not in it.

    Raises:
        ServiceError: it is none.
    """
    if not isinstance(value, dict):
        raise ServiceError("what the daemon tells of a window is no object")
    told = object_of(value, _Told, "heard")
    heard = Heard(
        _listed(value, "scores", Scores),
        _listed(value, "decisions", Decision),
        _listed(value, "events", Event),
        _listed(value, "faults", Fault),
    )
    if told.speed <= 0:
        raise ServiceError(f"what the daemon tells of a window has the speed {told.speed:g}")
    return HeardItem(told.number, told.stream, told.at_s, told.at_utc_s, told.speed, heard)


def items_of(values: Any, after: int = 0) -> tuple[HeardItem, ...]:
    """Items as they stand beside the state of a daemon, but those up to a number; none of a daemon that tells none.

    Raises:
        ServiceError: one of them is none.
    """
    if values is None:
        return ()
    if not isinstance(values, list):
        raise ServiceError("what the daemon tells of its windows is no list")
    return tuple(item_of(value) for value in values[-MOST_KEPT:] if not _is_known(value, after))


def _is_known(value: Any, after: int) -> bool:
    number = value.get("number") if isinstance(value, dict) else None
    return isinstance(number, int) and number <= after


@dataclass(frozen=True, slots=True)
class _Told:
    number: int
    stream: str
    at_s: float
    at_utc_s: float
    speed: float


def _listed(value: Mapping[str, Any], name: str, kind: type[Any]) -> list[Any]:
    found = value.get(name, [])
    if not isinstance(found, list) or len(found) > _MOST_LISTED:
        raise ServiceError(f"what the daemon tells of a window has no list {name}")
    return [object_of(each, kind, f"heard.{name}") for each in found]


def _scores_json(scores: Scores) -> dict[str, Any]:
    probabilities = {label: round(float(score), _DIGITS_SCORE) for label, score in scores.probabilities.items()}
    return {**_members(scores, skipped=("probabilities",)), "probabilities": probabilities}


def _members(message: Scores | Decision | Event | Fault, skipped: Iterable[str] = ("windows",)) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name in (field.name for field in fields(message) if field.name not in skipped):
        value = getattr(message, name)
        digits = _DIGITS_S if name.endswith("_s") else _DIGITS_SCORE
        members[name] = round(float(value), digits) if isinstance(value, float) else value
    return members
