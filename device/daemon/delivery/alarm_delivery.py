"""From decided entries to confirmed ones: the main loop's side of the journal and of the broker.

Each entry goes to the journal. Once it is committed, or once the disk has taken longer than a second, it is offered
to the broker; once the broker has acknowledged it, the journal owes it no longer. Nothing here waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.alarms.journal.entries import Entry, Key
    from device.daemon.delivery.channels import Channels
    from device.daemon.delivery.journal_messages import CommitReceipt, OwedEntries


class AlarmDelivery:
    """Moves entries between journal and broker, and counts those that are owed.

    Args:
        channels: journal, broker and alarm publisher; the last two may be None.

    Attributes:
        channels: replaced by a reload.
    """

    def __init__(self, channels: Channels) -> None:
        self.channels = channels
        self._owed = 0

    def __repr__(self) -> str:
        return f"AlarmDelivery({self._owed} owed)"

    @property
    def owed(self) -> int | None:
        """Entries that the broker has not acknowledged; None if no broker is configured."""
        return None if self.channels.broker is None else self._owed

    def submit(self, entries: Sequence[Entry], now_s: float) -> None:
        """Hand over entries that were decided now."""
        if self.channels.alarm_publisher is not None:
            self.channels.alarm_publisher.record_decided([entry.key for entry in entries], now_s)
        self._owed += len(entries)
        self.channels.journal.submit(entries)

    # --- replies of journal and broker

    def count_opened(self, owed: int, *, after_restart: bool) -> None:
        """Count what a journal that was just opened owes.

        Args:
            owed: by the journal.
            after_restart: entries decided so far are not in it yet; a journal reopened by a reload holds them all.
        """
        self._owed = owed + (self._owed if after_restart else 0)

    def process_receipt(self, receipt: CommitReceipt) -> None:
        """Mark committed entries as durable; without a broker they are confirmed at once."""
        keys = [entry.key for entry in receipt.entries]
        if self.channels.alarm_publisher is not None:
            self.channels.alarm_publisher.mark_durable(keys)
        else:
            self.channels.journal.confirm(keys)  # nobody else is to receive them
            self._owed = 0

    def add_owed(self, owed: OwedEntries) -> int:
        """Queue entries that the journal owes; the number of those that no topic can be derived from.

        Such entries, written by another version, are confirmed and forgotten.
        """
        if self.channels.alarm_publisher is None:
            return 0
        malformed = self.channels.alarm_publisher.add_owed(owed.entries)
        if malformed:
            self.channels.journal.confirm(malformed)
            self._owed = max(0, self._owed - len(malformed))
        return len(malformed)

    def process_acknowledged(self, key: Key) -> None:
        """Confirm an entry that the broker has acknowledged."""
        self._owed = max(0, self._owed - 1)
        if self.channels.alarm_publisher is not None:
            self.channels.alarm_publisher.mark_acknowledged(key)
        self.channels.journal.confirm([key])

    # --- publishing

    def publish(self, now_s: float, *, overdue_at_s: float) -> None:
        """Offer the broker what is owed, and from memory what the disk has not committed in time.

        Args:
            now_s: monotonic.
            overdue_at_s: time by which entries are judged overdue; infinite if there is no time left to wait.
        """
        channels = self.channels
        overdue = channels.journal.collect_overdue(overdue_at_s)
        if channels.broker is None or channels.alarm_publisher is None:
            self._owed = 0
            return
        if overdue:
            channels.alarm_publisher.add_from_memory(overdue)
        if channels.alarm_publisher.detect_reconnect(channels.broker):
            channels.journal.redeliver_owed()
        channels.alarm_publisher.offer(channels.broker, now_s)

    def is_settled(self, now_s: float) -> bool:
        """Whether all is committed and acknowledged that can be at present."""
        channels = self.channels
        if channels.journal.waiting and channels.journal.failure(now_s) is None:
            return False
        if channels.broker is None or channels.alarm_publisher is None:
            return True
        return not channels.broker.link.is_up or not channels.alarm_publisher.waiting
