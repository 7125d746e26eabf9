"""Entries that wait for the disk: bounded, in arrival order, committed in batches. Knows no thread and no journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from device.alarms.journal.entries import Entry, Key

OVERDUE_S = 1.0
"""An entry that the disk has not committed after this time is published from memory."""

_BATCH_SIZE = 50


@dataclass(slots=True)
class _Pending:
    entry: Entry
    since_s: float
    is_overdue: bool = False


class PendingEntries:
    """Entries without a receipt: those that are queued, and the batch that is being committed. Not thread-safe.

    Args:
        capacity: entries that may be queued. Beyond that the confirmed ones go first, then those that are not urgent.

    Attributes:
        dropped: entries that were neither committed nor confirmed, for want of room.
    """

    def __init__(self, capacity: int) -> None:
        self.dropped = 0
        self._capacity = capacity
        self._queued: dict[Key, _Pending] = {}
        self._batch: dict[Key, _Pending] = {}

    def __repr__(self) -> str:
        return f"PendingEntries({len(self._queued)} queued, {len(self._batch)} in the batch, {self.dropped} dropped)"

    def __len__(self) -> int:
        return len(self._queued) + len(self._batch)

    @property
    def has_queued(self) -> bool:
        """Whether an entry waits for a batch."""
        return bool(self._queued)

    @property
    def batch(self) -> list[Entry]:
        """The entries that are being committed."""
        return [pending.entry for pending in self._batch.values()]

    def is_queued(self, key: Key) -> bool:
        """Whether the entry of this key waits for a batch."""
        return key in self._queued

    def add(self, entries: Iterable[Entry], now_s: float, confirmed: Collection[Key]) -> None:
        """Queue entries; a key that is pending already is left alone.

        Args:
            entries: in arrival order.
            now_s: monotonic.
            confirmed: keys that are no loss if they are dropped.
        """
        for entry in entries:
            if entry.key not in self._queued and entry.key not in self._batch:
                self._queued[entry.key] = _Pending(entry, now_s)
        while len(self._queued) > self._capacity:
            self._drop_one(confirmed)

    def pop_batch(self) -> bool:
        """Move the oldest queued entries to the batch; False if there are none."""
        keys = list(self._queued)[:_BATCH_SIZE]
        self._batch = {key: self._queued.pop(key) for key in keys}
        return bool(keys)

    def finish_batch(self) -> tuple[tuple[Entry, ...], frozenset[Key]]:
        """The batch is committed: its entries, and the keys of those that were collected as overdue."""
        batch, self._batch = self._batch, {}
        overdue = frozenset(key for key, pending in batch.items() if pending.is_overdue)
        return tuple(pending.entry for pending in batch.values()), overdue

    def requeue_batch(self) -> None:
        """The batch could not be committed: its entries are the oldest of the queue again."""
        self._queued = {**self._batch, **self._queued}
        self._batch = {}

    def collect_overdue(self, now_s: float) -> list[Entry]:
        """Entries that have been pending for longer than `OVERDUE_S`; each is returned once, and stays pending."""
        late = [
            pending
            for pending in (*self._batch.values(), *self._queued.values())
            if not pending.is_overdue and now_s - pending.since_s >= OVERDUE_S
        ]
        for pending in late:
            pending.is_overdue = True
        return [pending.entry for pending in late]

    def _drop_one(self, confirmed: Collection[Key]) -> None:
        """Drop the oldest confirmed entry, else the oldest that is not urgent, else the oldest."""

        def worth(key: Key) -> int:
            return 0 if key in confirmed else 2 if self._queued[key].entry.urgent else 1

        key = min(self._queued, key=worth)  # the first, that is the oldest, among equals
        if key not in confirmed:
            self.dropped += 1
        del self._queued[key]
