"""The law of the outbox: what is owed is published, in order, and after its acknowledgement never again in this life.

A model of disk, broker and people: the disk commits, refuses, stalls, loses its file; connections are lost with what is
in flight; acknowledgements come late or are lost; changes are denied; the daemon is killed and starts again.
AURICLE_LAW_SCALE multiplies how many are owed by one rule.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from device.alarms.journal.entries import Entry, Key, OwedRow
from device.daemon.delivery.outbox import OVERDUE_S, Outbox
from device.sinks.mqtt.send_queue import OwedMessage, SendQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.daemon.delivery.outbox import Change
    from device.sinks.mqtt.send_queue import Held

SCALE = int(os.environ.get("AURICLE_LAW_SCALE", "1"))
WINDOW, CAPACITY, ALARMS = 5, 60, 4


@dataclass
class Disk:
    """What a journal's file holds: ordinal -> entry, and which of them are owed."""

    rows: dict[int, Entry] = field(default_factory=dict)
    owed: set[int] = field(default_factory=set)
    refuses: bool = False
    ordinals: dict[Key, int] = field(default_factory=dict)
    newest: int = 0

    def append(self, entries: list[Entry], delivered: list[Key]) -> dict[Key, int]:
        for entry in entries:
            if entry.key not in self.ordinals:
                self.newest += 1
                self.rows[self.newest], self.ordinals[entry.key] = entry, self.newest
                self.owed.add(self.newest)
        self.owed -= {self.ordinals[key] for key in delivered if key in self.ordinals}
        return {entry.key: self.ordinals[entry.key] for entry in entries}

    def owed_rows(self) -> list[OwedRow]:
        """As the journal's query orders them."""
        places = sorted(-ordinal if self.rows[ordinal].urgent else ordinal for ordinal in self.owed)
        return [OwedRow(abs(place), *self.rows[abs(place)].key) for place in places]


