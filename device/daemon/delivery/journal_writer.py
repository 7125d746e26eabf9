"""The journal's thread: the main loop hands entries over and never waits for the disk.

A receipt says what is committed, and only then is it told; the journal owes it until it is confirmed. Where no
receipt comes in time, the loop takes what is overdue and tells it from memory. What is told is confirmed to the
journal together with the next entries, or a minute later: a commit less for each alarm spares the card, and
all that a power cut in between can do is to have it told twice.

Knows no broker and no machine; the journal is handed in, and opened again by this thread alone.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from device.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from device.alarms.journal.entries import Entry, Key
    from device.alarms.journal.salvage import Salvage
    from device.alarms.journal.store import Journal

CAPACITY = 2000
"""Entries that may wait for a disk: a night of alarms, a few megabytes."""

OVERDUE_S = 1.0
"""So long may a disk take before people are told from memory."""

CONFIRM_S = 60.0
MOST_UNCONFIRMED = 256

_BATCH = 50
_RETRY_S = (1.0, 2.0, 4.0, 8.0)
_NEW_KEPT = 64


@dataclass(frozen=True, slots=True)
class Opened:
    """The journal could be read for the first time.

    Attributes:
        open_alarms: (alarm JSON, last seq) of each that has not ended.
        notes: the facts that were asked for, as far as there are any.
        owed: entries that nobody was told of.
        shed: entries that had to go untold for want of room, since the journal began.
    """

    open_alarms: tuple[tuple[str, int], ...]
    notes: Mapping[str, str]
    owed: int
    shed: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """These are committed: they may be told.

    Attributes:
        entries: in the order of their coming.
        told: keys of those that were taken as overdue, and so told already.
    """

    entries: tuple[Entry, ...]
    told: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class Owed:
    """These are committed, nobody has confirmed them, and they are not on their way: in the order to be told."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The journal was damaged."""

    salvage: Salvage


Word = Opened | Receipt | Owed | Salvaged


@dataclass(frozen=True, slots=True)
class Trouble:
    """Alarms are not kept at present.

    Attributes:
        since_s: by the clock that was handed in.
        reason: one sentence.
    """

    since_s: float
    reason: str


@dataclass(slots=True)
class _Waiting:
    entry: Entry
    since_s: float
    told: bool = False


