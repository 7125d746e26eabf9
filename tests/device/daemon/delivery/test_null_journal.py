"""Where no journal is wanted, all is told from memory at once."""

from __future__ import annotations

from device.alarms.journal.entries import Entry
from device.daemon.delivery.null_journal import Memory

ENTRY = Entry("a", 0, 1.0, urgent=True, alarm="{}", body="{}")


def test_what_is_submitted_is_overdue_at_once_and_once() -> None:
    memory = Memory()
    memory.submit([ENTRY])
    assert memory.waiting == 1
    assert memory.take_overdue(0.0) == [ENTRY]
    assert memory.take_overdue(0.0) == []
    assert (memory.waiting, memory.trouble(1e9), memory.stalled_s(1e9), memory.close(0.0)) == (0, None, 0.0, True)
