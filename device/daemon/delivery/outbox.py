"""The one ledger of what is in flight: every owed change, from its decision until the journal owes it no longer. Pure.

A change is decided, committed (or not, while the disk refuses), offered to the broker, acknowledged, and settled: the
journal has noted that it is owed no more. Each change that is owed is published, and after its acknowledgement not
again in this life, with any number owed and on any disk; within one alarm in the order of `seq`.

    submit ──> uncommitted ──> committed ──> acknowledged ──> settled       the usual way
                    └─ overdue: published from memory, acknowledged before or after its commit
               committed ──> backlog ──> read ──> acknowledged ──> settled  what memory does not hold

What is held is bounded: at most `capacity` uncommitted changes, twice `window` committed ones, the ordinals of the
backlog, and the acknowledged ordinals that are not settled, as intervals. Not thread-safe; the clock is an argument.
Knows no thread, no file and no connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from device.daemon.delivery.backlog import Backlog
from device.daemon.delivery.ordinal_set import OrdinalSet

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from device.alarms.journal.entries import Entry, Key, OwedRow
    from device.daemon.delivery.ordinal_set import Interval

CAPACITY = 2000
"""Uncommitted changes in memory: a night of alarms, a few megabytes."""

OVERDUE_S = 1.0
"""A change that the disk has not committed after this time is published from memory."""

_BATCH_SIZE = 50


@dataclass(slots=True, eq=False)
class Change:
    """An owed change in memory.

    Attributes:
        entry: of the journal.
        since_s: when it was submitted; `-inf` if it was read from the journal.
        is_committed: a disk has it.
        ordinal: of its row in the journal; None if it has none there.
        is_overdue: published from memory, since the disk takes too long.
        was_offered: the broker may hold it.
        is_acknowledged: the broker has it.
    """

    entry: Entry
    since_s: float
    is_committed: bool = False
    ordinal: int | None = None
    is_overdue: bool = False
    was_offered: bool = False
    is_acknowledged: bool = False

    @property
    def is_fresh(self) -> bool:
        """Whether it was decided in this life and has been in memory since."""
        return self.since_s > float("-inf")


class Outbox:
    """All owed changes.

    Args:
        window: committed changes to hold in memory for the broker; twice as many if they are new. 0: there is no
            broker, and whatever is committed is owed to nobody.
        has_disk: False: nothing is ever committed, and everything is published from memory at once.
        capacity: uncommitted changes. Beyond that the acknowledged ones are dropped first, then those not urgent.

    Attributes:
        lost: changes that were neither committed nor acknowledged, for want of room.
        newest: the greatest ordinal that is known to be in the journal.
    """

    def __init__(self, window: int, *, has_disk: bool = True, capacity: int = CAPACITY) -> None:
        self.lost = 0
        self.newest = 0
        self._window = window
        self._has_disk = has_disk
        self._capacity = capacity
        self._owed: dict[Key, Change] = {}  # in memory, not acknowledged
        self._uncommitted: dict[Key, Change] = {}  # in arrival order, acknowledged or not
        self._attempted = 0  # of these, the first so many were given to the disk: it may have them though it says no
        self._committed = 0  # of the owed ones
        self._backlog = Backlog()
        self._unsettled = OrdinalSet()
        self._denied: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return (
            f"Outbox({len(self._owed)} owed in memory, {len(self._uncommitted)} uncommitted, {self._backlog!r},"
            f" {self._unsettled!r} unsettled)"
        )

    # --- how much there is

    @property
    def owed(self) -> int:
        """Changes that the broker has not acknowledged, as far as the journal has been read."""
        return len(self._owed) + len(self._backlog)

    @property
    def uncommitted(self) -> int:
        """Changes that wait for the disk."""
        return len(self._uncommitted) if self._has_disk else 0

    @property
    def unsettled(self) -> int:
        """Acknowledged changes of which the journal does not know that."""
        return len(self._unsettled)

    # --- decided, and on its way to the disk

    def submit(self, entries: Iterable[Entry], now_s: float) -> None:
        """Add changes that were decided now, in order; a key that is known is left alone."""
        if not (self._has_disk or self._window):
            return  # owed to nobody, and kept nowhere
        for entry in entries:
            if entry.key in self._uncommitted or entry.key in self._owed:
                continue
            change = Change(entry, now_s, is_overdue=not self._has_disk)
            self._owed[entry.key] = self._uncommitted[entry.key] = change
            self._backlog.prefer(entry.alarm_id)
        while len(self._uncommitted) > self._capacity:
            self._drop_one()

    def next_batch(self) -> Sequence[Entry]:
        """The oldest uncommitted entries, for the disk; they stay so until `commit`."""
        batch = [change.entry for change in islice(self._uncommitted.values(), _BATCH_SIZE)]
        self._attempted = max(self._attempted, len(batch))
        return batch

    def delivered_of(self, entries: Iterable[Entry]) -> Sequence[Key]:
        """Keys of those uncommitted entries that the broker has already, or that are owed to nobody."""
        keys = [entry.key for entry in entries]
        return [key for key in keys if not self._window or self._uncommitted[key].is_acknowledged]

    def commit(self, ordinals: Mapping[Key, int], delivered: Collection[Key] = ()) -> None:
        """The disk has these entries.

        Args:
            ordinals: of their rows.
            delivered: keys of those that were committed as delivered.
        """
        for key, ordinal in ordinals.items():
            self.newest = max(self.newest, ordinal)
            change = self._uncommitted.pop(key, None)
            if change is None:
                continue  # of an outbox that was handed on meanwhile
            self._attempted = max(0, self._attempted - 1)
            change.is_committed, change.ordinal = True, ordinal
            if change.is_acknowledged or key in delivered:
                self._owed.pop(key, None)
                if key not in delivered:
                    self._unsettled.add(ordinal)
            elif self._must_spill(change):
                del self._owed[key]
                self._backlog.add(change.entry.alarm_id, ordinal, urgent=change.entry.urgent)
            else:
                self._committed += 1

    def _must_spill(self, change: Change) -> bool:
        """Whether the journal alone keeps it: memory is full, or earlier changes of its alarm are there as well."""
        if change.was_offered:
            return False  # it may be in flight
        return self._committed >= 2 * self._window or self._backlog.head(change.entry.alarm_id) is not None

    def _drop_one(self) -> None:
        """Drop the oldest acknowledged change, else the oldest that is not urgent, else the oldest.

        What was given to the disk is kept: after a failed commit it may be there, and would be owed again.
        """

        def worth(change: Change) -> int:
            return 0 if change.is_acknowledged else 2 if change.entry.urgent else 1

        dropped = min(islice(self._uncommitted.values(), self._attempted, None), key=worth)
        key = dropped.entry.key
        self.lost += not dropped.is_acknowledged
        del self._uncommitted[key]
        self._owed.pop(key, None)

    # --- what the journal holds

    def load(self, rows: Iterable[OwedRow], newest: int) -> None:
        """Replace the backlog by what a journal owes that was just opened.

        Args:
            rows: all that is owed: the urgent ones first, newest first, then the others, oldest first.
            newest: the greatest ordinal in it. Greater ones are known of another file, or were lost to damage.
        """
        self.newest = newest
        self._unsettled.truncate(newest)
        in_memory: dict[Key, int] = {}
        self._backlog.load(self._unread(rows, in_memory))
        for key, change in self._owed.items():
            if change.is_committed:
                change.ordinal = in_memory.get(key)

    def _unread(self, rows: Iterable[OwedRow], in_memory: dict[Key, int]) -> Iterable[tuple[str, int]]:
        for row in rows:
            key = row.alarm_id, row.seq
            if key in self._owed or key in self._uncommitted:
                in_memory[key] = row.ordinal
            elif row.ordinal not in self._unsettled:
                yield row.alarm_id, row.ordinal

    def next_unread(self) -> Sequence[tuple[str, int]]:
        """(alarm_id, ordinal) of the entries to read next; none while half of the window is filled."""
        if not self._window:
            return ()
        in_memory = self._committed if 2 * self._committed <= self._window else self._ready()
        if 2 * in_memory > self._window:
            return ()
        return self._backlog.peek(self._window - in_memory, self._denied)

    def _ready(self) -> int:
        """Committed changes in memory that hold up the others: not those that wait for a denied or an unread one."""
        return sum(
            change.is_committed
            and change.entry.alarm_id not in self._denied
            and not self._must_wait(change, journal_answers=True)
            for change in self._owed.values()
        )

    def add_read(self, rows: Sequence[tuple[str, int]], entries: Mapping[int, Entry]) -> None:
        """These rows were read: ordinal -> entry. Those that are missing were deleted for want of room."""
        self._backlog.remove(rows)
        for _, ordinal in rows:
            entry = entries.get(ordinal)
            if entry is not None and entry.key not in self._owed:
                self._owed[entry.key] = Change(entry, float("-inf"), is_committed=True, ordinal=ordinal)
                self._committed += 1

    def to_settle(self) -> Sequence[Interval]:
        """Ordinals of acknowledged changes that the journal still owes."""
        return self._unsettled.intervals

    def settle(self, intervals: Iterable[Interval]) -> None:
        """The journal has noted that it owes these no longer."""
        self._unsettled.remove(intervals)

    # --- to the broker

    def to_offer(
        self, held: Collection[Key], denied: frozenset[str], overdue_at_s: float, *, journal_answers: bool = True
    ) -> Sequence[Change]:
        """The changes that the broker may be offered now, in order: new urgent alarms, new ones, then the others.

        No change comes before an earlier one of its alarm that is owed. One that is not committed does not wait for
        earlier ones on a disk that does not answer.

        Args:
            held: keys that the broker's client holds, or that it was denied a short time ago. It must have been asked
                before the last acknowledgements were processed, or one of these would be offered again.
            denied: alarms of which a change was denied.
            overdue_at_s: what is uncommitted is judged overdue by this time; infinite: all of it.
            journal_answers: whether the backlog can be read.
        """
        self._denied = denied
        self._mark_overdue(overdue_at_s)
        blocked: set[str] = set()
        offered = []
        for change in sorted(self._owed.values(), key=self._order()):
            alarm_id = change.entry.alarm_id
            if alarm_id in blocked or change.entry.key in held:
                continue
            if self._must_wait(change, journal_answers=journal_answers):
                blocked.add(alarm_id)
            else:
                change.was_offered = True
                offered.append(change)
        return offered

    def acknowledge(self, key: Key) -> Entry | None:
        """The broker has it, or it can never be published: it is not owed any more.

        Returns the entry; None if it was not owed.
        """
        change = self._owed.pop(key, None)
        if change is None:
            return None
        change.is_acknowledged = True
        if change.is_committed:
            self._committed -= 1
            if change.ordinal is not None:
                self._unsettled.add(change.ordinal)
        elif not self._has_disk:
            self._uncommitted.pop(key, None)
        return change.entry

    def _mark_overdue(self, at_s: float) -> None:
        for change in self._uncommitted.values():
            change.is_overdue = change.is_overdue or at_s - change.since_s >= OVERDUE_S

    def _must_wait(self, change: Change, *, journal_answers: bool) -> bool:
        if not (change.is_committed or change.is_overdue):
            return True
        if not journal_answers:
            return False
        head = self._backlog.head(change.entry.alarm_id)
        if head is None:
            return False
        if change.ordinal is None:
            return not change.is_committed  # else of a file that is gone: it came before all in this one
        return head < change.ordinal

    def _order(self) -> Callable[[Change], tuple[int, bool]]:
        """Sort key, by alarm: those with a new urgent change, those with a new one, the others; stable in each."""
        ranks: dict[str, int] = {}
        for change in self._owed.values():
            if change.is_fresh:
                rank = 0 if change.entry.urgent else 1
                ranks[change.entry.alarm_id] = min(rank, ranks.get(change.entry.alarm_id, 1))
        return lambda change: (ranks.get(change.entry.alarm_id, 2), change.is_fresh)

    # --- another configuration

    def resize(self, window: int) -> bool:
        """Hold another number of committed changes for the broker from now on; whether it is another one.

        0 if there is no broker any more.
        """
        is_other, self._window = window != self._window, window
        return is_other

    def successor(self, *, has_disk: bool, same_journal: bool) -> Outbox:
        """The outbox of a daemon that goes on with another journal, or opens the same one anew; this one is spent."""
        after = Outbox(self._window, has_disk=has_disk, capacity=self._capacity)
        after.lost, after._committed = self.lost, self._committed
        after._owed, after._uncommitted = self._owed, self._uncommitted
        if same_journal:
            after._unsettled, after.newest, after._attempted = self._unsettled, self.newest, self._attempted
            return after
        for change in after._owed.values():
            change.ordinal = None
        if not has_disk:
            after._uncommitted = {key: change for key, change in after._uncommitted.items() if key in after._owed}
            after._mark_overdue(float("inf"))
        return after
