"""From decided entries to acknowledged ones: the main loop's side of the journal and of the broker.

Each entry goes to the journal, whose outbox knows what becomes of it. Once it is committed, or once the disk has taken
longer than a second, it is offered to the broker; once the broker has acknowledged it, the journal owes it no longer.
Nothing here waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.sinks.mqtt.send_queue import Held
from device.sinks.payloads import is_late

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.alarms.journal.entries import Entry, Key
    from device.daemon.delivery.channels import Channels


class AlarmDelivery:
    """Moves entries between outbox and broker.

    Args:
        channels: journal, broker and alarm publisher; the last two may be None.

    Attributes:
        channels: replaced by a reload.
        delivered: entries that the broker has acknowledged.
        delivered_late: of these, the ones that were late, or for which no clock can say whether they were.
    """

    def __init__(self, channels: Channels) -> None:
        self.channels = channels
        self.delivered = self.delivered_late = 0
        self._held = Held()

    def __repr__(self) -> str:
        return f"AlarmDelivery({self.channels.journal!r})"

    @property
    def owed(self) -> int | None:
        """Entries that the broker has not acknowledged; None if no broker is configured."""
        return None if self.channels.broker is None else self.channels.journal.owed

    def submit(self, entries: Sequence[Entry], now_s: float) -> None:
        """Hand over entries that were decided now."""
        if self.channels.alarm_publisher is not None:
            self.channels.alarm_publisher.record_decided([entry.key for entry in entries], now_s)
        self.channels.journal.submit(entries)

    def observe(self) -> None:
        """Ask the broker what it holds; to be called before its replies are processed.

        What it holds no more by then was acknowledged, and that reply is there already, or it is to be offered again.
        """
        if self.channels.broker is not None:
            self._held = self.channels.broker.held

    def process_acknowledged(self, key: Key) -> None:
        """The broker has an entry."""
        entry, publisher = self.channels.journal.acknowledge(key), self.channels.alarm_publisher
        if entry is None or publisher is None:
            return
        self.delivered += 1
        self.delivered_late += is_late(publisher.age_s(entry))

    def publish(self, *, overdue_at_s: float) -> int:
        """Offer the broker what is owed, and from memory what the disk has not committed in time.

        Returns the number of entries that no topic can be derived from; they are forgotten.

        Args:
            overdue_at_s: time by which entries are judged overdue; infinite if there is no time left to wait.
        """
        channels = self.channels
        if channels.broker is None or channels.alarm_publisher is None or not channels.broker.room:
            return 0
        changes = channels.journal.to_offer(self._held, overdue_at_s)
        malformed = channels.alarm_publisher.offer(channels.broker, changes, self._held.generation)
        for key in malformed:
            channels.journal.acknowledge(key)
        return len(malformed)

    def is_settled(self, now_s: float) -> bool:
        """Whether all is committed and acknowledged that can be at present."""
        channels = self.channels
        if channels.journal.waiting and channels.journal.failure(now_s) is None:
            return False
        if channels.broker is None or channels.alarm_publisher is None:
            return True
        return not channels.broker.link.is_up or not channels.journal.owed
