"""The bounded queue between a source's thread and the main loop.

Its bound is in seconds of audio. A microphone never waits: if the queue is full, all queued audio is dropped and
counted, and the next block is marked as following a gap. The playback of a recording waits for room instead, unless
it sheds load too. Knows no listener.
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
"""A disk that stalls for 5 s, or a model that is opened on a busy Pi, must lose no window."""


@dataclass(frozen=True, slots=True)
class SourceEnded:
    """The source has ended.

    Attributes:
        error: one sentence if it failed; None if its recordings are over.
    """

    error: str | None = None


Item = AudioBlock | NoAudio | SourceEnded


class AudioQueue:
    """A bounded queue with one reader.

    Args:
        limit_s: the most seconds of audio that it holds.
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
        """Seconds of queued audio."""
        return self._held_s

    @property
    def dropped_s(self) -> float:
        """Seconds of audio dropped since the start."""
        return self._dropped_s

    def close(self) -> None:
        """Wake a blocked `put_waiting` and discard its item."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def put(self, item: Item) -> None:
        """Add an item without waiting; if there is no room, all queued audio is dropped first."""
        with self._changed:
            if isinstance(item, AudioBlock) and self._held_s + _seconds(item) > self._limit_s:
                self._drop()
            self._append(item)

    def put_waiting(self, item: Item) -> None:
        """Add an item, waiting for room; a block longer than the limit is accepted by an empty queue."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room(item))
            if not self._closed:
                self._append(item)

    def wake(self) -> None:
        """Make the current `get` return at once, or the next one if none is waiting; from any thread."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def get(self, timeout_s: float) -> Item | None:
        """The oldest item; None if none arrives within the time, or on `wake`."""
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
            self._items.pop()  # the newer one supersedes it
        self._items.append(item)
        self._changed.notify_all()

    def _drop(self) -> None:
        self._gap_due = self._gap_due or self._held_s > 0
        self._dropped_s += self._held_s
        self._held_s = 0.0
        self._items = deque(item for item in self._items if isinstance(item, SourceEnded))


def _seconds(block: AudioBlock) -> float:
    return len(block.samples) / block.sample_rate_hz


def put_method(queue: AudioQueue, *, waits: bool) -> Callable[[Item], None]:
    """How a source adds items: a microphone never waits; a recording does, unless it sheds load."""
    return queue.put_waiting if waits else queue.put
