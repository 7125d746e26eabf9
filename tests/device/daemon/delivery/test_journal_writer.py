"""The journal's thread: callers never wait, commits are reported, and what is overdue is published from memory."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from device.alarms.journal.store import Journal
from device.daemon.delivery.journal_messages import JournalOpened, JournalSalvaged
from device.daemon.delivery.journal_writer import SETTLE_S, JournalWriter
from device.daemon.delivery.outbox import OVERDUE_S, Outbox
from device.sinks.mqtt.send_queue import Held
from tests.device.alarms.journal.journal_files import owed_entries
from tests.device.daemon.delivery.gated_disk import MAX_BYTES, SOON_S, Clock, Disk, Messages, make_entries, make_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


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
    """With room for twenty entries, ten of them for the broker."""
    outbox = Outbox(10, capacity=20)
    writer = JournalWriter(disk.open, messages.put, outbox=outbox, notes=("paused_until",), clock=clock)
    messages.wait_for(lambda: messages.all)
    yield writer
    disk.gate.set()
    disk.refuses = False
    writer.close(SOON_S)


def _busy(disk: Disk) -> None:
    """Wait until the writer's thread stands before the gate."""
    deadline_s = time.monotonic() + SOON_S
    while not disk.waiting:
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def _offered(writer: JournalWriter, now_s: float = 0.0) -> list[int]:
    """Numbers of the alarms that a broker would be offered now."""
    return [int(change.entry.alarm_id.rsplit("-", 1)[1]) for change in writer.to_offer(Held(), now_s)]


def _drain(writer: JournalWriter, count: int) -> list[int]:
    """Acknowledge what is offered until so many were; their numbers, in order."""
    drained: list[int] = []
    deadline_s = time.monotonic() + 3 * SOON_S
    while len(drained) < count:
        assert time.monotonic() < deadline_s, drained
        for change in writer.to_offer(Held(), 0.0):
            drained.append(int(change.entry.alarm_id.rsplit("-", 1)[1]))
            writer.acknowledge(change.entry.key)
        time.sleep(0.0005)
    return drained


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
    writer = JournalWriter(disk.open, messages.put, outbox=Outbox(10), notes=("paused_until", "none"))
    _wait_until(lambda: _offered(writer))
    assert messages.all[0] == JournalOpened(((make_entry(1).alarm, 7),), {"paused_until": "99"}, pruned_undelivered=0)
    assert (_offered(writer), writer.owed) == ([1], 1)
    assert writer.close(SOON_S)


def test_a_damaged_journal_is_told_once(disk: Disk, messages: Messages) -> None:
    disk.path.write_bytes(b"garbage")
    writer = JournalWriter(disk.open, messages.put, outbox=Outbox(10))
    writer.submit(make_entries(0, 1))
    messages.wait_for(lambda: messages.received)
    assert writer.close(SOON_S)
    assert sum(isinstance(message, JournalSalvaged) for message in messages.all) == 1


def test_submitting_never_waits_for_a_disk_that_stalls_and_what_is_overdue_is_offered(
    writer: JournalWriter, disk: Disk, messages: Messages, clock: Clock
) -> None:
    disk.gate.clear()
    writer.submit(make_entries(0, 1))
    _busy(disk)
    writer.submit(make_entries(1, 3))
    assert not _offered(writer, clock())
    assert writer.failure(clock()) is None
    clock.ahead_s = OVERDUE_S
    assert _offered(writer, clock()) == [0, 1, 2]
    assert writer.stalled_s(clock()) >= OVERDUE_S
    failure = writer.failure(clock())
    assert failure is not None
    assert "does not answer" in failure.reason
    for entry in make_entries(0, 3):
        writer.acknowledge(entry.key)
    disk.gate.set()
    messages.wait_for(lambda: len(messages.received) == 3)
    assert not _offered(writer, clock())
    assert writer.close(SOON_S)
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        assert journal.owed_count() == 0


