"""The outbox within its bounds; what always holds is in test_outbox_laws.py."""

from __future__ import annotations

from device.alarms.journal.entries import Entry, Key, OwedRow
from device.daemon.delivery.outbox import OVERDUE_S, Outbox

NOBODY: frozenset[str] = frozenset()


def _entry(number: int, seq: int = 0, *, urgent: bool = False) -> Entry:
    return Entry(f"a{number}", seq, 1.0, urgent, "{}", "{}")


def _entries(first: int, last: int, *, urgent: bool = False) -> list[Entry]:
    return [_entry(number, urgent=urgent) for number in range(first, last)]


def _commit(outbox: Outbox) -> None:
    while entries := outbox.next_batch():
        outbox.commit({entry.key: outbox.newest + number for number, entry in enumerate(entries, start=1)})


def _offered(outbox: Outbox, at_s: float = 0.0, held: frozenset[Key] = frozenset()) -> list[str]:
    return [change.entry.alarm_id for change in outbox.to_offer(held, NOBODY, at_s)]


def test_what_the_disk_does_not_commit_in_time_is_offered_from_memory() -> None:
    outbox = Outbox(5)
    outbox.submit(_entries(0, 2), 10.0)
    assert _offered(outbox, 10.9) == []
    assert _offered(outbox, 10.0 + OVERDUE_S) == ["a0", "a1"]
    _commit(outbox)
    assert outbox.uncommitted == 0
    assert _offered(outbox) == ["a0", "a1"], "until it is acknowledged"


def test_a_batch_holds_fifty_and_stays_until_it_is_committed() -> None:
    outbox = Outbox(5)
    outbox.submit(_entries(0, 70), 0.0)
    outbox.submit(_entries(0, 3), 0.0)
    assert outbox.next_batch() == outbox.next_batch() == _entries(0, 50)
    outbox.commit({entry.key: number for number, entry in enumerate(_entries(0, 50), start=1)})
    assert outbox.next_batch() == _entries(50, 70)


def test_beyond_capacity_acknowledged_changes_go_first_then_those_not_urgent() -> None:
    outbox = Outbox(5, capacity=12)
    urgent = _entries(0, 6, urgent=True)
    outbox.submit(urgent, 0.0)
    outbox.submit(_entries(6, 12), 0.0)
    outbox.acknowledge(urgent[4].key)
    outbox.submit(_entries(12, 13), 0.0)
    assert outbox.lost == 0
    outbox.submit(_entries(13, 15), 0.0)
    assert outbox.lost == 2
    kept = [entry.alarm_id for entry in outbox.next_batch()]
    assert kept == ["a0", "a1", "a2", "a3", "a5", *(f"a{number}" for number in range(8, 15))]


def test_what_the_disk_was_given_is_never_dropped_since_it_may_be_there() -> None:
    outbox = Outbox(5, capacity=3)
    outbox.submit(_entries(0, 3), 0.0)
    batch = outbox.next_batch()
    outbox.acknowledge(("a0", 0))
    outbox.submit(_entries(3, 9), 0.0)
    assert list(outbox.next_batch()[:3]) == batch
    assert outbox.lost == 6


def test_memory_holds_twice_the_window_and_the_rest_is_read_when_half_of_it_is_free() -> None:
    outbox = Outbox(4)
    outbox.submit(_entries(0, 30), 0.0)
    _commit(outbox)
    assert len(_offered(outbox)) == 8
    assert outbox.owed == 30
    for number in range(5):
        outbox.acknowledge((f"a{number}", 0))
        assert not outbox.next_unread()
    outbox.acknowledge(("a5", 0))
    assert len(outbox.next_unread()) == 2


def test_what_is_new_and_urgent_is_offered_before_what_was_read() -> None:
    outbox = Outbox(4)
    outbox.load([OwedRow(ordinal, f"old{ordinal}", 0) for ordinal in range(1, 9)], 8)
    rows = outbox.next_unread()
    outbox.add_read(
        rows, {ordinal: Entry(alarm_id, 0, 0.0, urgent=True, alarm="", body="") for alarm_id, ordinal in rows}
    )
    outbox.submit([_entry(1), _entry(2, urgent=True)], 0.0)
    _commit(outbox)
    assert _offered(outbox) == ["a2", "a1", "old1", "old2", "old3", "old4"]


def test_acknowledged_ones_are_remembered_as_intervals_until_they_are_settled() -> None:
    outbox = Outbox(100)
    outbox.submit(_entries(0, 50), 0.0)
    _commit(outbox)
    for number in (*range(10, 20), 30):
        outbox.acknowledge((f"a{number}", 0))
    assert outbox.to_settle() == ((11, 20), (31, 31))
    outbox.load([OwedRow(number + 1, f"a{number}", 0) for number in range(50)], 50)
    assert outbox.owed == 39
    outbox.settle(outbox.to_settle())
    assert outbox.unsettled == 0


def test_without_a_broker_whatever_is_committed_is_owed_to_nobody() -> None:
    outbox = Outbox(0)
    outbox.submit(_entries(0, 3), 0.0)
    entries = outbox.next_batch()
    assert list(outbox.delivered_of(entries)) == [entry.key for entry in entries]
    outbox.commit({entry.key: number for number, entry in enumerate(entries, start=1)}, outbox.delivered_of(entries))
    assert (outbox.owed, outbox.unsettled, outbox.uncommitted) == (0, 0, 0)


def test_another_journal_goes_on_with_what_is_in_flight_and_settles_nothing_of_the_first() -> None:
    outbox = Outbox(5)
    outbox.submit(_entries(0, 3), 0.0)
    _commit(outbox)
    outbox.acknowledge(("a0", 0))
    outbox.submit(_entries(3, 4), 0.0)
    after = outbox.successor(has_disk=True, same_journal=False)
    after.load([], 0)
    assert _offered(after, OVERDUE_S) == ["a1", "a2", "a3"]
    after.acknowledge(("a1", 0))
    assert not after.to_settle()
    assert after.next_batch() == _entries(3, 4)


def test_a_journal_that_is_switched_off_leaves_what_waited_to_memory() -> None:
    outbox = Outbox(5)
    outbox.submit(_entries(0, 2), 0.0)
    outbox.acknowledge(("a0", 0))
    after = outbox.successor(has_disk=False, same_journal=False)
    assert (_offered(after), after.uncommitted) == (["a1"], 0)
