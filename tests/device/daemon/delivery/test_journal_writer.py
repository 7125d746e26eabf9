"""The journal's thread: nobody waits for it, what it has committed it says, and what it cannot is told even so."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from device.daemon.delivery.journal_writer import CONFIRM_S, OVERDUE_S, JournalWriter, Opened, Owed, Receipt, Salvaged
from device.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from device.alarms.journal.entries import Key
    from device.daemon.delivery.journal_writer import Word

_SOON_S = 20.0  # a busy machine breaks no law
_BIG = 64_000_000


def _entry(alarm: int, seq: int = 0, *, urgent: bool = False) -> Entry:
    alarm_json = json.dumps({"state": "active", "number": alarm})
    return Entry(f"stream-cry-cry-{alarm}", seq, 1.7e9 + alarm, urgent, alarm_json, "{}")


def _entries(first: int, last: int) -> list[Entry]:
    return [_entry(number) for number in range(first, last)]


class Disk:
    """Opens real journals whose appends wait at a gate, and fail while they are told to.

    Attributes:
        opened: how often one was opened.
        appended: how many commits were asked for.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.gate = threading.Event()
        self.gate.set()
        self.refuses = False
        self.is_missing = False
        self.opened = 0
        self.appended = 0

    def open(self) -> Journal:
        if self.is_missing:
            raise JournalError("the folder is missing")
        self.opened += 1
        return _Gated(self)


class _Gated(Journal):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(disk.path, max_bytes=_BIG)

    def append(self, entries: Sequence[Entry], *, delivered: Collection[Key] = ()) -> None:
        assert self._disk.gate.wait(_SOON_S)
        if self._disk.refuses:
            raise JournalError("the disk is full")
        self._disk.appended += 1
        super().append(entries, delivered=delivered)