def test_what_was_told_from_memory_is_owed_until_it_is_acknowledged(
    writer: JournalWriter, disk: Disk, messages: Messages, clock: Clock
) -> None:
    disk.gate.clear()
    writer.submit(make_entries(0, 2))
    _busy(disk)
    clock.ahead_s = OVERDUE_S
    assert _offered(writer, clock()) == [0, 1]
    writer.acknowledge(make_entry(0).key)
    disk.gate.set()
    messages.wait_for(lambda: len(messages.received) == 2)
    writer.submit(make_entries(2, 3))
    messages.wait_for(lambda: len(messages.received) == 3)
    assert _offered(writer) == [1, 2]
    assert writer.close(SOON_S)
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        assert {entry.alarm_id for entry in owed_entries(journal)} == {make_entry(1).alarm_id, make_entry(2).alarm_id}


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
    assert len(_offered(writer, clock())) == 8
    again = writer.failure(clock())
    assert again is not None
    assert again.since_s == failure.since_s
    disk.refuses = False
    clock.ahead_s += 60.0
    writer.submit([])  # it wakes, and looks at the clock
    messages.wait_for(lambda: len(messages.received) == 8)
    _wait_until(lambda: writer.failure(clock()) is None)
    assert messages.received == make_entries(0, 8)
    assert writer.lost == 0


def test_a_journal_that_cannot_be_opened_is_tried_again(disk: Disk, messages: Messages, clock: Clock) -> None:
    disk.is_missing = True
    writer = JournalWriter(disk.open, messages.put, outbox=Outbox(10), clock=clock)
    _wait_until(lambda: writer.failure(clock()) is not None)
    writer.submit(make_entries(0, 1))
    disk.is_missing = False
    clock.ahead_s = 60.0
    writer.submit([])
    messages.wait_for(lambda: messages.received)
    assert messages.opened().open_alarms == ()
    assert writer.close(SOON_S)


def _wait_until(holds: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def test_beyond_its_room_what_a_broker_has_goes_first_then_what_is_not_urgent_and_only_the_untold_is_counted(
    writer: JournalWriter, disk: Disk, messages: Messages
) -> None:
    disk.gate.clear()
    writer.submit(make_entries(0, 1))
    _busy(disk)
    urgent = [make_entry(number, urgent=True) for number in range(1, 11)]
    writer.submit(urgent)
    writer.submit(make_entries(11, 20))
    assert writer.lost == 0
    writer.acknowledge(urgent[4].key)
    writer.submit(make_entries(21, 22))
    assert writer.lost == 0
    writer.submit(make_entries(22, 24))
    assert writer.lost == 2
    assert writer.waiting == 20
    disk.gate.set()
    messages.wait_for(lambda: len(messages.received) == 20)
    kept = [int(entry.alarm_id.rsplit("-", 1)[1]) for entry in messages.received]
    assert kept == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, *range(13, 20), 21, 22, 23]


def test_no_more_is_in_memory_than_was_asked_for_and_a_new_alarm_goes_beyond_that(
    disk: Disk, messages: Messages
) -> None:
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        journal.append(make_entries(0, 100))
    writer = JournalWriter(disk.open, messages.put, outbox=Outbox(10))
    _wait_until(lambda: len(_offered(writer)) == 10)
    assert _offered(writer) == list(range(10))
    writer.submit([make_entry(500)])
    _wait_until(lambda: len(_offered(writer)) == 11)
    assert _offered(writer)[0] == 500
    for entry in (make_entry(500), *make_entries(0, 5)):
        writer.acknowledge(entry.key)
    _wait_until(lambda: len(_offered(writer)) == 10)
    assert _offered(writer) == list(range(5, 15))
    assert writer.owed == 95
    assert writer.close(SOON_S)


def test_what_is_new_comes_before_ten_thousand_that_are_old(disk: Disk, messages: Messages) -> None:
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        journal.append(make_entries(0, 10_000))
    writer = JournalWriter(disk.open, messages.put, outbox=Outbox(10))
    writer.submit([make_entry(20_000)])
    messages.wait_for(lambda: messages.received)
    assert _offered(writer)[0] == 20_000
    assert writer.close(SOON_S)


def test_ten_thousand_that_are_owed_are_all_handed_out_once_as_they_are_acknowledged(
    disk: Disk, messages: Messages
) -> None:
    count = 10_000
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        journal.append(make_entries(0, count))
    writer = JournalWriter(disk.open, messages.put, outbox=Outbox(20))
    assert _drain(writer, count) == list(range(count))
    assert writer.close(SOON_S)
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        assert journal.owed_count() == 0


def test_on_a_disk_that_takes_nothing_ten_thousand_are_handed_out_once_and_then_nothing(
    disk: Disk, messages: Messages
) -> None:
    """The bug: what was acknowledged was remembered up to a bound, so that the oldest came again and again."""
    count = 10_000
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        journal.append(make_entries(0, count))
    disk.refuses = True
    writer = JournalWriter(disk.open, messages.put, outbox=Outbox(20))
    assert _drain(writer, count) == list(range(count))
    time.sleep(0.3)
    assert (_offered(writer), writer.owed) == ([], 0)
    writer.close(SOON_S)


