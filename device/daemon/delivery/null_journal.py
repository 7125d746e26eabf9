"""The journal of a daemon without one: it stores nothing, so that every entry is published from memory at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.alarms.journal.entries import Entry, Key
    from device.daemon.delivery.journal_messages import JournalFailure
    from device.daemon.delivery.outbox import Change, Outbox
    from device.sinks.mqtt.send_queue import Held


class NullJournal:
    """A journal that stores nothing, as configured; it never fails.

    Args:
        outbox: without a disk.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def __repr__(self) -> str:
        return f"NullJournal({self._outbox!r})"

    @property
    def lost(self) -> int:
        """Entries for which there was no room in memory, since the start."""
        return self._outbox.lost

    @property
    def waiting(self) -> int:
        """0: there is no disk to wait for."""
        return self._outbox.uncommitted

    @property
    def owed(self) -> int:
        """Entries that the broker has not acknowledged."""
        return self._outbox.owed

    def submit(self, entries: Sequence[Entry]) -> None:
        """Queue entries."""
        self._outbox.submit(entries, 0.0)

    def to_offer(self, held: Held, overdue_at_s: float) -> Sequence[Change]:
        """What the broker may be offered now."""
        return self._outbox.to_offer(held.keys, held.denied, overdue_at_s)

    def acknowledge(self, key: Key) -> Entry | None:
        """Forget an entry that the broker has; returns it, or None if it was not owed."""
        return self._outbox.acknowledge(key)

    def resize(self, window: int) -> None:
        """0 if there is no broker any more."""
        self._outbox.resize(window)

    def take_outbox(self) -> Outbox:
        """The outbox, for another journal."""
        return self._outbox

    def set_note(self, key: str, value: str) -> None:
        """Nothing is stored."""

    def failure(self, now_s: float) -> JournalFailure | None:  # noqa: ARG002 - as of any journal
        """None: it does what was configured."""
        return None

    def stalled_s(self, now_s: float) -> float:  # noqa: ARG002 - as of any journal
        """0: there is no disk."""
        return 0.0

    def close(self, deadline_s: float) -> bool:  # noqa: ARG002 - as of any journal
        """Nothing to do."""
        return True
