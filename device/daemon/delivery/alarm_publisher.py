"""From what is owed to what the broker is offered: each change until it is acknowledged, or its journal says so.

Holds what the journal handed out and what has to be told from memory, in the order of its coming, and never more
than a bound. After each new connection the journal is asked anew, since it knows what matters most by now.
Belongs to the main loop; knows the broker by what it offers it alone.
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
    from device.sinks.mqtt.client import Counts, Link
    from device.sinks.payloads import Message, Topics

MOST_FROM_MEMORY = 2000
"""That no disk takes and no broker: beyond that the oldest that is not urgent goes."""

_DECIDED_KEPT = 4000
_HELD_S = 1.0
"""What the broker's thread held a moment ago was acknowledged, and says so soon, or was refused."""


class Broker(Protocol):
    """Where alarms are offered; see `Mqtt`."""

    @property
    def link(self) -> Link:
        """How it stands with the broker."""

    @property
    def counts(self) -> Counts:
        """Since the start."""

    @property
    def held(self) -> frozenset[Key]:
        """What is not to be offered now."""

    @property
    def room(self) -> int:
        """How many alarms would be taken now."""

    def stuck_for_s(self, now_s: float) -> float:
        """How long its thread has not turned."""

    def offer(self, messages: Iterable[OwedMessage]) -> int:
        """Accept, in order, as many as may be unacknowledged, and none that waits for a denied change of its alarm."""

    def publish(self, message: Message) -> None:
        """Tell the newest of its topic."""

    def start(self) -> None:
        """Begin; once."""

    def close(self, deadline_s: float) -> bool:
        """Leave."""


@dataclass(slots=True)
class _Way:
    """An entry on its way, and when the broker's thread was last seen to hold it."""

    entry: Entry
    topic: str
    held_s: float = float("-inf")


class AlarmPublisher:
    """Offers what is owed, again and again, until it is acknowledged.

    Args:
        topics: of the instance.
        timekeeper: says how late each is.

    Attributes:
        lost: changes that were neither kept nor told, for want of room.
    """

    def __init__(self, topics: Topics, timekeeper: Timekeeper) -> None:
        self.lost = 0
        self._topics = topics
        self._timekeeper = timekeeper
        self._ways: dict[Key, _Way] = {}
        self._from_memory: dict[Key, None] = {}  # no disk has these yet
        self._decided_s: dict[Key, float] = {}
        self._decided: deque[Key] = deque()
        self._connected = 0

    def __repr__(self) -> str:
        return f"AlarmPublisher({len(self._ways)} on their way, {len(self._from_memory)} of them kept by no disk)"

    def moved(self, topics: Topics) -> None:
        """Another broker is told from now on, or under other topics."""
        self._topics = topics
        self._connected = 0
        self._ways = {key: _Way(way.entry, topics.alarm_of(way.entry.body)) for key, way in self._ways.items()}

    @property
    def waiting(self) -> int:
        """Changes that the broker has not acknowledged, of those that were handed in."""
        return len(self._ways)

    def decided(self, keys: Iterable[Key], now_s: float) -> None:
        """These were decided now."""
        for key in keys:
            self._decided_s[key] = now_s
            self._decided.append(key)
        while len(self._decided) > _DECIDED_KEPT:
            self._decided_s.pop(self._decided.popleft(), None)

    def owe(self, entries: Iterable[Entry]) -> list[Key]:
        """The journal has these and owes them; keys of those that no version of ours can tell."""
        senseless = []
        for entry in entries:
            self._from_memory.pop(entry.key, None)
            if entry.key not in self._ways:
                try:
                    self._ways[entry.key] = _Way(entry, self._topics.alarm_of(entry.body))
                except ValueError:
                    senseless.append(entry.key)
        return senseless

    def tell_from_memory(self, entries: Iterable[Entry]) -> None:
        """No disk has these yet; they are told even so."""
        for entry in entries:
            self._from_memory[entry.key] = None
            self._ways.setdefault(entry.key, _Way(entry, self._topics.alarm_of(entry.body)))
        while len(self._from_memory) > MOST_FROM_MEMORY:
            self._drop_one()

    def kept(self, keys: Iterable[Key]) -> None:
        """A disk has these by now."""
        for key in keys:
            self._from_memory.pop(key, None)

    def acknowledged(self, key: Key) -> None:
        """The broker has it."""
        self._ways.pop(key, None)
        self._from_memory.pop(key, None)

    def is_new_connection(self, broker: Broker) -> bool:
        """Whether the broker took us anew since this was last asked; what it did not take is then the journal's again.

        The journal is to be told: `owe_again`.
        """
        connected = broker.counts.connected
        if connected == self._connected:
            return False
        self._connected = connected
        self.forget_kept(broker.held)
        return True

    def forget_kept(self, held: Collection[Key] = ()) -> None:
        """What a journal keeps, it hands out again; but for what is held, nothing else is to be offered."""
        ours = {key: way for key, way in self._ways.items() if key in self._from_memory or key in held}
        self._ways = ours

    def offer(self, broker: Broker, now_s: float) -> None:
        """Offer what waits, as much as is taken."""
        if not self._ways or not broker.room:
            return
        waiting = self._not_held(broker.held, now_s)
        if waiting:
            broker.offer(self._message(way) for way in waiting)  # all: those of a denied alarm must not fill the room
            self._not_held(broker.held, now_s)

    def _not_held(self, held: Collection[Key], now_s: float) -> list[_Way]:
        """What may be offered: nothing that was held a moment ago, nor a later change of the same alarm."""
        waiting, settling = [], set()
        for key, way in self._ways.items():
            alarm_id, _ = key
            if key in held:
                way.held_s = now_s
            elif now_s - way.held_s <= _HELD_S:
                settling.add(alarm_id)
            elif alarm_id not in settling:
                waiting.append(way)
        return waiting

    def _message(self, way: _Way) -> OwedMessage:
        entry = way.entry

        def payload() -> bytes:
            """By the broker's thread, for each try: how late it is by then."""
            not_durable = entry.key in self._from_memory
            return alarm_payload(entry.body, decided_to_told_s=self._told_after_s(entry), not_durable=not_durable)

        return OwedMessage(entry.key, way.topic, payload)

    def _told_after_s(self, entry: Entry) -> float | None:
        """From the decision to now; None where that was before a restart and no clock can be believed."""
        clocks = self._timekeeper.clocks
        decided_s = self._decided_s.get(entry.key)
        if decided_s is not None:
            return max(0.0, clocks.monotonic() - decided_s)
        believed = self._timekeeper.is_synchronized and json.loads(entry.body).get("time_quality") == "synchronized"
        return max(0.0, clocks.utc() - entry.utc_s) if believed else None

    def _drop_one(self) -> None:
        """The oldest that is not urgent, else the oldest."""
        patient = (key for key in self._from_memory if not self._ways[key].entry.urgent)
        key = next(patient, next(iter(self._from_memory)))
        del self._from_memory[key]
        del self._ways[key]
        self.lost += 1