class Ear:
    """Hears what the bookkeeper says."""

    def __init__(self) -> None:
        self.words: list[Word] = []
        self._changed = threading.Condition()

    def hear(self, word: Word) -> None:
        with self._changed:
            self.words.append(word)
            self._changed.notify_all()

    def wait_for(self, holds: Callable[[], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(holds, _SOON_S), self.words

    def wait_for_owed(self, count: int) -> None:
        self.wait_for(lambda: len(self.owed) >= count)

    @property
    def received(self) -> list[Entry]:
        return [entry for word in self.words if isinstance(word, Receipt) for entry in word.entries]

    @property
    def owed(self) -> list[int]:
        found = [entry for word in self.words if isinstance(word, Owed) for entry in word.entries]
        return [int(entry.alarm_id.rsplit("-", 1)[1]) for entry in found]

    def opened(self) -> Opened:
        return next(word for word in self.words if isinstance(word, Opened))


class Clock:
    """Monotonic, and moved by hand as well."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "journal.db")


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keeper(disk: Disk, ear: Ear, clock: Clock) -> Iterator[JournalWriter]:
    """A bookkeeper with room for twenty, that owes ten at once."""
    made = JournalWriter(disk.open, ear.hear, owed_at_once=10, notes=("paused_until",), capacity=20, clock=clock)
    ear.wait_for(lambda: ear.words)
    yield made
    disk.gate.set()
    disk.refuses = False
    made.close(_SOON_S)


def _busy(keeper: JournalWriter, now_s: Callable[[], float]) -> None:
    """Wait until its thread stands before the gate."""
    deadline_s = time.monotonic() + _SOON_S
    while not keeper._batch:
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    assert keeper.stalled_s(now_s()) >= 0.0


def test_a_receipt_comes_after_the_commit_and_in_order(keeper: JournalWriter, disk: Disk, ear: Ear) -> None:
    keeper.submit(_entries(0, 3))
    keeper.submit(_entries(3, 6))
    ear.wait_for(lambda: len(ear.received) == 6)
    assert ear.received == _entries(0, 6)
    assert keeper.close(_SOON_S)
    with Journal.open(disk.path, max_bytes=_BIG) as journal:
        assert list(journal.history(0.0)) == _entries(0, 6)


def test_what_the_journal_knew_at_the_start_is_told_first(disk: Disk, ear: Ear) -> None:
    with Journal.open(disk.path, max_bytes=_BIG) as journal:
        journal.append([_entry(1, 7)])
        journal.set_note("paused_until", "99")
        journal.set_note("other", "1")
    keeper = JournalWriter(disk.open, ear.hear, owed_at_once=10, notes=("paused_until", "none"))
    ear.wait_for(lambda: ear.owed)
    assert ear.words[0] == Opened(((_entry(1).alarm, 7),), {"paused_until": "99"}, owed=1, shed=0)
    assert ear.owed == [1]
    assert keeper.close(_SOON_S)


def test_a_damaged_journal_is_told_once(disk: Disk, ear: Ear) -> None:
    disk.path.write_bytes(b"garbage")
    keeper = JournalWriter(disk.open, ear.hear, owed_at_once=10)
    keeper.submit(_entries(0, 1))
    ear.wait_for(lambda: ear.received)
    assert keeper.close(_SOON_S)
    assert sum(isinstance(word, Salvaged) for word in ear.words) == 1


def test_submitting_never_waits_for_a_disk_that_stalls_and_what_is_overdue_is_taken_once(
    keeper: JournalWriter, disk: Disk, ear: Ear, clock: Clock
) -> None:
    disk.gate.clear()
    keeper.submit(_entries(0, 1))
    _busy(keeper, clock)
    keeper.submit(_entries(1, 3))
    assert not keeper.take_overdue(clock())
    assert keeper.trouble(clock()) is None
    clock.ahead_s = OVERDUE_S
    assert keeper.take_overdue(clock()) == _entries(0, 3)
    assert not keeper.take_overdue(clock())
    assert keeper.stalled_s(clock()) >= OVERDUE_S
    trouble = keeper.trouble(clock())
    assert trouble is not None
    assert "does not answer" in trouble.reason
    disk.gate.set()
    ear.wait_for(lambda: len(ear.received) == 3)
    receipts = [word for word in ear.words if isinstance(word, Receipt)]
    assert frozenset().union(*(word.told for word in receipts)) == {entry.key for entry in _entries(0, 3)}


def test_what_was_told_from_memory_is_owed_until_it_is_confirmed_and_not_told_twice_before(
    keeper: JournalWriter, disk: Disk, ear: Ear, clock: Clock
) -> None:
    disk.gate.clear()
    keeper.submit(_entries(0, 2))
    _busy(keeper, clock)
    clock.ahead_s = OVERDUE_S
    assert len(keeper.take_overdue(clock())) == 2
    keeper.confirm([_entry(0).key])
    disk.gate.set()
    ear.wait_for(lambda: len(ear.received) == 2)
    keeper.submit(_entries(2, 3))
    ear.wait_for(lambda: ear.owed == [2])
    keeper.owe_again()
    ear.wait_for(lambda: sorted(ear.owed) == [1, 2, 2])
    assert keeper.close(_SOON_S)
    with Journal.open(disk.path, max_bytes=_BIG) as journal:
        assert {entry.alarm_id for entry in journal.owed(9)} == {_entry(1).alarm_id, _entry(2).alarm_id}


def test_a_refusal_is_trouble_until_it_ends_and_loses_nothing(
    keeper: JournalWriter, disk: Disk, ear: Ear, clock: Clock
) -> None:
    disk.refuses = True
    keeper.submit(_entries(0, 5))
    _wait_until(lambda: keeper.trouble(clock()) is not None)
    trouble = keeper.trouble(clock())
    assert trouble is not None
    assert trouble.reason == "the disk is full"
    keeper.submit(_entries(5, 8))
    clock.ahead_s = 2 * OVERDUE_S
    assert len(keeper.take_overdue(clock())) == 8
    again = keeper.trouble(clock())
    assert again is not None
    assert again.since_s == trouble.since_s
    disk.refuses = False
    clock.ahead_s += 60.0
    keeper.submit([])  # it wakes, and looks at the clock
    ear.wait_for(lambda: len(ear.received) == 8)
    _wait_until(lambda: keeper.trouble(clock()) is None)
    assert ear.received == _entries(0, 8)
    assert keeper.dropped == 0


def test_a_journal_that_cannot_be_opened_is_tried_again(disk: Disk, ear: Ear, clock: Clock) -> None:
    disk.is_missing = True
    keeper = JournalWriter(disk.open, ear.hear, owed_at_once=10, clock=clock)
    _wait_until(lambda: keeper.trouble(clock()) is not None)
    keeper.submit(_entries(0, 1))
    disk.is_missing = False
    clock.ahead_s = 60.0
    keeper.submit([])
    ear.wait_for(lambda: ear.received)
    assert ear.opened().owed == 0
    assert keeper.close(_SOON_S)


def _wait_until(holds: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + _SOON_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def test_beyond_its_room_what_a_broker_has_goes_first_then_what_is_not_urgent_and_only_the_untold_is_counted(
    keeper: JournalWriter, disk: Disk, ear: Ear, clock: Clock
) -> None:
    disk.gate.clear()
    keeper.submit(_entries(0, 1))
    _busy(keeper, clock)
    urgent = [_entry(number, urgent=True) for number in range(1, 11)]
    keeper.submit(urgent)
    keeper.submit(_entries(11, 21))
    assert keeper.dropped == 0
    keeper.confirm([urgent[4].key])
    keeper.submit(_entries(21, 22))
    assert keeper.dropped == 0
    keeper.submit(_entries(22, 24))
    assert keeper.dropped == 2
    assert keeper.waiting == 21
    disk.gate.set()
    ear.wait_for(lambda: len(ear.received) == 21)
    kept = [int(entry.alarm_id.rsplit("-", 1)[1]) for entry in ear.received]
    assert kept == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, *range(13, 24)]


def test_no_more_is_on_its_way_than_was_asked_for_and_a_new_alarm_goes_beyond_that(disk: Disk, ear: Ear) -> None:
    with Journal.open(disk.path, max_bytes=_BIG) as journal:
        journal.append(_entries(0, 100))
    keeper = JournalWriter(disk.open, ear.hear, owed_at_once=10)
    ear.wait_for(lambda: len(ear.owed) == 10)
    assert ear.owed == list(range(10))
    keeper.submit([_entry(500)])
    ear.wait_for(lambda: len(ear.owed) == 11)
    assert ear.owed[-1] == 500
    keeper.confirm([_entry(500).key, *(entry.key for entry in _entries(0, 5))])
    ear.wait_for(lambda: len(ear.owed) == 16)
    assert ear.owed[11:] == list(range(10, 15))
    assert keeper.close(_SOON_S)


def test_after_a_reconnect_what_is_new_comes_before_ten_thousand_that_are_old(disk: Disk, ear: Ear) -> None:
    with Journal.open(disk.path, max_bytes=_BIG) as journal:
        journal.append(_entries(0, 10_000))
    keeper = JournalWriter(disk.open, ear.hear, owed_at_once=10)
    keeper.submit([_entry(20_000)])
    ear.wait_for(lambda: 20_000 in ear.owed)
    told_before = len(ear.owed)
    keeper.owe_again()
    ear.wait_for(lambda: len(ear.owed) > told_before)
    assert ear.owed[told_before] == 20_000
    assert keeper.close(_SOON_S)


def test_ten_thousand_that_are_owed_are_all_handed_out_once_as_they_are_confirmed(disk: Disk) -> None:
    count, told = 10_000, list[str]()
    done = threading.Event()

    def hear(word: Word) -> None:
        if isinstance(word, Owed):
            told.extend(entry.alarm_id for entry in word.entries)
            bookkeeper.confirm([entry.key for entry in word.entries])
            if len(told) >= count:
                done.set()

    with Journal.open(disk.path, max_bytes=_BIG) as journal:
        journal.append(_entries(0, count))
    ready = threading.Event()

    def open_when_ready() -> Journal:
        assert ready.wait(_SOON_S)
        return disk.open()

    bookkeeper = JournalWriter(open_when_ready, hear, owed_at_once=20)
    ready.set()
    assert done.wait(3 * _SOON_S)
    assert bookkeeper.close(_SOON_S)
    assert told == [entry.alarm_id for entry in _entries(0, count)]
    with Journal.open(disk.path, max_bytes=_BIG) as journal:
        assert journal.owed_count() == 0


def test_what_is_confirmed_is_written_with_the_next_entry_or_a_minute_later(
    keeper: JournalWriter, disk: Disk, ear: Ear, clock: Clock
) -> None:
    keeper.submit(_entries(0, 1))
    ear.wait_for(lambda: ear.received)
    keeper.confirm([_entry(0).key])
    keeper.submit(_entries(1, 2))
    ear.wait_for(lambda: len(ear.received) == 2)
    assert disk.appended == 2
    keeper.confirm([_entry(1).key])
    clock.ahead_s = CONFIRM_S + 1.0
    keeper.submit([])
    _wait_until(lambda: not keeper._confirmed)
    keeper.owe_again()
    assert keeper.close(_SOON_S)
    with Journal.open(disk.path, max_bytes=_BIG) as journal:
        assert journal.owed_count() == 0


def test_notes_and_confirmations_are_kept_at_the_end(keeper: JournalWriter, disk: Disk, ear: Ear) -> None:
    keeper.submit(_entries(0, 2))
    ear.wait_for(lambda: len(ear.received) == 2)
    keeper.confirm([_entry(0).key])
    keeper.keep_note("paused_until", "5")
    keeper.keep_note("paused_until", "6")
    assert keeper.close(_SOON_S)
    with Journal.open(disk.path, max_bytes=_BIG) as journal:
        assert journal.note("paused_until") == "6"
        assert journal.owed_count() == 1


def test_closing_gives_a_disk_that_hangs_up_at_its_deadline_and_says_so(
    keeper: JournalWriter, disk: Disk, clock: Clock
) -> None:
    disk.gate.clear()
    keeper.submit(_entries(0, 1))
    _busy(keeper, clock)
    assert not keeper.close(0.05)
    disk.gate.set()
    assert keeper.close(_SOON_S)


def test_on_a_disk_that_takes_nothing_the_backlog_is_owed_even_so(disk: Disk, ear: Ear) -> None:
    with Journal.open(disk.path, max_bytes=_BIG) as journal:
        journal.append(_entries(0, 100))
    disk.refuses = True
    keeper = JournalWriter(disk.open, ear.hear, owed_at_once=10)
    keeper.submit([_entry(500)])
    for first in range(0, 90, 10):
        ear.wait_for_owed(first + 10)
        keeper.confirm([entry.key for entry in _entries(first, first + 10)])
    assert ear.owed[:90] == list(range(90))
    assert not ear.received
    assert not keeper.close(_SOON_S)


def test_a_mistake_in_the_journal_ends_nothing_but_that_attempt(ear: Ear, disk: Disk, clock: Clock) -> None:
    attempts = 0

    def open_journal() -> Journal:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise ZeroDivisionError
        return disk.open()

    keeper = JournalWriter(open_journal, ear.hear, owed_at_once=10, clock=clock)
    _wait_until(lambda: keeper.trouble(clock()) is not None)
    clock.ahead_s = 60.0
    keeper.submit(_entries(0, 1))
    ear.wait_for(lambda: ear.received)
    assert keeper.close(_SOON_S)


def test_the_thread_has_a_name_and_cannot_keep_the_process(keeper: JournalWriter) -> None:
    thread = next(thread for thread in threading.enumerate() if thread.name == "journal")
    assert thread.daemon
    assert "0 wait" in repr(keeper)
