"""Entries wait in order, are committed in batches, and go in the order of their importance where room ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from device.alarms.journal.entries import Entry
from device.daemon.delivery.pending_entries import OVERDUE_S, PendingEntries


def _entry(number: int, *, urgent: bool = False) -> Entry:
    return Entry(f"a{number}", 0, 1.0, urgent, "{}", "{}")


def _entries(count: int) -> list[Entry]:
    return [_entry(number) for number in range(count)]


@given(st.integers(0, 130))
def test_batches_hold_every_entry_once_in_arrival_order(count: int) -> None:
    pending = PendingEntries(1000)
    pending.add(_entries(count), 0.0, ())
    committed: list[Entry] = []
    while pending.pop_batch():
        entries, overdue = pending.finish_batch()
        committed += entries
        assert not overdue
    assert committed == _entries(count)
    assert len(pending) == 0


def test_a_batch_that_failed_is_first_again_and_no_key_is_queued_twice() -> None:
    pending = PendingEntries(1000)
    pending.add(_entries(1), 0.0, ())
    assert pending.pop_batch()
    pending.add(_entries(2), 0.0, ())
    pending.requeue_batch()
    assert pending.pop_batch()
    assert pending.batch == _entries(2)


def test_overdue_entries_are_returned_once_and_named_in_the_receipt() -> None:
    pending = PendingEntries(1000)
    pending.add(_entries(2), 0.0, ())
    assert pending.pop_batch()
    pending.add([_entry(2)], OVERDUE_S, ())
    assert pending.collect_overdue(OVERDUE_S) == _entries(2)
    assert pending.collect_overdue(OVERDUE_S) == []
    assert pending.finish_batch()[1] == {("a0", 0), ("a1", 0)}
    assert len(pending) == 1


def test_beyond_capacity_confirmed_entries_go_first_then_those_not_urgent() -> None:
    pending = PendingEntries(2)
    pending.add([_entry(0, urgent=True), _entry(1), _entry(2)], 0.0, {("a2", 0)})
    assert pending.dropped == 0
    pending.add([_entry(3, urgent=True)], 0.0, ())
    assert pending.dropped == 1
    assert pending.pop_batch()
    assert [entry.alarm_id for entry in pending.batch] == ["a0", "a3"]
