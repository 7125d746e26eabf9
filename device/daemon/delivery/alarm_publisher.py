"""Offers the broker each change of an alarm until it is acknowledged, or until the journal hands it out again.

Holds the entries that the journal handed out and those that are published from memory, in arrival order and within a
bound. After each new connection the journal hands out again, since it knows what is most urgent by then. Belongs to the
main loop; knows no connection, only a broker to offer to.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from device.sinks.mqtt.send_queue import OwedMessage
from device.sinks.payloads import alarm_payload

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from device.alarms.journal.entries import Entry, Key
    from device.runtime.clocks import Timekeeper
    from device.sinks.mqtt.link import Counts, Link
    from device.sinks.payloads import Message, Topics

MAX_FROM_MEMORY = 2000
"""Entries that neither a disk nor a broker accepts; beyond that the oldest that is not urgent is dropped."""

_MAX_DECIDED = 4000
_HELD_S = 1.0
"""What the broker's thread held a moment ago was either acknowledged, which it reports soon, or refused."""


class Broker(Protocol):
    """Accepts alarms; see `Mqtt`."""

    @property
    def link(self) -> Link:
        """State of the connection."""

    @property
    def counts(self) -> Counts:
        """Since the start."""

    @property
    def pending_keys(self) -> frozenset[Key]:
        """What must not be offered now."""

    @property
    def room(self) -> int:
        """How many alarms would be accepted now."""

    def stuck_for_s(self, now_s: float) -> float:
        """How long its thread has not turned."""

    def offer(self, messages: Iterable[OwedMessage]) -> int:
        """Accept, in order, as many as may be unacknowledged, and none that waits for a denied change of its alarm."""

    def publish(self, message: Message) -> None:
        """Publish the newest message of its topic."""

    def start(self) -> None:
        """Start its thread; once."""

    def close(self, deadline_s: float) -> bool:
        """Disconnect."""


@dataclass(slots=True)
class _Outgoing:
    """An entry to publish, and when the broker's thread was last seen to hold it."""

    entry: Entry
    topic: str
    held_s: float = float("-inf")


