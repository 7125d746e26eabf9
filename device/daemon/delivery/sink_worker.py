"""A thread and a bounded queue for each sink, so that the main loop never waits for a terminal or a disk.

Knows a sink by its Protocol alone. If the queue is full, the least important notice is dropped; drops and failures
are counted, and a sink that hangs can be detected from outside.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Protocol

from device.messages import Event, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.messages import Notice

CAPACITY = 1000


class Sink(Protocol):
    """Writes notices; may block. All calls come from one thread."""

    @property
    def failed(self) -> int:
        """Notices that could not be written when they came, since the start; from any thread."""

    def write(self, notice: Notice) -> None:
        """Write a notice."""

    def close(self) -> None:
        """Release what it holds; no more notices will come."""


class SinkWorker:
    """Writes notices to a sink, in order, from a thread of its own.

    The sink is closed by that thread, after the last notice. One that hangs is abandoned with its thread, which
    cannot keep the process alive.

    Args:
        name: of the sink, and of its thread.
        sink: used by nobody else from here on.
        capacity: notices that may wait.
        clock: monotonic, in seconds.
    """

    def __init__(
        self, name: str, sink: Sink, capacity: int = CAPACITY, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self._sink = sink
        self._capacity = capacity
        self._clock = clock
        self._waiting: deque[Notice] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._busy_since_s: float | None = None
        self._evicted = 0
        self._raised = 0
        self._thread = threading.Thread(target=self._deliver, name=f"deliver-{name}", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        state = "closed" if self._closing else "open"
        return f"SinkWorker({self.name!r}, {state}, {len(self._waiting)} wait, {self.dropped} dropped)"

    @property
    def dropped(self) -> int:
        """Notices that were not written, or not when they came, since the start."""
        return self._evicted + self._raised + self._sink.failed

    def write(self, notice: Notice) -> None:
        """Queue a notice; never waits for the sink. After `close` it is dropped."""
        with self._changed:
            if self._closing:
                self._evicted += 1
                return
            self._waiting.append(notice)
            if len(self._waiting) > self._capacity:
                self._evict()
            self._changed.notify()

    def stuck_for_s(self, now_s: float) -> float:
        """How long the sink has been busy with one notice; 0 if it is not."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else max(0.0, now_s - since_s)

    def close(self, deadline_s: float) -> bool:
        """Stop accepting; whether all that waits was written, and the sink closed, before the deadline."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def _evict(self) -> None:
        """Drop the oldest note; if there is none the oldest fault; an event only if there is nothing else."""
        del self._waiting[min(range(len(self._waiting)), key=lambda index: (_importance(self._waiting[index]), index))]
        self._evicted += 1

    def _deliver(self) -> None:
        while (notice := self._next()) is not None:
            self._guarded(partial(self._sink.write, notice))
        self._guarded(self._sink.close)

    def _next(self) -> Notice | None:
        """Wait for the oldest notice; None if there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return self._waiting.popleft() if self._waiting else None

    def _guarded(self, act: Callable[[], None]) -> None:
        """Count what the sink raises, so that an error ends neither the thread nor the notices behind."""
        self._busy_since_s = self._clock()
        try:
            act()
        except Exception:  # noqa: BLE001 - the last place where a sink's error can be caught; it is counted
            self._raised += 1
        finally:
            self._busy_since_s = None


def _importance(notice: Notice) -> int:
    if isinstance(notice.content, Event):
        return 2
    return 1 if isinstance(notice.content, Fault) else 0