class JournalWriter:
    """Owns a journal in a thread of its own; every method returns at once, from any thread.

    Args:
        open_journal: may raise `JournalError`; is then tried again.
        tell: takes each word; called from the bookkeeper's thread, must not wait.
        owed_at_once: entries that may be on their way to the broker; as many again where they are new. 0: nobody
            is owed anything by this way, and whoever tells confirms.
        notes: names of the facts that are read when the journal opens.
        capacity: entries that may wait. Beyond that what was told already goes first, then what is not urgent.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        open_journal: Callable[[], Journal],
        tell: Callable[[Word], None],
        *,
        owed_at_once: int,
        notes: Sequence[str] = (),
        capacity: int = CAPACITY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_journal = open_journal
        self._tell = tell
        self._owed_at_once = owed_at_once
        self._wanted_notes = tuple(notes)
        self._capacity = capacity
        self._clock = clock
        self._changed = threading.Condition()
        self._pending: dict[Key, _Waiting] = {}
        self._batch: dict[Key, _Waiting] = {}
        self._confirmed: dict[Key, None] = {}
        self._confirmed_since_s = 0.0
        self._notes: dict[str, str] = {}
        self._on_their_way: set[Key] = set()
        self._new: dict[str, None] = {}
        self._fresh = 0
        self._may_owe = True
        self._can_read = True
        self._dropped = 0
        self._trouble: Trouble | None = None
        self._failures = 0
        self._retry_at_s = float("-inf")
        self._busy_since_s: float | None = None
        self._closing = False
        self._journal: Journal | None = None
        self._was_opened = False
        self._salvage_told: Salvage | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        state = "closed" if self._closing else "open"
        return f"JournalWriter({state}, {len(self._pending) + len(self._batch)} wait, {self.dropped} dropped)"

    # --- for the main loop

    @property
    def dropped(self) -> int:
        """Entries that could not be kept and of which no broker knew, since the start."""
        return self._dropped

    @property
    def waiting(self) -> int:
        """Entries without a receipt."""
        return len(self._pending) + len(self._batch)

    def submit(self, entries: Sequence[Entry]) -> None:
        """Take entries, in the order of their coming; a key that waits already is left alone."""
        with self._changed:
            now_s = self._clock()
            for entry in entries:
                if entry.key not in self._pending and entry.key not in self._batch:
                    self._pending[entry.key] = _Waiting(entry, now_s)
            while len(self._pending) > self._capacity:
                self._drop_one()
            self._changed.notify()

    def confirm(self, keys: Collection[Key]) -> None:
        """People, or a broker on their behalf, have these: nobody is owed them any more."""
        with self._changed:
            if not self._confirmed:
                self._confirmed_since_s = self._clock()
            self._confirmed.update((key, None) for key in keys)
            self._on_their_way.difference_update(keys)
            while len(self._confirmed) > 4 * self._capacity:  # told twice is the worst that comes of it
                del self._confirmed[next(iter(self._confirmed))]
            self._changed.notify()

    def keep_note(self, key: str, value: str) -> None:
        """Keep a small fact; the newest of each name."""
        with self._changed:
            self._notes[key] = value
            self._changed.notify()

    def keeps_note(self, key: str) -> bool:
        """Whether the newest value of this fact that was handed over is committed."""
        with self._changed:
            return key not in self._notes

    def owe_again(self) -> None:
        """What was on its way is not any more: a connection was lost, or a new one is made."""
        with self._changed:
            self._on_their_way.clear()
            self._may_owe = True
            self._changed.notify()

    def take_overdue(self, now_s: float) -> list[Entry]:
        """Entries that have waited too long for a receipt, each once: they are to be told from memory."""
        with self._changed:
            late = [
                waiting
                for waiting in (*self._batch.values(), *self._pending.values())
                if not waiting.told and now_s - waiting.since_s >= OVERDUE_S
            ]
            for waiting in late:
                waiting.told = True
                self._on_their_way.add(waiting.entry.key)
            return [waiting.entry for waiting in late]

    def trouble(self, now_s: float) -> Trouble | None:
        """Why alarms are not kept at present; None while they are."""
        since_s, trouble = self._busy_since_s, self._trouble
        if trouble is None and since_s is not None and now_s - since_s >= OVERDUE_S:
            return Trouble(
                since_s, "the disk of the journal does not answer; alarms are told from memory until it does"
            )
        return trouble

    def stalled_s(self, now_s: float) -> float:
        """How long the disk has been busy with one thing; 0 where it is not."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else max(0.0, now_s - since_s)

    def close(self, deadline_s: float) -> bool:
        """Take no more; whether all that waited was committed, and the journal let go, within so many seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(deadline_s)
        return not self._thread.is_alive() and not self.waiting

    def _drop_one(self) -> None:
        """What a broker has goes first, then the oldest that is not urgent, then the oldest."""
        key = min(self._pending, key=self._worth)  # the first, that is the oldest, among equals
        if key not in self._confirmed:
            self._dropped += 1
        del self._pending[key]

    def _worth(self, key: Key) -> int:
        return 0 if key in self._confirmed else 2 if self._pending[key].entry.urgent else 1

    # --- the thread

    def _run(self) -> None:
        self._round()  # what is owed from before does not wait for the first alarm
        while self._wait():
            self._round()
        self._round()
        self._guarded(self._let_go)

    def _wait(self) -> bool:
        """Until there is something to do; False where it is to end."""
        with self._changed:
            while not self._closing and (pause_s := self._pause_s(self._clock())) != 0:
                self._changed.wait(pause_s)
            return not self._closing

    def _pause_s(self, now_s: float) -> float | None:
        """How long nothing is to be done; None for as long as nobody comes."""
        if self._failures:
            return 0.0 if self._can_read and self._owes_more() else max(0.0, self._retry_at_s - now_s)
        if self._pending or self._notes or self._owes_more() or len(self._confirmed) >= MOST_UNCONFIRMED:
            return 0.0
        return max(0.0, self._confirmed_since_s + CONFIRM_S - now_s) if self._confirmed else None

    def _owes_more(self) -> bool:
        return self._may_owe and 2 * len(self._on_their_way) <= self._owed_at_once > 0

    def _round(self) -> None:
        """One look at everything; what fails is tried again later, and meanwhile the backlog is read if it can be."""
        keeps = self._closing or self._clock() >= self._retry_at_s
        self._can_read = self._can_read or keeps
        if self._guarded(partial(self._work, keeps=keeps)) and keeps:
            self._failures, self._trouble = 0, None
        with self._changed:
            self._pending = {**self._batch, **self._pending}
            self._batch = {}

    def _guarded(self, act: Callable[[], None]) -> bool:
        """Whether it went well; nothing that a disk does ends this thread."""
        self._busy_since_s = self._clock()
        try:
            act()
        except JournalError as error:
            self._note_failure(str(error))
        except Exception as error:  # noqa: BLE001 - the last place where it can be caught; it is told as trouble
            self._note_failure(f"the journal fails with {type(error).__name__}: {error}")
            self._journal = None
        else:
            return True
        finally:
            self._busy_since_s = None
        return False

    def _note_failure(self, reason: str) -> None:
        now_s = self._clock()
        self._trouble = Trouble(self._trouble.since_s if self._trouble else now_s, reason)
        self._retry_at_s = now_s + _RETRY_S[min(self._failures, len(_RETRY_S) - 1)]
        self._failures += 1

    def _work(self, *, keeps: bool) -> None:
        journal = self._opened()
        try:
            if keeps:
                self._keep(journal)
        finally:
            self._tell_salvage(journal)
            self._owe(journal)
        if journal.refusal is not None:
            raise JournalError(journal.refusal)

    def _opened(self) -> Journal:
        if self._journal is None:
            self._can_read = False
            self._journal = self._open_journal()
            self._can_read = True
        if not self._was_opened:
            journal = self._journal
            notes = {key: value for key in self._wanted_notes if (value := journal.note(key)) is not None}
            opened = Opened(tuple(journal.open_alarms()), notes, journal.owed_count(), journal.pruned_undelivered)
            self._was_opened = True
            self._tell(opened)
        return self._journal

    def _tell_salvage(self, journal: Journal) -> None:
        if journal.salvage is not None and journal.salvage is not self._salvage_told:
            self._salvage_told = journal.salvage
            self._tell(Salvaged(journal.salvage))

    def _keep(self, journal: Journal) -> None:
        """Commit what waits, in batches, until nothing does."""
        while self._take_batch():
            self._busy_since_s = self._clock()
            told_of = self._settled()
            journal.append([waiting.entry for waiting in self._batch.values()], delivered=told_of)
            self._give_receipt(told_of)
            self._owe(journal)
        self._keep_rest(journal)

    def _take_batch(self) -> bool:
        with self._changed:
            keys = list(self._pending)[:_BATCH]
            self._batch = {key: self._pending.pop(key) for key in keys}
            return bool(keys)

    def _settled(self) -> list[Key]:
        """What was confirmed, but for entries that are not kept yet: the journal would know nothing of these."""
        with self._changed:
            return [key for key in self._confirmed if key not in self._pending]

    def _give_receipt(self, told_of: Collection[Key]) -> None:
        with self._changed:
            batch, self._batch = self._batch, {}
            self._forget(told_of)
            for alarm_id, _ in batch:
                self._new.pop(alarm_id, None)
                self._new[alarm_id] = None
            while len(self._new) > _NEW_KEPT:
                del self._new[next(iter(self._new))]
            self._fresh += len(batch)
            self._may_owe = True
        told = frozenset(key for key, waiting in batch.items() if waiting.told)
        self._tell(Receipt(tuple(waiting.entry for waiting in batch.values()), told))

    def _owe(self, journal: Journal) -> None:
        """Hand out what is to be told next, as much as there is room for."""
        with self._changed:
            room, self._fresh = self._room(), 0
            skip = self._on_their_way | self._confirmed.keys()
            first = list(reversed(self._new))
        if room <= 0:
            return
        try:
            entries = journal.owed(room, skip, first=first)
        except JournalError:
            self._can_read = False
            raise
        with self._changed:
            self._on_their_way.update(entry.key for entry in entries)
            self._may_owe = len(entries) == room
        if entries:
            self._tell(Owed(tuple(entries)))

    def _room(self) -> int:
        """For so many more; what has just come may go beyond a backlog that fills all there is."""
        if not self._may_owe:
            return 0
        held, most = len(self._on_their_way), self._owed_at_once
        return max(most - held, min(self._fresh, 2 * most - held))

    def _forget(self, keys: Collection[Key]) -> None:
        for key in keys:
            self._confirmed.pop(key, None)
        self._confirmed_since_s = self._clock()

    def _keep_rest(self, journal: Journal) -> None:
        """Notes, and what was confirmed, where that has waited long enough."""
        with self._changed:
            notes = dict(self._notes)
            due = self._closing or self._clock() - self._confirmed_since_s >= CONFIRM_S
            due = due or len(self._confirmed) >= MOST_UNCONFIRMED
        for key, value in notes.items():
            journal.set_note(key, value)
            with self._changed:
                if self._notes.get(key) == value:
                    del self._notes[key]
        if due and (told_of := self._settled()):
            journal.mark_delivered(told_of)
            with self._changed:
                self._forget(told_of)

    def _let_go(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()