def test_a_file_that_is_removed_while_it_is_in_use_changes_nothing_for_what_is_in_flight(
    disk: Disk, messages: Messages, clock: Clock
) -> None:
    writer = JournalWriter(disk.open, messages.put, outbox=Outbox(10), clock=clock)
    writer.submit(make_entries(0, 5))
    messages.wait_for(lambda: len(messages.received) == 5)
    for entry in make_entries(0, 3):
        writer.acknowledge(entry.key)
    for suffix in ("", "-wal", "-shm"):
        disk.path.with_name(disk.path.name + suffix).unlink()
    writer.submit(make_entries(5, 7))
    messages.wait_for(lambda: len(messages.received) == 7)
    _wait_until(lambda: _offered(writer) == [3, 4, 5, 6])
    clock.ahead_s = SETTLE_S + 1.0
    writer.submit([])
    assert writer.close(SOON_S)
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        assert {entry.alarm_id for entry in owed_entries(journal)} == {entry.alarm_id for entry in make_entries(3, 7)}


def test_an_outbox_that_was_taken_is_left_alone_by_a_writer_whose_disk_hangs(disk: Disk, messages: Messages) -> None:
    writer = JournalWriter(disk.open, messages.put, outbox=Outbox(10))
    messages.wait_for(lambda: messages.all)
    disk.gate.clear()
    writer.submit(make_entries(0, 1))
    _busy(disk)
    assert not writer.close(0.05)
    outbox = writer.take_outbox().successor(has_disk=True, same_journal=True)
    disk.gate.set()
    assert writer.close(SOON_S)
    assert outbox.uncommitted == 1
    after = JournalWriter(disk.open, messages.put, outbox=outbox)
    _wait_until(lambda: _offered(after) == [0])
    assert after.close(SOON_S)
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        assert len(list(journal.history(0.0))) == 1


def test_what_is_acknowledged_is_written_with_the_next_entry_or_a_minute_later(
    writer: JournalWriter, disk: Disk, messages: Messages, clock: Clock
) -> None:
    writer.submit(make_entries(0, 1))
    messages.wait_for(lambda: messages.received)
    writer.acknowledge(make_entry(0).key)
    writer.submit(make_entries(1, 2))
    messages.wait_for(lambda: len(messages.received) == 2)
    assert disk.appended == 2
    writer.acknowledge(make_entry(1).key)
    clock.ahead_s = SETTLE_S + 1.0
    writer.submit([])
    _wait_until(lambda: not writer._outbox.unsettled)
    assert writer.close(SOON_S)
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        assert journal.owed_count() == 0


def test_notes_and_confirmations_are_kept_at_the_end(writer: JournalWriter, disk: Disk, messages: Messages) -> None:
    writer.submit(make_entries(0, 2))
    messages.wait_for(lambda: len(messages.received) == 2)
    writer.acknowledge(make_entry(0).key)
    writer.set_note("paused_until", "5")
    writer.set_note("paused_until", "6")
    assert writer.close(SOON_S)
    with Journal.open(disk.path, max_bytes=MAX_BYTES) as journal:
        assert journal.note("paused_until") == "6"
        assert journal.owed_count() == 1


def test_closing_gives_a_disk_that_hangs_up_at_its_deadline_and_says_so(writer: JournalWriter, disk: Disk) -> None:
    disk.gate.clear()
    writer.submit(make_entries(0, 1))
    _busy(disk)
    assert not writer.close(0.05)
    disk.gate.set()
    assert writer.close(SOON_S)


def test_a_mistake_in_the_journal_ends_nothing_but_that_attempt(messages: Messages, disk: Disk, clock: Clock) -> None:
    attempts = 0

    def open_journal() -> Journal:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise ZeroDivisionError
        return disk.open()

    writer = JournalWriter(open_journal, messages.put, outbox=Outbox(10), clock=clock)
    _wait_until(lambda: writer.failure(clock()) is not None)
    clock.ahead_s = 60.0
    writer.submit(make_entries(0, 1))
    messages.wait_for(lambda: messages.received)
    assert writer.close(SOON_S)


def test_the_thread_has_a_name_and_cannot_keep_the_process(writer: JournalWriter) -> None:
    thread = next(thread for thread in threading.enumerate() if thread.name == "journal")
    assert thread.daemon
    assert "0 uncommitted" in repr(writer)
