"""How many committed entries the journal may hand out at a time, and which go first. Knows no thread and no journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from device.alarms.journal.entries import Key

_MAX_RECENT = 64


class DeliveryWindow:
    """The entries in flight to the broker, bounded. Not thread-safe.

    New entries may go beyond a backlog that fills the window, up to twice its size.

    Args:
        size: entries that may be in flight. 0: nothing is handed out.

    Attributes:
        in_flight: keys that were handed out or published from memory, and are not confirmed.
    """

    def __init__(self, size: int) -> None:
        self.in_flight: set[Key] = set()
        self._size = size
        self._recent: dict[str, None] = {}  # alarms, the newest last
        self._fresh = 0
        self._may_have_more = True

    def __repr__(self) -> str:
        return f"DeliveryWindow({len(self.in_flight)} of {self._size})"

    @property
    def wants_more(self) -> bool:
        """Whether at least half of the window is free, and the journal may have something for it."""
        return self._may_have_more and 2 * len(self.in_flight) <= self._size > 0

    @property
    def recent_alarms(self) -> list[str]:
        """Ids of the alarms that changed last, the newest first: they are handed out before the backlog."""
        return list(reversed(self._recent))

    def add_committed(self, keys: Iterable[Key]) -> None:
        """Note entries that were just committed."""
        for alarm_id, _ in keys:
            self._fresh += 1
            self._recent.pop(alarm_id, None)
            self._recent[alarm_id] = None
        while len(self._recent) > _MAX_RECENT:
            del self._recent[next(iter(self._recent))]
        self._may_have_more = True

    def claim_room(self) -> int:
        """How many entries may be handed out now; 0 or less for none. The next claim has no fresh entries."""
        fresh, self._fresh = self._fresh, 0
        if not self._may_have_more:
            return 0
        held = len(self.in_flight)
        return max(self._size - held, min(fresh, 2 * self._size - held))

    def add_handed_out(self, keys: Iterable[Key], *, is_all: bool) -> None:
        """Note entries that were handed out.

        Args:
            keys: of them.
            is_all: the journal had no more.
        """
        self.in_flight.update(keys)
        self._may_have_more = not is_all

    def clear(self) -> None:
        """Nothing is in flight any more: a connection was lost, or a new one was made."""
        self.in_flight.clear()
        self._may_have_more = True
