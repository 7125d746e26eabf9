"""All that reaches the main loop comes through here, in the order in which it came, and never without bound.

Sound is bounded in seconds. A microphone never waits: what the loop could not take in time is dropped
as a whole, newest sound first heard again, counted, and a gap is marked. A recording that is played
waits instead, unless it was asked not to. Knows no listener.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from device.messages import AudioBlock, NoAudio

if TYPE_CHECKING:
    from collections.abc import Callable

AUDIO_LIMIT_S = 12.0
"""A disk that stalls for 5 s, or a model opened on a busy Pi, must lose no window."""


@dataclass(frozen=True, slots=True)
class SourceEnded:
    """The source gives nothing more: its recordings are over, or it failed, with the sentence that says how."""

    error: str | None = None


Item = AudioBlock | NoAudio | SourceEnded


class AudioQueue:
    """A bounded queue with one reader.

    Args:
        limit_s: seconds of sound that it holds at most.
    """

    def __init__(self, limit_s: float = AUDIO_LIMIT_S) -> None:
        self._limit_s = limit_s
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._held_s = 0.0
        self._dropped_s = 0.0
        self._gap_due = False
        self._closed = False
        self._woken = False

    def __repr__(self) -> str:
        return f"AudioQueue({self.backlog_s:.2f} s of sound wait, {self.dropped_s:.2f} s were dropped)"

    @property
    def backlog_s(self) -> float:
        """Seconds of sound that wait."""
        return self._held_s

    @property
    def dropped_s(self) -> float:
        """Seconds of sound that nobody could hear in time, since the start."""
        return self._dropped_s

    def close(self) -> None:
        """Whoever waits to put something goes on, and it is forgotten."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def put(self, item: Item) -> None:
        """Never waits; where there is no room, all the sound that waits is dropped."""
        with self._changed:
            if isinstance(item, AudioBlock) and self._held_s + _seconds(item) > self._limit_s:
                self._drop()
            self._append(item)

    def put_waiting(self, item: Item) -> None:
        """Waits for room; a block longer than the limit is let in alone."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room(item))
            if not self._closed:
                self._append(item)

    def wake(self) -> None:
        """Whoever waits for an item goes on without one; whoever comes next does not wait."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def get(self, timeout_s: float) -> Item | None:
        """The oldest item; None where nothing comes within the time, or somebody wakes the reader."""
        with self._changed:
            self._changed.wait_for(lambda: self._woken or bool(self._items), timeout_s)
            self._woken = False
            if not self._items:
                return None
            item = self._items.popleft()
            if isinstance(item, AudioBlock):
                self._held_s = max(0.0, self._held_s - _seconds(item)) if self._items else 0.0
            self._changed.notify_all()
            return item

    def _has_room(self, item: Item) -> bool:
        return not isinstance(item, AudioBlock) or not self._held_s or self._held_s + _seconds(item) <= self._limit_s

    def _append(self, item: Item) -> None:
        if isinstance(item, AudioBlock):
            if self._gap_due:
                item, self._gap_due = replace(item, after_gap=True), False
            self._held_s += _seconds(item)
        elif isinstance(item, NoAudio) and self._items and isinstance(self._items[-1], NoAudio):
            self._items.pop()  # the newer one says all that it said
        self._items.append(item)
        self._changed.notify_all()

    def _drop(self) -> None:
        self._gap_due = self._gap_due or self._held_s > 0
        self._dropped_s += self._held_s
        self._held_s = 0.0
        self._items = deque(item for item in self._items if isinstance(item, SourceEnded))


def _seconds(block: AudioBlock) -> float:
    return len(block.samples) / block.sample_rate_hz


def putter(queue: AudioQueue, *, waits: bool) -> Callable[[Item], None]:
    """How a source hands over: a microphone never waits, a recording does unless it may be shed."""
    return queue.put_waiting if waits else queue.put