class OutboxLaw(RuleBasedStateMachine):
    """The outbox between a disk, a real send queue and people who remember all that they receive."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.disk = Disk()
        self.stalls = False
        self.decided: dict[Key, Entry] = {}  # in any life
        self.received: set[Key] = set()  # at least once, in any life
        self.seqs: dict[str, int] = defaultdict(int)
        self.alarms = 0
        self._start()

    def _start(self) -> None:
        self.outbox = Outbox(WINDOW, capacity=CAPACITY)
        self.outbox.load(self.disk.owed_rows(), self.disk.newest)
        self.queue = SendQueue(WINDOW)
        self.on_wire: list[Key] = []
        self.answers: list[Key] = []  # on their way back from the broker
        self.reported: list[Key] = []  # in the main loop's queue
        self.acknowledged: set[Key] = set()  # in this life
        self.denied: set[str] = set()
        self.first_received: list[Key] = []  # in this life, in order
        self.overtaken: set[str] = set()  # alarms whose later changes need not wait, as documented
        self._connect()

    def _connect(self) -> None:
        self.queue.connection_opened()

    # --- decisions and the disk

    def _decide(self, alarm: int, *, urgent: bool) -> None:
        alarm_id = f"a{alarm}"
        entry = Entry(alarm_id, self.seqs[alarm_id], 0.0, urgent, "{}", "{}")
        self.seqs[alarm_id] += 1
        self.decided[entry.key] = entry
        lost = self.outbox.lost
        self.outbox.submit([entry], self.now_s)
        if self.outbox.lost > lost:
            assert self._forget_what_is_nowhere() <= self.outbox.lost - lost

    def _forget_what_is_nowhere(self) -> int:
        """Owe people no longer what was never received and is neither in memory nor on the disk; how many that is."""
        known = self.received | self.outbox._owed.keys() | self.outbox._uncommitted.keys() | self.disk.ordinals.keys()
        gone = self.decided.keys() - known
        for key in gone:
            del self.decided[key]
        return len(gone)

    @rule(alarm=st.integers(0, ALARMS), urgent=st.booleans())
    def a_change_is_decided(self, alarm: int, *, urgent: bool) -> None:
        self._decide(alarm, urgent=urgent)

    @rule(count=st.integers(1, 30 * SCALE), urgent=st.booleans(), of_one=st.booleans())
    def many_are_decided_and_committed(self, count: int, *, urgent: bool, of_one: bool) -> None:
        for number in range(count):
            self.alarms += not of_one
            self._decide(0 if of_one else 100 + self.alarms, urgent=urgent)
            if number % 20 == 19:
                self.the_disk_commits()

    @rule()
    def the_disk_commits(self) -> None:
        if self.disk.refuses or self.stalls:
            self.outbox.next_batch()
            return
        while entries := self.outbox.next_batch():
            delivered = list(self.outbox.delivered_of(entries))
            self.outbox.commit(self.disk.append(list(entries), delivered), delivered)
        self._read()

    @rule(acknowledged=st.integers(0, 3))
    def an_acknowledgement_comes_while_the_disk_commits(self, acknowledged: int) -> None:
        entries = self.outbox.next_batch()
        delivered = list(self.outbox.delivered_of(entries))
        for _ in range(acknowledged):
            self.the_broker_answers()
            self.the_loop_turns()
        if entries and not (self.disk.refuses or self.stalls):
            self.outbox.commit(self.disk.append(list(entries), delivered), delivered)

    @rule()
    def a_commit_fails_and_was_one_nevertheless(self) -> None:
        """The log holds what the disk did not confirm; opening the file again finds it there."""
        self.disk.append(list(self.outbox.next_batch()), [])

    @rule()
    def acknowledgements_are_settled(self) -> None:
        if not (self.disk.refuses or self.stalls):
            intervals = self.outbox.to_settle()
            assert len(intervals) <= len(self.disk.rows) + 1
            for first, last in intervals:
                settled = {ordinal for ordinal in self.disk.owed if first <= ordinal <= last}
                assert {self.disk.rows[ordinal].key for ordinal in settled} <= self.acknowledged
                self.disk.owed -= settled
            self.outbox.settle(intervals)

    @rule(refuses=st.booleans())
    def the_disk_refuses_or_recovers(self, *, refuses: bool) -> None:
        self.disk.refuses = refuses

    @rule(stalls=st.booleans())
    def the_disk_stalls_or_goes_on(self, *, stalls: bool) -> None:
        self.stalls = stalls

    @rule()
    def the_file_is_removed(self) -> None:
        """Its successor uses the same ordinals for other entries."""
        self.disk = Disk(refuses=self.disk.refuses)
        self.the_journal_is_opened_again()
        self._forget_what_is_nowhere()

    @rule()
    def the_journal_is_opened_again(self) -> None:
        self.outbox.load(self.disk.owed_rows(), self.disk.newest)

    @rule()
    def a_reload_opens_the_same_journal_anew(self) -> None:
        self.outbox = self.outbox.successor(has_disk=True, same_journal=True)
        self.the_journal_is_opened_again()

    @rule()
    def the_journal_is_read(self) -> None:
        self._read()

    def _read(self) -> None:
        if not self.stalls and (rows := self.outbox.next_unread()):
            entries = {ordinal: self.disk.rows[ordinal] for _, ordinal in rows if ordinal in self.disk.rows}
            self.outbox.add_read(rows, entries)

    @rule(seconds=st.sampled_from([0.1, OVERDUE_S, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds

    # --- the broker

    @rule()
    def the_loop_turns(self) -> None:
        held = self.queue.held(self.now_s)
        reported, self.reported = self.reported, []
        for key in reported:
            self.outbox.acknowledge(key)
        changes = self._to_offer(held)
        for change in changes:
            assert change.entry.key not in self.acknowledged, "it is offered after its acknowledgement"
        messages = [OwedMessage(change.entry.key, "t", lambda: b"") for change in changes]
        self.queue.accept(messages, self.now_s, held.generation)

    def _to_offer(self, held: Held) -> Sequence[Change]:
        changes = self.outbox.to_offer(held.keys, held.denied, self.now_s, journal_answers=not self.stalls)
        ids = {change.entry.alarm_id for change in changes}
        if self.stalls:
            self.overtaken |= {alarm_id for alarm_id in ids if self.outbox._backlog.head(alarm_id) is not None}
        return changes

    @rule()
    def an_offer_is_made_for_a_connection_that_is_lost_meanwhile(self) -> None:
        held = self.queue.held(self.now_s)
        changes = self._to_offer(held)
        self.the_connection_is_lost()
        messages = [OwedMessage(change.entry.key, "t", lambda: b"") for change in changes]
        assert self.queue.accept(messages, self.now_s, held.generation) == 0

    @rule()
    def the_queue_sends(self) -> None:
        while (message := self.queue.next_alarm()) is not None:
            self.on_wire.append(message.key)

    @rule(count=st.integers(1, 5))
    def the_broker_receives(self, count: int) -> None:
        for key in self.on_wire[:count]:
            if key[0] in self.denied:
                self.queue.deny(key, self.now_s + 30.0)
                self.overtaken.add(key[0])  # by what was in flight behind it
                continue
            assert key not in self.acknowledged, "it is published after its acknowledgement"
            if key not in self.first_received:
                self.first_received.append(key)
            self.received.add(key)
            self.answers.append(key)
        del self.on_wire[:count]

    @rule()
    def the_broker_answers(self) -> None:
        if self.answers:
            self._answer(self.answers.pop(0))

    def _answer(self, key: Key) -> None:
        def report(key: Key) -> None:
            self.reported.append(key)
            self.acknowledged.add(key)

        self.queue.acknowledge(key, report)

    @rule()
    def the_connection_is_lost(self) -> None:
        """With it goes what was on its way, to the broker and back."""
        self.on_wire.clear()
        self.answers.clear()
        self._connect()

    @rule(alarm=st.integers(0, ALARMS), denied=st.booleans())
    def the_rights_of_an_alarm_change(self, alarm: int, *, denied: bool) -> None:
        (self.denied.add if denied else self.denied.discard)(f"a{alarm}")

    @rule()
    def the_daemon_is_killed_and_starts_again(self) -> None:
        """What no disk and no broker had is lost with it."""
        self._start()
        self._forget_what_is_nowhere()

    @rule()
    def all_is_well_for_a_while(self) -> None:
        """Then everything that was decided and not lost is received, and nothing is sent any more."""
        self.disk.refuses = self.stalls = False
        self.denied.clear()
        self._drain()
        assert self.outbox.owed == 0
        assert self.decided.keys() <= self.received
        self.acknowledgements_are_settled()
        assert not self.disk.owed
        sent = len(self.on_wire)
        self.the_loop_turns()
        self.the_queue_sends()
        assert len(self.on_wire) == sent == 0

    @rule()
    def a_disk_that_only_refuses_hinders_nobody(self) -> None:
        """The case that was reported: any number owed, none of it can be settled."""
        self.disk.refuses, self.stalls = True, False
        self.denied.clear()
        self.now_s += OVERDUE_S
        self._drain()
        assert self.outbox.owed == 0
        assert self.decided.keys() <= self.received
        self.the_loop_turns()
        assert not self.queue.has_unsent
        self.a_reload_opens_the_same_journal_anew()
        self._read()
        assert self.outbox.owed == 0, "what was acknowledged is owed again, since the disk does not know it"

    @rule(count=st.integers(1, 8))
    def the_file_is_removed_and_another_one_begins(self, count: int) -> None:
        """Ordinals that were acknowledged in the old file settle nothing in the new one."""
        self.a_disk_that_only_refuses_hinders_nobody()
        self.the_file_is_removed()
        self.disk.refuses = False
        for _ in range(count):
            self._decide(1, urgent=False)
        self.the_disk_commits()
        self.acknowledgements_are_settled()
        assert len(self.disk.owed) == self.outbox.owed

    @rule(count=st.integers(1, 2 * CAPACITY))
    def more_is_decided_than_memory_holds_while_a_commit_is_in_doubt(self, count: int) -> None:
        """What was acknowledged and may be on the disk is not forgotten."""
        self.a_disk_that_only_refuses_hinders_nobody()
        for _ in range(3):
            self._decide(2, urgent=False)
        self.a_disk_that_only_refuses_hinders_nobody()
        self.a_commit_fails_and_was_one_nevertheless()
        for _ in range(count):
            self._decide(3, urgent=True)
        self.the_journal_is_opened_again()
        self._read()
        self.the_loop_turns()

    def _drain(self) -> None:
        idle = 0
        while self.outbox.owed or idle < 2:
            before = len(self.acknowledged)
            self.now_s += 40.0
            self.the_disk_commits()
            self._read()
            self.the_loop_turns()
            self.the_queue_sends()
            while self.on_wire:
                self.the_broker_receives(5)
            while self.answers:
                self.the_broker_answers()
            idle = idle + 1 if len(self.acknowledged) == before else 0
            assert idle < 10, self.outbox

    # --- what always holds

    @invariant()
    def the_first_copies_of_one_alarm_come_in_the_order_of_seq(self) -> None:
        newest: dict[str, int] = {}
        for alarm_id, seq in self.first_received:
            assert newest.get(alarm_id, -1) < seq or alarm_id in self.overtaken, self.first_received
            newest[alarm_id] = seq

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.outbox._uncommitted) <= CAPACITY + 50
        committed = sum(change.is_committed for change in self.outbox._owed.values())
        assert committed == self.outbox._committed
        assert committed <= 2 * WINDOW + CAPACITY + (ALARMS + 1) * WINDOW


OutboxLaw.TestCase.settings = settings(
    max_examples=int(os.environ.get("AURICLE_LAW_EXAMPLES", "100")),
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestOutboxLaw = OutboxLaw.TestCase
