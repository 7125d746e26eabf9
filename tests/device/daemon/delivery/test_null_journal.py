"""Without a journal every entry is published from memory at once."""

from __future__ import annotations

from device.alarms.journal.entries import Entry
from device.daemon.delivery.null_journal import NullJournal
from device.daemon.delivery.outbox import Outbox
from device.sinks.mqtt.send_queue import Held

ENTRY = Entry("a", 0, 1.0, urgent=True, alarm="{}", body="{}")


def test_what_is_submitted_is_offered_at_once_and_until_it_is_acknowledged() -> None:
    journal = NullJournal(Outbox(20, has_disk=False))
    journal.submit([ENTRY])
    for _ in range(2):
        (change,) = journal.to_offer(Held(), 0.0)
        assert (change.entry, change.is_committed) == (ENTRY, False)
    assert journal.owed == 1
    journal.acknowledge(ENTRY.key)
    assert journal.to_offer(Held(), 0.0) == []
    assert (journal.owed, journal.waiting, journal.lost) == (0, 0, 0)
    assert (journal.failure(1e9), journal.stalled_s(1e9), journal.close(0.0)) == (None, 0.0, True)


def test_without_journal_and_broker_nothing_piles_up() -> None:
    journal = NullJournal(Outbox(0, has_disk=False))
    journal.submit([ENTRY])
    assert (journal.owed, journal.waiting, journal.lost) == (0, 0, 0)
