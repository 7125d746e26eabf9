"""The journal's thread: callers never wait, commits are reported, and what is overdue is published from memory."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from device.alarms.journal.store import Journal
from device.daemon.delivery.journal_messages import CommitReceipt, JournalOpened, JournalSalvaged, OwedEntries
from device.daemon.delivery.journal_writer import CONFIRM_S, JournalWriter
from device.daemon.delivery.pending_entries import OVERDUE_S
from tests.device.daemon.delivery.gated_disk import MAX_BYTES, SOON_S, Clock, Disk, Messages, make_entries, make_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from device.daemon.delivery.journal_messages import JournalMessage


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "journal.db")


@pytest.fixture
def messages() -> Messages:
    return Messages()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writer(disk: Disk, messages: Messages, clock: Clock) -> Iterator[JournalWriter]:
    """With room for twenty entries, ten of them in flight."""
    writer = JournalWriter(disk.open, messages.put, max_in_flight=10, notes=("paused_until",), capacity=20, clock=clock)
    messages.wait_for(lambda: messages.all)
    yield writer
    disk.gate.set()
    disk.refuses = False
    writer.close(SOON_S)


def _busy(writer: JournalWriter, now_s: Callable[[], float]) -> None:
    """Wait until its thread stands before the gate."""
    deadline_s = time.monotonic() + SOON_S
    while not writer._pending.batch:
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    assert writer.stalled_s(now_s()) >= 0.0


def test_a_receipt_comes_after_the_commit_and_in_order(writer: JournalWriter, disk: Disk, messages: Messages) -> None:
    writer.submit(make_entries(0, 3))
    writer.submit(make_entries(3, 6))
    messages.wait_for(lambda: len(messages.received) == 6)
    assert messages.received == make_entries(0, 6)
    assert writer.close(SOON_S)
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        assert list(journal.history(0.0)) == make_entries(0, 6)


def test_what_the_journal_knew_at_the_start_is_told_first(disk: Disk, messages: Messages) -> None:
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        journal.append([make_entry(1, 7)])
        journal.set_note("paused_until", "99")
        journal.set_note("other", "1")
    writer = JournalWriter(disk.open, messages.put, max_in_flight=10, notes=("paused_until", "none"))
    messages.wait_for(lambda: messages.owed)
    assert messages.all[0] == JournalOpened(
        ((make_entry(1).alarm, 7),), {"paused_until": "99"}, owed=1, pruned_undelivered=0
    )
    assert messages.owed == [1]
    assert writer.close(SOON_S)


def test_a_damaged_journal_is_told_once(disk: Disk, messages: Messages) -> None:
    disk.path.write_bytes(b"garbage")
    writer = JournalWriter(disk.open, messages.put, max_in_flight=10)
    writer.submit(make_entries(0, 1))
    messages.wait_for(lambda: messages.received)
    assert writer.close(SOON_S)
    assert sum(isinstance(message, JournalSalvaged) for message in messages.all) == 1


def test_submitting_never_waits_for_a_disk_that_stalls_and_what_is_overdue_is_taken_once(
    writer: JournalWriter, disk: Disk, messages: Messages, clock: Clock
) -> None:
    disk.gate.clear()
    writer.submit(make_entries(0, 1))
    _busy(writer, clock)
    writer.submit(make_entries(1, 3))
    assert not writer.collect_overdue(clock())
    assert writer.failure(clock()) is None
    clock.ahead_s = OVERDUE_S
    assert writer.collect_overdue(clock()) == make_entries(0, 3)
    assert not writer.collect_overdue(clock())
    assert writer.stalled_s(clock()) >= OVERDUE_S
    failure = writer.failure(clock())
    assert failure is not None
    assert "does not answer" in failure.reason
    disk.gate.set()
    messages.wait_for(lambda: len(messages.received) == 3)
    receipts = [message for message in messages.all if isinstance(message, CommitReceipt)]
    assert frozenset().union(*(message.overdue for message in receipts)) == {entry.key for entry in make_entries(0, 3)}


def test_what_was_told_from_memory_is_owed_until_it_is_confirmed_and_not_told_twice_before(
    writer: JournalWriter, disk: Disk, messages: Messages, clock: Clock
) -> None:
    disk.gate.clear()
    writer.submit(make_entries(0, 2))
    _busy(writer, clock)
    clock.ahead_s = OVERDUE_S
    assert len(writer.collect_overdue(clock())) == 2
    writer.confirm([make_entry(0).key])
    disk.gate.set()
    messages.wait_for(lambda: len(messages.received) == 2)
    writer.submit(make_entries(2, 3))
    messages.wait_for(lambda: messages.owed == [2])
    writer.redeliver_owed()
    messages.wait_for(lambda: sorted(messages.owed) == [1, 2, 2])
    assert writer.close(SOON_S)
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        assert {entry.alarm_id for entry in journal.owed(9)} == {make_entry(1).alarm_id, make_entry(2).alarm_id}


def test_a_refusal_is_trouble_until_it_ends_and_loses_nothing(
    writer: JournalWriter, disk: Disk, messages: Messages, clock: Clock
) -> None:
    disk.refuses = True
    writer.submit(make_entries(0, 5))
    _wait_until(lambda: writer.failure(clock()) is not None)
    failure = writer.failure(clock())
    assert failure is not None
    assert failure.reason == "the disk is full"
    writer.submit(make_entries(5, 8))
    clock.ahead_s = 2 * OVERDUE_S
    assert len(writer.collect_overdue(clock())) == 8
    again = writer.failure(clock())
    assert again is not None
    assert again.since_s == failure.since_s
    disk.refuses = False
    clock.ahead_s += 60.0
    writer.submit([])  # it wakes, and looks at the clock
    messages.wait_for(lambda: len(messages.received) == 8)
    _wait_until(lambda: writer.failure(clock()) is None)
    assert messages.received == make_entries(0, 8)
    assert writer.dropped == 0


def test_a_journal_that_cannot_be_opened_is_tried_again(disk: Disk, messages: Messages, clock: Clock) -> None:
    disk.is_missing = True
    writer = JournalWriter(disk.open, messages.put, max_in_flight=10, clock=clock)
    _wait_until(lambda: writer.failure(clock()) is not None)
    writer.submit(make_entries(0, 1))
    disk.is_missing = False
    clock.ahead_s = 60.0
    writer.submit([])
    messages.wait_for(lambda: messages.received)
    assert messages.opened().owed == 0
    assert writer.close(SOON_S)


def _wait_until(holds: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def test_beyond_its_room_what_a_broker_has_goes_first_then_what_is_not_urgent_and_only_the_untold_is_counted(
    writer: JournalWriter, disk: Disk, messages: Messages, clock: Clock
) -> None:
    disk.gate.clear()
    writer.submit(make_entries(0, 1))
    _busy(writer, clock)
    urgent = [make_entry(number, urgent=True) for number in range(1, 11)]
    writer.submit(urgent)
    writer.submit(make_entries(11, 21))
    assert writer.dropped == 0
    writer.confirm([urgent[4].key])
    writer.submit(make_entries(21, 22))
    assert writer.dropped == 0
    writer.submit(make_entries(22, 24))
    assert writer.dropped == 2
    assert writer.waiting == 21
    disk.gate.set()
    messages.wait_for(lambda: len(messages.received) == 21)
    kept = [int(entry.alarm_id.rsplit("-", 1)[1]) for entry in messages.received]
    assert kept == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, *range(13, 24)]


def test_no_more_is_on_its_way_than_was_asked_for_and_a_new_alarm_goes_beyond_that(
    disk: Disk, messages: Messages
) -> None:
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        journal.append(make_entries(0, 100))
    writer = JournalWriter(disk.open, messages.put, max_in_flight=10)
    messages.wait_for(lambda: len(messages.owed) == 10)
    assert messages.owed == list(range(10))
    writer.submit([make_entry(500)])
    messages.wait_for(lambda: len(messages.owed) == 11)
    assert messages.owed[-1] == 500
    writer.confirm([make_entry(500).key, *(entry.key for entry in make_entries(0, 5))])
    messages.wait_for(lambda: len(messages.owed) == 16)
    assert messages.owed[11:] == list(range(10, 15))
    assert writer.close(SOON_S)


def test_after_a_reconnect_what_is_new_comes_before_ten_thousand_that_are_old(disk: Disk, messages: Messages) -> None:
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        journal.append(make_entries(0, 10_000))
    writer = JournalWriter(disk.open, messages.put, max_in_flight=10)
    writer.submit([make_entry(20_000)])
    messages.wait_for(lambda: 20_000 in messages.owed)
    told_before = len(messages.owed)
    writer.redeliver_owed()
    messages.wait_for(lambda: len(messages.owed) > told_before)
    assert messages.owed[told_before] == 20_000
    assert writer.close(SOON_S)


def test_ten_thousand_that_are_owed_are_all_handed_out_once_as_they_are_confirmed(disk: Disk) -> None:
    count, handed_out = 10_000, list[str]()
    done = threading.Event()

    def receive(message: JournalMessage) -> None:
        if isinstance(message, OwedEntries):
            handed_out.extend(entry.alarm_id for entry in message.entries)
            emptied.confirm([entry.key for entry in message.entries])
            if len(handed_out) >= count:
                done.set()

    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        journal.append(make_entries(0, count))
    ready = threading.Event()

    def open_when_ready() -> Journal:
        assert ready.wait(SOON_S)
        return disk.open()

    emptied = JournalWriter(open_when_ready, receive, max_in_flight=20)
    ready.set()
    assert done.wait(3 * SOON_S)
    assert emptied.close(SOON_S)
    assert handed_out == [entry.alarm_id for entry in make_entries(0, count)]
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        assert journal.owed_count() == 0


def test_what_is_confirmed_is_written_with_the_next_entry_or_a_minute_later(
    writer: JournalWriter, disk: Disk, messages: Messages, clock: Clock
) -> None:
    writer.submit(make_entries(0, 1))
    messages.wait_for(lambda: messages.received)
    writer.confirm([make_entry(0).key])
    writer.submit(make_entries(1, 2))
    messages.wait_for(lambda: len(messages.received) == 2)
    assert disk.appended == 2
    writer.confirm([make_entry(1).key])
    clock.ahead_s = CONFIRM_S + 1.0
    writer.submit([])
    _wait_until(lambda: not writer._confirmed)
    writer.redeliver_owed()
    assert writer.close(SOON_S)
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        assert journal.owed_count() == 0


def test_notes_and_confirmations_are_kept_at_the_end(writer: JournalWriter, disk: Disk, messages: Messages) -> None:
    writer.submit(make_entries(0, 2))
    messages.wait_for(lambda: len(messages.received) == 2)
    writer.confirm([make_entry(0).key])
    writer.set_note("paused_until", "5")
    writer.set_note("paused_until", "6")
    assert writer.close(SOON_S)
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        assert journal.note("paused_until") == "6"
        assert journal.owed_count() == 1


def test_closing_gives_a_disk_that_hangs_up_at_its_deadline_and_says_so(
    writer: JournalWriter, disk: Disk, clock: Clock
) -> None:
    disk.gate.clear()
    writer.submit(make_entries(0, 1))
    _busy(writer, clock)
    assert not writer.close(0.05)
    disk.gate.set()
    assert writer.close(SOON_S)


def test_on_a_disk_that_takes_nothing_the_backlog_is_owed_even_so(disk: Disk, messages: Messages) -> None:
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        journal.append(make_entries(0, 100))
    disk.refuses = True
    writer = JournalWriter(disk.open, messages.put, max_in_flight=10)
    writer.submit([make_entry(500)])
    for first in range(0, 90, 10):
        messages.wait_for_owed(first + 10)
        writer.confirm([entry.key for entry in make_entries(first, first + 10)])
    assert messages.owed[:90] == list(range(90))
    assert not messages.received
    assert not writer.close(SOON_S)


def test_a_mistake_in_the_journal_ends_nothing_but_that_attempt(messages: Messages, disk: Disk, clock: Clock) -> None:
    attempts = 0

    def open_journal() -> Journal:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise ZeroDivisionError
        return disk.open()

    writer = JournalWriter(open_journal, messages.put, max_in_flight=10, clock=clock)
    _wait_until(lambda: writer.failure(clock()) is not None)
    clock.ahead_s = 60.0
    writer.submit(make_entries(0, 1))
    messages.wait_for(lambda: messages.received)
    assert writer.close(SOON_S)


def test_the_thread_has_a_name_and_cannot_keep_the_process(writer: JournalWriter) -> None:
    thread = next(thread for thread in threading.enumerate() if thread.name == "journal")
    assert thread.daemon
    assert "0 wait" in repr(writer)
