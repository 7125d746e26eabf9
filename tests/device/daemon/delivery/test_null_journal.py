"""Without a journal every entry is published from memory at once."""

from __future__ import annotations

from device.alarms.journal.entries import Entry
from device.daemon.delivery.null_journal import NullJournal

ENTRY = Entry("a", 0, 1.0, urgent=True, alarm="{}", body="{}")


def test_what_is_submitted_is_overdue_at_once_and_once() -> None:
    journal = NullJournal()
    journal.submit([ENTRY])
    assert journal.waiting == 1
    assert journal.collect_overdue(0.0) == [ENTRY]
    assert journal.collect_overdue(0.0) == []
    assert (journal.waiting, journal.failure(1e9), journal.stalled_s(1e9), journal.close(0.0)) == (0, None, 0.0, True)
