"""The journal's thread: the main loop submits entries and never waits for the disk.

A receipt reports what is committed; only then is it published as durable, and the journal owes it until it is
confirmed. If no receipt comes in time, the loop collects what is overdue and publishes it from memory. Confirmations
are written together with the next entries, or a minute later: one commit less for each alarm spares the SD card, and
a power cut in between can do no worse than have an entry published twice.

Knows no broker and no alarm machine; the journal is handed in, and opened again by this thread alone.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from device.daemon.delivery.delivery_window import DeliveryWindow
from device.daemon.delivery.journal_messages import (
    CommitReceipt,
    JournalFailure,
    JournalOpened,
    JournalSalvaged,
    OwedEntries,
)
from device.daemon.delivery.pending_entries import OVERDUE_S, PendingEntries
from device.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from device.alarms.journal.entries import Entry, Key
    from device.alarms.journal.salvage import Salvage
    from device.alarms.journal.store import Journal
    from device.daemon.delivery.journal_messages import JournalMessage

CAPACITY = 2000
"""Entries that may wait for a disk: a night of alarms, a few megabytes."""

CONFIRM_S = 60.0
MAX_UNCONFIRMED = 256

_RETRY_S = (1.0, 2.0, 4.0, 8.0)


class JournalWriter:
    """Owns a journal in a thread of its own; every method returns at once, from any thread.

    Args:
        open_journal: may raise `JournalError`, and is then retried.
        send: accepts each message; called from the journal's thread, must not wait.
        max_in_flight: entries that may be in flight to the broker; twice as many if they are new. 0: this writer
            hands nothing out, and whoever publishes an entry confirms it.
        notes: keys of the notes that are read when the journal opens.
        capacity: entries that may wait. Beyond that the confirmed ones are dropped first, then those not urgent.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        open_journal: Callable[[], Journal],
        send: Callable[[JournalMessage], None],
        *,
        max_in_flight: int,
        notes: Sequence[str] = (),
        capacity: int = CAPACITY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_journal = open_journal
        self._send = send
        self._note_keys = tuple(notes)
        self._max_confirmed = 4 * capacity
        self._clock = clock
        self._changed = threading.Condition()  # guards all that the two sides share
        self._pending = PendingEntries(capacity)
        self._window = DeliveryWindow(max_in_flight)
        self._confirmed: dict[Key, None] = {}
        self._confirmed_since_s = 0.0
        self._notes: dict[str, str] = {}
        self._can_read = True
        self._failure: JournalFailure | None = None
        self._failures = 0
        self._retry_at_s = float("-inf")
        self._busy_since_s: float | None = None
        self._closing = False
        self._journal: Journal | None = None
        self._was_opened = False
        self._salvage_sent: Salvage | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        state = "closed" if self._closing else "open"
        return f"JournalWriter({state}, {self.waiting} wait, {self.dropped} dropped)"

    # --- for the main loop

    @property
    def dropped(self) -> int:
        """Entries that were neither committed nor confirmed, since the start."""
        return self._pending.dropped

    @property
    def waiting(self) -> int:
        """Entries without a receipt."""
        return len(self._pending)

    def submit(self, entries: Sequence[Entry]) -> None:
        """Queue entries, in arrival order; a key that waits already is left alone."""
        with self._changed:
            self._pending.add(entries, self._clock(), self._confirmed)
            self._changed.notify()

    def confirm(self, keys: Collection[Key]) -> None:
        """Note that the broker has these entries, or that nobody else is to receive them: they are owed no longer."""
        with self._changed:
            if not self._confirmed:
                self._confirmed_since_s = self._clock()
            self._confirmed.update((key, None) for key in keys)
            self._window.in_flight.difference_update(keys)
            while len(self._confirmed) > self._max_confirmed:  # at worst an entry is published twice
                del self._confirmed[next(iter(self._confirmed))]
            self._changed.notify()

    def set_note(self, key: str, value: str) -> None:
        """Write a small fact; the newest value of each key counts."""
        with self._changed:
            self._notes[key] = value
            self._changed.notify()

    def is_note_committed(self, key: str) -> bool:
        """Whether the newest value handed over for this key is committed."""
        with self._changed:
            return key not in self._notes

    def redeliver_owed(self) -> None:
        """Hand out again what was in flight: a connection was lost, or a new one was made."""
        with self._changed:
            self._window.clear()
            self._changed.notify()

    def collect_overdue(self, now_s: float) -> list[Entry]:
        """Entries that have waited too long for a receipt, each once: they are to be published from memory."""
        with self._changed:
            overdue = self._pending.collect_overdue(now_s)
            self._window.in_flight.update(entry.key for entry in overdue)
            return overdue

    def failure(self, now_s: float) -> JournalFailure | None:
        """Why entries are not committed at present; None while they are."""
        since_s, failure = self._busy_since_s, self._failure
        if failure is None and since_s is not None and now_s - since_s >= OVERDUE_S:
            return JournalFailure(
                since_s, "the disk of the journal does not answer; alarms are published from memory until it does"
            )
        return failure

    def stalled_s(self, now_s: float) -> float:
        """How long the disk has been busy with one operation; 0 if it is not."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else max(0.0, now_s - since_s)

    def close(self, deadline_s: float) -> bool:
        """Stop accepting; whether all that waited was committed, and the journal closed, before the deadline."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(deadline_s)
        return not self._thread.is_alive() and not self.waiting

    # --- the thread

    def _run(self) -> None:
        self._turn()  # what is owed from before does not wait for the first alarm
        while self._wait():
            self._turn()
        self._turn()
        self._guarded(self._close_journal)

    def _wait(self) -> bool:
        """Wait until there is something to do; False if the thread is to end."""
        with self._changed:
            while not self._closing and (pause_s := self._pause_s(self._clock())) != 0:
                self._changed.wait(pause_s)
            return not self._closing

    def _pause_s(self, now_s: float) -> float | None:
        """How long there is nothing to do; None until the next call."""
        if self._failures:
            return 0.0 if self._can_read and self._window.wants_more else max(0.0, self._retry_at_s - now_s)
        if self._pending.has_queued or self._notes or self._window.wants_more:
            return 0.0
        if len(self._confirmed) >= MAX_UNCONFIRMED:
            return 0.0
        return max(0.0, self._confirmed_since_s + CONFIRM_S - now_s) if self._confirmed else None

    def _turn(self) -> None:
        """Do all that is due. What fails is retried later; meanwhile the backlog is handed out if it can be read."""
        may_write = self._closing or self._clock() >= self._retry_at_s
        self._can_read = self._can_read or may_write
        if self._guarded(partial(self._work, may_write=may_write)) and may_write:
            self._failures, self._failure = 0, None
        with self._changed:
            self._pending.requeue_batch()

    def _guarded(self, act: Callable[[], None]) -> bool:
        """Whether it succeeded; no failure of a disk ends this thread."""
        self._busy_since_s = self._clock()
        try:
            act()
        except JournalError as error:
            self._note_failure(str(error))
        except Exception as error:  # noqa: BLE001 - the last place where it can be caught; it is reported as a failure
            self._note_failure(f"the journal fails with {type(error).__name__}: {error}")
            self._journal = None
        else:
            return True
        finally:
            self._busy_since_s = None
        return False

    def _note_failure(self, reason: str) -> None:
        now_s = self._clock()
        self._failure = JournalFailure(self._failure.since_s if self._failure else now_s, reason)
        self._retry_at_s = now_s + _RETRY_S[min(self._failures, len(_RETRY_S) - 1)]
        self._failures += 1

    def _work(self, *, may_write: bool) -> None:
        journal = self._opened()
        try:
            if may_write:
                self._write(journal)
        finally:
            self._send_salvage(journal)
            self._hand_out(journal)
        if journal.refusal is not None:
            raise JournalError(journal.refusal)

    def _opened(self) -> Journal:
        if self._journal is None:
            self._can_read = False
            self._journal = self._open_journal()
            self._can_read = True
        if not self._was_opened:
            journal = self._journal
            notes = {key: value for key in self._note_keys if (value := journal.note(key)) is not None}
            opened = JournalOpened(
                tuple(journal.open_alarms()), notes, journal.owed_count(), journal.pruned_undelivered
            )
            self._was_opened = True
            self._send(opened)
        return self._journal

    def _send_salvage(self, journal: Journal) -> None:
        if journal.salvage is not None and journal.salvage is not self._salvage_sent:
            self._salvage_sent = journal.salvage
            self._send(JournalSalvaged(journal.salvage))

    def _write(self, journal: Journal) -> None:
        """Commit in batches until nothing is queued, then notes and confirmations."""
        while self._pop_batch():
            self._busy_since_s = self._clock()
            delivered = self._deliverable()
            journal.append(self._pending.batch, delivered=delivered)
            self._send_receipt(delivered)
            self._hand_out(journal)
        self._write_notes(journal)
        self._write_confirmed(journal)

    def _pop_batch(self) -> bool:
        with self._changed:
            return self._pending.pop_batch()

    def _deliverable(self) -> list[Key]:
        """The confirmed keys, but for entries that are still queued: the journal does not know those yet."""
        with self._changed:
            return [key for key in self._confirmed if not self._pending.is_queued(key)]

    def _send_receipt(self, delivered: Collection[Key]) -> None:
        with self._changed:
            entries, overdue = self._pending.finish_batch()
            self._forget_confirmed(delivered)
            self._window.add_committed(entry.key for entry in entries)
        self._send(CommitReceipt(entries, overdue))

    def _hand_out(self, journal: Journal) -> None:
        """Send the entries to publish next, as many as the window has room for."""
        with self._changed:
            room = self._window.claim_room()
            skip = self._window.in_flight | self._confirmed.keys()
            first = self._window.recent_alarms
        if room <= 0:
            return
        try:
            entries = journal.owed(room, skip, first=first)
        except JournalError:
            self._can_read = False
            raise
        with self._changed:
            self._window.add_handed_out((entry.key for entry in entries), is_all=len(entries) < room)
        if entries:
            self._send(OwedEntries(tuple(entries)))

    def _forget_confirmed(self, keys: Collection[Key]) -> None:
        for key in keys:
            self._confirmed.pop(key, None)
        self._confirmed_since_s = self._clock()

    def _write_notes(self, journal: Journal) -> None:
        with self._changed:
            notes = dict(self._notes)
        for key, value in notes.items():
            journal.set_note(key, value)
            with self._changed:
                if self._notes.get(key) == value:
                    del self._notes[key]

    def _write_confirmed(self, journal: Journal) -> None:
        """Write confirmations that have waited for long enough, or are many."""
        with self._changed:
            is_due = self._closing or self._clock() - self._confirmed_since_s >= CONFIRM_S
            is_due = is_due or len(self._confirmed) >= MAX_UNCONFIRMED
        if is_due and (delivered := self._deliverable()):
            journal.mark_delivered(delivered)
            with self._changed:
                self._forget_confirmed(delivered)

    def _close_journal(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()
