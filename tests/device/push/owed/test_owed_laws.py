"""The law of what is owed, whatever happens: each change is accepted at least once, and after its receipt not again.

A journal grows, is followed, services accept, refuse or accept without our learning it, the disk refuses to save, the
process is killed, and time passes. The receipts are in a real file.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st

from device.alarms.journal.entries import Mark, Row
from device.alarms.journal.following import Following, Present
from device.config.push.notify_settings import NotifySettings
from device.push.owed.ledger_content import OwedKey
from device.push.owed.notify_rule import NotifyRule
from device.push.owed.owed_ledger import OwedLedger
from device.push.owed.receipt_store import ReceiptStore
from tests.device.push.alarm_entries import UTC_S, entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.messages import AlarmChange as ChangeKind
    from device.messages import Priority
    from device.push.owed.owed_ledger import Delivery

RULES = (NotifyRule(NotifySettings("phone")), NotifyRule(NotifySettings("pager", priorities=("high",))))
PRIORITIES: tuple[Priority, ...] = ("high", "medium", "low")
NEXT: dict[str, tuple[ChangeKind, ...]] = {
    "raised": ("reminded", "priority", "latched", "acknowledged", "ended"),
    "reminded": ("reminded", "latched", "acknowledged", "ended"),
    "priority": ("reminded", "latched", "acknowledged", "ended"),
    "latched": ("reminded", "acknowledged", "ended", "reopened"),
    "acknowledged": ("ended",),
    "ended": ("reopened",),
    "reopened": ("reminded", "latched", "acknowledged", "ended"),
}
"""What may follow a change, as the alarm machine makes them."""


class Night:
    """The journal, the ledger, its receipts and what the services have: a state machine, driven by a script."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")  # noqa: S108 - a disk would only make it slow: no power is cut here
        self.folder = Path(tempfile.mkdtemp(prefix="auricle-push-", dir=memory if memory.is_dir() else None))
        self.rows: list[Row] = []
        self.last: dict[str, tuple[int, ChangeKind, Priority]] = {}  # alarm id -> seq, change, priority
        self.now_s = 0.0
        self.accepted: set[OwedKey] = set()  # by the service
        self.known: set[OwedKey] = set()  # and the ledger of this life knows it
        self.receipted: set[OwedKey] = set()  # and it is on disk
        self.disk_refuses = False
        self.store = ReceiptStore(self.folder / "push.db")
        self.ledger = OwedLedger(RULES, self.store.load())
        self.ledger.begin(Present((), {}, None), self.now_s)
        self.save(0)

    def close(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    # --- the daemon

    def raise_alarm(self, number: int) -> None:
        self._append(f"s-cry-cry-{len(self.last)}", 0, "raised", PRIORITIES[number % 3])

    def change_alarm(self, number: int) -> None:
        if not self.last:
            return
        alarm_id = sorted(self.last)[number % len(self.last)]
        seq, before, priority = self.last[alarm_id]
        change = NEXT[before][number % len(NEXT[before])]
        self._append(alarm_id, seq + (1000 if number % 4 == 0 else 1), change, priority)  # 1000 after a restart

    def _append(self, alarm_id: str, seq: int, change: ChangeKind, priority: Priority) -> None:
        written = entry(alarm_id, seq, change, priority=priority, utc_s=UTC_S + self.now_s)
        self.rows.append(Row(len(self.rows) + 1, written, written.ended, 1))
        self.last[alarm_id] = (seq, change, priority)

    # --- the process

    def follow(self, number: int) -> None:
        begin = 0 if self.ledger.mark is None else self.ledger.mark.ordinal
        self._take(self.rows[begin : begin + 1 + number])

    def read_a_replaced_journal(self, _number: int) -> None:
        """All of it comes again; what was handled before changes nothing."""
        self._take(self.rows)

    def _take(self, rows: list[Row]) -> None:
        last = rows[-1] if rows else None
        mark = self.ledger.mark if last is None else Mark(last.ordinal, last.entry.alarm_id, last.entry.seq)
        self.ledger.take(Following(rows, mark, is_other_file=False), self.now_s)

    def fill_or_empty_the_disk(self, number: int) -> None:
        self.disk_refuses = number % 2 == 0

    def save(self, _number: int) -> None:
        update = self.ledger.unsaved()
        if update is not None and not self.disk_refuses:
            assert self.store.save(update)
            self.ledger.saved()
            self.receipted |= self.known

    def is_accepted(self, number: int) -> None:
        """The service accepts, and we learn it."""
        delivery, keys = self._next(number)
        if delivery is not None:
            self.accepted |= keys
            self.known |= keys
            self.ledger.accept(delivery, "")

    def is_accepted_unheard(self, number: int) -> None:
        """The service accepts, and its answer is lost."""
        self.accepted |= self._next(number)[1]

    def is_refused(self, number: int) -> None:
        self._next(number)

    def _next(self, number: int) -> tuple[Delivery | None, set[OwedKey]]:
        name = RULES[number % 2].name
        delivery = self.ledger.next_delivery(name, utc_s=UTC_S + self.now_s, now_s=self.now_s)
        if delivery is None:
            return None, set()
        keys = [OwedKey(name, change.alarm_id, change.seq) for change in delivery.changes]
        assert not self.receipted & set(keys), "sent again after its receipt"
        assert not self.known & set(keys), "sent again in the life that knows of its acceptance"
        for key in keys:
            later = [other for other in self.known | set(keys[: keys.index(key)]) if other[:2] == key[:2]]
            assert all(other.seq < key.seq for other in later), "sent after a later change of its alarm"
        return delivery, set(keys)

    def wait(self, number: int) -> None:
        self.now_s += (0.5, 30.0, 61.0, 7200.0)[number % 4]

    def kill_and_restart(self, _number: int) -> None:
        self.store.close()
        self.store = ReceiptStore(self.folder / "push.db")
        self.ledger = OwedLedger(RULES, self.store.load())
        self.ledger.begin(self._present(), self.now_s)
        self.known = set(self.receipted)

    def _present(self) -> Present:
        newest = {row.entry.alarm_id: row for row in self.rows}
        open_rows = [row for row in newest.values() if self.last[row.entry.alarm_id][1] != "ended"]
        mark = Mark(self.rows[-1].ordinal, self.rows[-1].entry.alarm_id, self.rows[-1].entry.seq) if self.rows else None
        return Present(open_rows, {alarm_id: seq for alarm_id, (seq, _, _) in self.last.items()}, mark)

    # --- the end of all faults

    def settle(self) -> None:
        """Everything was accepted at least once, nothing that no rule wants, and nothing is owed."""
        self.disk_refuses = False
        self._take(self.rows)
        for number, each in enumerate(RULES):
            while self.ledger.owed_to(each.name):
                self.is_accepted(number)
            assert {key for key in self.accepted if key.rule == each.name} == self._wanted(each)
        self.save(0)
        self.kill_and_restart(0)
        assert [self.ledger.owed_to(each.name) for each in RULES] == [0, 0]

    def _wanted(self, each: NotifyRule) -> set[OwedKey]:
        """From its first change on, every change of an alarm whose priority the rule names."""
        entries = [row.entry for row in self.rows if self.last[row.entry.alarm_id][2] in each.settings.priorities]
        return {OwedKey(each.name, written.alarm_id, written.seq) for written in entries}


STEPS = (
    Night.raise_alarm,
    Night.change_alarm,
    Night.change_alarm,
    Night.follow,
    Night.follow,
    Night.save,
    Night.is_accepted,
    Night.is_accepted,
    Night.is_accepted_unheard,
    Night.is_refused,
    Night.wait,
    Night.kill_and_restart,
    Night.read_a_replaced_journal,
    Night.fill_or_empty_the_disk,
)
SCRIPTS = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 11)), min_size=25, max_size=60)
"""Scripts rather than rules of `hypothesis.stateful`, whose short runs hardly ever get beyond the first alarm."""


@settings(max_examples=25, deadline=None)
@example([(Night.raise_alarm, 0), (Night.follow, 9), (Night.save, 0), (Night.kill_and_restart, 0)])
@example([(Night.raise_alarm, 0), (Night.kill_and_restart, 0)])  # begun with an empty journal, then away
@example([(Night.raise_alarm, 0), (Night.kill_and_restart, 0), (Night.change_alarm, 4), (Night.kill_and_restart, 0)])
@given(SCRIPTS)
def test_each_change_is_accepted_at_least_once_and_after_its_receipt_not_again(
    script: list[tuple[Callable[[Night, int], None], int]],
) -> None:
    night = Night()
    try:
        for step, number in script:
            step(night, number)
        night.settle()
    finally:
        night.close()
