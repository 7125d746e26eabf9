"""When subscriptions are given back because somebody floods their topics, and when they are made again. Pure.

A broker holds a limited number of packets for a client. Where a flood fills that queue, mosquitto drops whatever comes
next, the acknowledgement of an alarm included. Only the broker can end that: without a subscription nothing fills the
queue.
"""

from __future__ import annotations

from typing import Literal

PAUSE_S = 10.0
"""Without subscriptions. Then they are made again: a flood that goes on costs the broker's queue some milliseconds."""

Step = Literal["unsubscribe", "subscribe"]


class FloodBreaker:
    """Follows how many messages were dropped unread, over one connection after the other.

    Attributes:
        new: messages that were dropped since the last step but one.
    """

    def __init__(self) -> None:
        self.new = 0
        self._dropped = 0
        self._was_unsubscribed = False  # over this connection
        self._until_s: float | None = None

    def __repr__(self) -> str:
        return f"FloodBreaker(until {self._until_s})"

    @property
    def is_open(self) -> bool:
        """Whether nothing that others publish is to be subscribed to."""
        return self._until_s is not None

    def connection_opened(self) -> None:
        """Messages are counted from 0 again."""
        self._dropped, self._was_unsubscribed = 0, False

    def step(self, dropped: int, now_s: float) -> Step | None:
        """What is to be done now.

        Args:
            dropped: messages that came faster than they are read, over this connection so far.
            now_s: monotonic.
        """
        self.new, self._dropped = dropped - self._dropped, dropped
        if self.new and not self._was_unsubscribed:
            self._until_s, self._was_unsubscribed = now_s + PAUSE_S, True
            return "unsubscribe"
        if self._until_s is not None and now_s >= self._until_s:
            self._until_s, self._was_unsubscribed = None, False
            return "subscribe"
        return None
