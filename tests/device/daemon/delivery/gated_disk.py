"""Real journals on a disk that a test stalls, fills up and takes away, and what their writer sends."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from device.daemon.delivery.journal_messages import CommitReceipt, JournalOpened
from device.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from device.alarms.journal.entries import Key
    from device.daemon.delivery.journal_messages import JournalMessage

SOON_S = 20.0  # a busy machine breaks no law
MAX_BYTES = 64_000_000


def make_entry(alarm: int, seq: int = 0, *, urgent: bool = False) -> Entry:
    alarm_json = json.dumps({"state": "active", "number": alarm})
    return Entry(f"stream-cry-cry-{alarm}", seq, 1.7e9 + alarm, urgent, alarm_json, "{}")


def make_entries(first: int, last: int) -> list[Entry]:
    return [make_entry(number) for number in range(first, last)]


class Disk:
    """Opens real journals whose appends wait at a gate, and fail while `refuses` is set.

    Attributes:
        opened: how often one was opened.
        appended: how many commits were asked for.
        waiting: commits that stand before the gate.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.gate = threading.Event()
        self.gate.set()
        self.refuses = False
        self.is_missing = False
        self.opened = 0
        self.appended = 0
        self.waiting = 0

    def open(self) -> Journal:
        if self.is_missing:
            raise JournalError("the folder is missing")
        self.opened += 1
        return _Gated(self)


class _Gated(Journal):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(disk.path, max_bytes=MAX_BYTES)

    def append(
        self,
        entries: Sequence[Entry],
        *,
        delivered: Collection[Key] = (),
        settled: Sequence[tuple[int, int]] = (),
    ) -> dict[Key, int]:
        self._disk.waiting += 1
        assert self._disk.gate.wait(SOON_S)
        self._disk.waiting -= 1
        if self._disk.refuses:
            raise JournalError("the disk is full")
        self._disk.appended += 1
        return super().append(entries, delivered=delivered, settled=settled)

    def settle(self, intervals: Sequence[tuple[int, int]]) -> None:
        if self._disk.refuses:
            raise JournalError("the disk is full")
        super().settle(intervals)


class Messages:
    """Collects what the writer sends."""

    def __init__(self) -> None:
        self.all: list[JournalMessage] = []
        self._changed = threading.Condition()

    def put(self, message: JournalMessage) -> None:
        with self._changed:
            self.all.append(message)
            self._changed.notify_all()

    def wait_for(self, holds: Callable[[], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(holds, SOON_S), self.all

    @property
    def received(self) -> list[Entry]:
        return [entry for message in self.all if isinstance(message, CommitReceipt) for entry in message.entries]

    def opened(self) -> JournalOpened:
        return next(message for message in self.all if isinstance(message, JournalOpened))


class Clock:
    """Monotonic, and moved by hand as well."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s
