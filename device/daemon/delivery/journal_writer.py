"""The journal's thread: the main loop submits entries and never waits for the disk.

It commits what the outbox has not committed yet, reads what is owed next, and notes what was acknowledged, together
with the next entries or a minute later: one commit less for each alarm spares the SD card, and a power cut in between
can do no worse than have an entry published twice.

Keeps no state of any entry: the outbox does, and all that the two threads share is guarded here. Knows no broker and no
alarm machine; the journal is handed in, and opened again by this thread alone.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from device.daemon.delivery.journal_messages import (
    CommitReceipt,
    EntriesRead,
    JournalFailure,
    JournalOpened,
    JournalSalvaged,
)
from device.daemon.delivery.outbox import OVERDUE_S, Outbox
from device.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from device.alarms.journal.entries import Entry, Key
    from device.alarms.journal.salvage import Salvage
    from device.alarms.journal.store import Journal
    from device.daemon.delivery.journal_messages import JournalMessage
    from device.daemon.delivery.outbox import Change
    from device.sinks.mqtt.send_queue import Held

SETTLE_S = 60.0
MAX_UNSETTLED = 256

_RETRY_S = (1.0, 2.0, 4.0, 8.0)


class JournalWriter:
    """Owns a journal in a thread of its own; every method returns at once, from any thread.

    Args:
        open_journal: may raise `JournalError`, and is then retried.
        send: accepts each message; called from the journal's thread, must not wait.
        outbox: used by nobody else from here on.
        notes: keys of the notes that are read when the journal opens.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        open_journal: Callable[[], Journal],
        send: Callable[[JournalMessage], None],
        *,
        outbox: Outbox,
        notes: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_journal = open_journal
        self._send = send
        self._note_keys = tuple(notes)
        self._clock = clock
        self._changed = threading.Condition()  # guards all that the two sides share
        self._outbox = outbox
        self._unsettled_since_s: float | None = None
        self._denied: frozenset[str] = frozenset()
        self._notes: dict[str, str] = {}
        self._can_read = True
        self._failure: JournalFailure | None = None
        self._failures = 0
        self._retry_at_s = float("-inf")
        self._busy_since_s: float | None = None
        self._closing = False
        self._journal: Journal | None = None
        self._was_opened = False
        self._must_scan = True
        self._salvage_sent: Salvage | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"JournalWriter({'closed' if self._closing else 'open'}, {self._outbox!r})"

    # --- for the main loop

    @property
    def lost(self) -> int:
        """Entries that were neither committed nor acknowledged, since the start."""
        return self._outbox.lost

    @property
    def waiting(self) -> int:
        """Entries that are not committed."""
        return self._outbox.uncommitted

    @property
    def owed(self) -> int:
        """Entries that the broker has not acknowledged, as far as the journal has been read."""
        return self._outbox.owed

    def submit(self, entries: Sequence[Entry]) -> None:
        """Queue entries, in arrival order; a key that is known already is left alone."""
        with self._changed:
            self._outbox.submit(entries, self._clock())
            self._changed.notify()

    def to_offer(self, held: Held, overdue_at_s: float) -> Sequence[Change]:
        """What the broker may be offered now; see `Outbox.to_offer`."""
        with self._changed:
            answers = self._can_read and self.stalled_s(self._clock()) < OVERDUE_S
            offered = self._outbox.to_offer(held.keys, held.denied, overdue_at_s, journal_answers=answers)
            if held.denied != self._denied:
                self._denied = held.denied
                self._changed.notify()  # what had to wait for a denied change may be read now
            return offered

    def acknowledge(self, key: Key) -> Entry | None:
        """Note that the broker has this entry, or that it can never be published: it is owed no longer.

        Returns the entry; None if it was not owed.
        """
        with self._changed:
            entry = self._outbox.acknowledge(key)
            if self._unsettled_since_s is None:
                self._unsettled_since_s = self._clock()
            self._changed.notify()
            return entry

    def resize(self, window: int) -> None:
        """Hold another number of entries for the broker; 0 if there is none any more.

        The journal is then reported as opened once more: another broker needs its notes.
        """
        with self._changed:
            if self._outbox.resize(window):
                self._was_opened = False
                self._changed.notify()

    def take_outbox(self) -> Outbox:
        """The outbox, for another journal; this writer, even if its disk hangs, touches it no more."""
        with self._changed:
            outbox, self._outbox = self._outbox, Outbox(0)
            return outbox

    def set_note(self, key: str, value: str) -> None:
        """Write a small fact; the newest value of each key counts."""
        with self._changed:
            self._notes[key] = value
            self._changed.notify()

    def is_note_committed(self, key: str) -> bool:
        """Whether the newest value handed over for this key is committed."""
        with self._changed:
            return key not in self._notes

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
            return 0.0 if self._can_read and self._outbox.next_unread() else max(0.0, self._retry_at_s - now_s)
        if self._outbox.uncommitted or self._notes or not self._was_opened or self._outbox.next_unread():
            return 0.0
        return self._settle_in_s(now_s)

    def _settle_in_s(self, now_s: float) -> float | None:
        """Until acknowledgements are written; None if there are none."""
        if not self._outbox.unsettled or self._unsettled_since_s is None:
            return None
        if self._closing or self._outbox.unsettled >= MAX_UNSETTLED:
            return 0.0
        return max(0.0, self._unsettled_since_s + SETTLE_S - now_s)

    def _turn(self) -> None:
        """Do all that is due. What fails is retried later; meanwhile the backlog is handed out if it can be read."""
        may_write = self._closing or self._clock() >= self._retry_at_s
        self._can_read = self._can_read or may_write
        if self._guarded(partial(self._work, may_write=may_write)) and may_write:
            self._failures, self._failure = 0, None

    def _guarded(self, act: Callable[[], None]) -> bool:
        """Whether it succeeded; no failure of a disk ends this thread."""
        self._busy_since_s = self._clock()
        try:
            act()
        except JournalError as error:
            self._note_failure(str(error))
        except Exception as error:  # noqa: BLE001 - the last place where it can be caught; it is reported as a failure
            self._note_failure(f"the journal fails with {type(error).__name__}: {error}")
            self._journal, self._must_scan = None, True
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
            self._scan_if_other(journal)
            self._read(journal)
        if may_write and journal.refusal is not None:
            raise JournalError(journal.refusal)

    def _opened(self) -> Journal:
        if self._journal is None:
            self._can_read = False
            self._journal = self._open_journal()
            self._can_read = True
            self._busy_since_s = self._clock()  # what follows is another operation
        if self._must_scan:
            self._scan(self._journal)
        if not self._was_opened:
            journal = self._journal
            notes = {key: value for key in self._note_keys if (value := journal.note(key)) is not None}
            opened = JournalOpened(
                tuple(journal.open_alarms()), notes, journal.pruned_undelivered, journal.acknowledgements()
            )
            self._was_opened = True
            self._send(opened)
        return self._journal

    def _scan(self, journal: Journal) -> None:
        """Find out what the journal owes."""
        rows, newest = list(journal.owed_rows()), journal.newest_ordinal()
        with self._changed:
            self._outbox.load(rows, newest)
        self._must_scan = False

    def _scan_if_other(self, journal: Journal) -> None:
        """Find out again if the file was replaced: by a salvage, or since somebody removed it."""
        try:
            if journal.newest_ordinal() < self._outbox.newest or self._must_scan:
                self._scan(journal)
        except JournalError:
            self._can_read = False
            raise

    def _send_salvage(self, journal: Journal) -> None:
        if journal.salvage is not None and journal.salvage is not self._salvage_sent:
            self._must_scan = True
            self._salvage_sent = journal.salvage
            self._send(JournalSalvaged(journal.salvage))

    def _write(self, journal: Journal) -> None:
        """Commit in batches until nothing is queued, then notes and acknowledgements."""
        while batch := self._next_batch():
            entries, delivered, settled = batch
            self._busy_since_s = self._clock()
            ordinals = journal.append(entries, delivered=delivered, settled=settled)
            with self._changed:
                self._outbox.commit(ordinals, delivered=delivered)
                self._note_settled(settled)
            self._send(CommitReceipt(tuple(entries)))
            self._read(journal)
        self._write_notes(journal)
        self._settle(journal)

    def _next_batch(self) -> tuple[Sequence[Entry], Sequence[Key], Sequence[tuple[int, int]]] | None:
        """Entries, keys of those that are delivered, and ordinals to settle with them; None if there are none."""
        with self._changed:
            entries = self._outbox.next_batch()
            return (entries, self._outbox.delivered_of(entries), self._outbox.to_settle()) if entries else None

    def _note_settled(self, intervals: Sequence[tuple[int, int]]) -> None:
        self._outbox.settle(intervals)
        self._unsettled_since_s = self._clock()

    def _read(self, journal: Journal) -> None:
        """Read the entries to publish next, as many as there is room for."""
        with self._changed:
            rows = self._outbox.next_unread()
        if not rows:
            return
        try:
            entries = journal.read(ordinal for _, ordinal in rows)
        except JournalError:
            self._can_read = False
            raise
        with self._changed:
            self._outbox.add_read(rows, entries)
        self._send(EntriesRead(len(entries)))

    def _write_notes(self, journal: Journal) -> None:
        with self._changed:
            notes = dict(self._notes)
        for key, value in notes.items():
            journal.set_note(key, value)
            with self._changed:
                if self._notes.get(key) == value:
                    del self._notes[key]

    def _settle(self, journal: Journal) -> None:
        """Write acknowledgements that have waited for long enough, or are many."""
        with self._changed:
            is_due = self._settle_in_s(self._clock()) == 0
            settled = self._outbox.to_settle() if is_due else ()
        if settled:
            journal.settle(settled)
            with self._changed:
                self._note_settled(settled)

    def _close_journal(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()