class AlarmPublisher:
    """Offers entries again and again until they are acknowledged.

    Args:
        topics: of the instance.
        timekeeper: measures how late each entry is published.

    Attributes:
        lost: entries that were neither committed nor published, for want of room.
    """

    def __init__(self, topics: Topics, timekeeper: Timekeeper) -> None:
        self.lost = 0
        self._topics = topics
        self._timekeeper = timekeeper
        self._outgoing: dict[Key, _Outgoing] = {}
        self._from_memory: dict[Key, None] = {}  # not committed yet
        self._decided_s: dict[Key, float] = {}
        self._decided: deque[Key] = deque()
        self._connections = 0

    def __repr__(self) -> str:
        return f"AlarmPublisher({len(self._outgoing)} outgoing, {len(self._from_memory)} of them not committed)"

    def use_topics(self, topics: Topics) -> None:
        """Publish to another broker from now on, or under other topics."""
        self._topics = topics
        self._connections = 0
        self._outgoing = {
            key: _Outgoing(outgoing.entry, topics.alarm_of(outgoing.entry.body))
            for key, outgoing in self._outgoing.items()
        }

    @property
    def waiting(self) -> int:
        """Entries that the broker has not acknowledged, of those that were added."""
        return len(self._outgoing)

    def record_decided(self, keys: Iterable[Key], now_s: float) -> None:
        """Note when entries were decided, from which their lateness counts."""
        for key in keys:
            self._decided_s[key] = now_s
            self._decided.append(key)
        while len(self._decided) > _MAX_DECIDED:
            self._decided_s.pop(self._decided.popleft(), None)

    def add_owed(self, entries: Iterable[Entry]) -> list[Key]:
        """Add entries that the journal owes; return the keys of those that no topic can be derived from."""
        malformed = []
        for entry in entries:
            self._from_memory.pop(entry.key, None)
            if entry.key not in self._outgoing:
                try:
                    self._outgoing[entry.key] = _Outgoing(entry, self._topics.alarm_of(entry.body))
                except ValueError:
                    malformed.append(entry.key)
        return malformed

    def add_from_memory(self, entries: Iterable[Entry]) -> None:
        """Add entries that are not committed yet; they are published as not durable."""
        for entry in entries:
            self._from_memory[entry.key] = None
            self._outgoing.setdefault(entry.key, _Outgoing(entry, self._topics.alarm_of(entry.body)))
        while len(self._from_memory) > MAX_FROM_MEMORY:
            self._drop_one()

    def mark_durable(self, keys: Iterable[Key]) -> None:
        """Note that these entries are committed."""
        for key in keys:
            self._from_memory.pop(key, None)

    def mark_acknowledged(self, key: Key) -> None:
        """Forget an entry that the broker has."""
        self._outgoing.pop(key, None)
        self._from_memory.pop(key, None)

    def detect_reconnect(self, broker: Broker) -> bool:
        """Whether a new connection to the broker was made since the last call.

        What it did not accept is then forgotten, and the caller has the journal hand it out again: `redeliver_owed`.
        """
        connections = broker.counts.connected
        if connections == self._connections:
            return False
        self._connections = connections
        self._forget_durable(broker.pending_keys)
        return True

    def offer(self, broker: Broker, now_s: float) -> None:
        """Offer as many entries as the broker has room for."""
        if not self._outgoing or not broker.room:
            return
        waiting = self._not_held(broker.pending_keys, now_s)
        if waiting:
            # all of them: the changes of a denied alarm must not fill the room
            broker.offer(self._message(outgoing) for outgoing in waiting)
            self._not_held(broker.pending_keys, now_s)

    def _forget_durable(self, held: Collection[Key]) -> None:
        """Forget committed entries, which the journal hands out again, but for those that the broker holds."""
        self._outgoing = {
            key: outgoing for key, outgoing in self._outgoing.items() if key in self._from_memory or key in held
        }

    def _not_held(self, held: Collection[Key], now_s: float) -> list[_Outgoing]:
        """Entries that may be offered: nothing that was held a moment ago, nor a later change of the same alarm."""
        waiting, settling = [], set()
        for key, outgoing in self._outgoing.items():
            alarm_id, _ = key
            if key in held:
                outgoing.held_s = now_s
            elif now_s - outgoing.held_s <= _HELD_S:
                settling.add(alarm_id)
            elif alarm_id not in settling:
                waiting.append(outgoing)
        return waiting

    def _message(self, outgoing: _Outgoing) -> OwedMessage:
        entry = outgoing.entry

        def payload() -> bytes:
            """Made by the broker's thread, for each try: how late the entry is by then."""
            not_durable = entry.key in self._from_memory
            return alarm_payload(entry.body, decided_to_told_s=self._late_s(entry), not_durable=not_durable)

        return OwedMessage(entry.key, outgoing.topic, payload)

    def _late_s(self, entry: Entry) -> float | None:
        """From the decision to now; None if that was before a restart and a clock was not synchronized."""
        clocks = self._timekeeper.clocks
        decided_s = self._decided_s.get(entry.key)
        if decided_s is not None:
            return max(0.0, clocks.monotonic() - decided_s)
        is_trusted = self._timekeeper.is_synchronized and json.loads(entry.body).get("time_quality") == "synchronized"
        return max(0.0, clocks.utc() - entry.utc_s) if is_trusted else None

    def _drop_one(self) -> None:
        """Drop the oldest entry that is not urgent, else the oldest."""
        not_urgent = (key for key in self._from_memory if not self._outgoing[key].entry.urgent)
        key = next(not_urgent, next(iter(self._from_memory)))
        del self._from_memory[key]
        del self._outgoing[key]
        self.lost += 1
