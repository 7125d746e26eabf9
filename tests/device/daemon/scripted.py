"""Fakes of journal, broker and pins that a test controls step by step, and clocks that it advances."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from device.alarms.journal.entries import OwedRow
from device.daemon.delivery.journal_messages import CommitReceipt, JournalOpened
from device.daemon.delivery.outbox import Outbox
from device.runtime.clocks import Clocks, Timekeeper
from device.sinks.mqtt.link import Counts, Link
from device.sinks.mqtt.send_queue import Held

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from device.alarms.journal.entries import Entry, Key
    from device.alarms.machine import Signal
    from device.daemon.delivery.journal_messages import JournalFailure
    from device.daemon.delivery.outbox import Change
    from device.daemon.delivery.reply_queue import ReplyQueue
    from device.sinks.mqtt.send_queue import OwedMessage
    from device.sinks.payloads import Message

NOON_S = 1_700_000_000.0
UP = Link("connected", 0.0, "connected")
DOWN = Link("lost", 0.0, "nothing listens there")


class ManualClocks:
    """Both clocks, set by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.utc_s = NOON_S
        self.synchronized = True
        clocks = Clocks(lambda: self.now_s, lambda: self.utc_s)
        self.timekeeper = Timekeeper(clocks, is_synchronized=lambda: self.synchronized)

    def advance(self, seconds: float) -> None:
        """Let time pass on both."""
        self.now_s += seconds
        self.utc_s += seconds


class ScriptedModels:
    """Models whose sensitivity can be set."""

    def __init__(self, **configured: int) -> None:
        self.configured_sensitivity = {(label, label): value for label, value in configured.items()}
        self.in_force: dict[tuple[str, str], int] = {}

    def set_sensitivity(self, label: tuple[str, str], sensitivity: int) -> None:
        self.in_force[label] = sensitivity


class ScriptedJournal:
    """A real outbox, whose disk commits what waits when a test calls `commit`.

    Attributes:
        committed: entries, in order.
        acknowledged: keys that the broker has, or that are owed to nobody.
        notes: values by key.
        current_failure: why nothing is committed at present.
    """

    def __init__(self, clocks: ManualClocks, replies: ReplyQueue, *, window: int = 20) -> None:
        self.committed: list[Entry] = []
        self.acknowledged: list[Key] = []
        self.notes: dict[str, str] = {}
        self.current_failure: JournalFailure | None = None
        self._clocks = clocks
        self._replies = replies
        self._outbox = Outbox(window)

    @property
    def lost(self) -> int:
        return self._outbox.lost

    @property
    def waiting(self) -> int:
        return self._outbox.uncommitted

    @property
    def owed(self) -> int:
        return self._outbox.owed

    def open(
        self,
        alarms: Sequence[tuple[str, int]] = (),
        notes: dict[str, str] | None = None,
        *,
        owed: int = 0,
        acknowledgements: dict[str, str] | None = None,
    ) -> None:
        """Report that the journal was read for the first time."""
        self._outbox.load([OwedRow(number, f"old-{number}", 0) for number in range(1, owed + 1)], owed)
        self._replies.put(JournalOpened(tuple(alarms), notes or {}, 0, acknowledgements or {}))

    def commit(self) -> None:
        """Commit all that waits, and read all that is owed."""
        while entries := self._outbox.next_batch():
            delivered = self._outbox.delivered_of(entries)
            first = 1000 + len(self.committed)
            ordinals = {entry.key: first + number for number, entry in enumerate(entries)}
            self._outbox.commit(ordinals, delivered)
            self.committed.extend(entries)
            self.acknowledged.extend(key for key in delivered if key not in self.acknowledged)
            self._replies.put(CommitReceipt(tuple(entries)))
        while rows := self._outbox.next_unread():
            kept = {1000 + number: entry for number, entry in enumerate(self.committed)}
            self._outbox.add_read(rows, {ordinal: kept[ordinal] for _, ordinal in rows if ordinal in kept})

    def submit(self, entries: Sequence[Entry]) -> None:
        self._outbox.submit(entries, self._clocks.now_s)

    def to_offer(self, held: Held, overdue_at_s: float) -> Sequence[Change]:
        return self._outbox.to_offer(held.keys, held.denied, overdue_at_s)

    def acknowledge(self, key: Key) -> Entry | None:
        self.acknowledged.append(key)
        return self._outbox.acknowledge(key)

    def resize(self, window: int) -> None:
        self._outbox.resize(window)

    def take_outbox(self) -> Outbox:
        return self._outbox

    def set_note(self, key: str, value: str) -> None:
        self.notes[key] = value

    def failure(self, now_s: float) -> JournalFailure | None:  # noqa: ARG002 - as of any journal
        return self.current_failure

    def stalled_s(self, now_s: float) -> float:  # noqa: ARG002 - as of any journal
        return 0.0

    def close(self, deadline_s: float) -> bool:  # noqa: ARG002 - as of any journal
        return True


class ScriptedBroker:
    """A broker that accepts what it is offered, and acknowledges it when a test calls `acknowledge`.

    Attributes:
        published: topic -> newest message.
        sent: what was sent of alarms, in order, as it was at its first try.
    """

    def __init__(self, replies: ReplyQueue, room: int = 20) -> None:
        self.link = UP
        self.counts = Counts(connected=1)
        self.stuck_s = 0.0
        self.unanswered_since_s: float | None = None
        self.published: dict[str, Message] = {}
        self.sent: list[dict[str, Any]] = []
        self._replies = replies
        self._limit = room
        self._held: dict[Key, OwedMessage] = {}

    @property
    def held(self) -> Held:
        return Held(self.counts.connected, frozenset(self._held))

    @property
    def room(self) -> int:
        return self._limit - len(self._held) if self.link.is_up else 0

    def stuck_for_s(self, now_s: float) -> float:  # noqa: ARG002 - as of any broker
        return self.stuck_s

    def start(self) -> None:
        """It runs."""

    def offer(self, messages: Iterable[OwedMessage], generation: int) -> int:
        if generation != self.counts.connected:
            return 0
        fresh = [message for message in messages if message.key not in self._held][: self.room]
        for message in fresh:
            self._held[message.key] = message
            self.sent.append({**json.loads(message.payload()), "topic": message.topic})
        return len(fresh)

    def publish(self, message: Message) -> None:
        self.published[message.topic] = message

    def acknowledge(self, count: int | None = None) -> None:
        """Acknowledge the oldest `count` of the held messages, or all."""
        for key in list(self._held)[:count]:
            del self._held[key]
            self._replies.acknowledged(key)

    def reconnect(self) -> None:
        """Make another connection."""
        self.link = UP
        self.counts = replace(self.counts, connected=self.counts.connected + 1)

    def close(self, deadline_s: float) -> bool:  # noqa: ARG002 - as of any broker
        return True


class FakePins:
    """Pins that remember what they showed."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.shown: list[Signal] = []
        self.beats = 0

    def show(self, signal: Signal) -> None:
        if self.shown[-1:] != [signal]:
            self.shown.append(signal)

    def beat(self) -> None:
        self.beats += 1

    def close(self) -> None:
        """Nothing is open."""
