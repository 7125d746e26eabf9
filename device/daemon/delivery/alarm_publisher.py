"""Offers the broker the changes of alarms that the outbox names, with how late each one is.

Belongs to the main loop; knows no connection, only a broker to offer to. Keeps of a change when it was decided.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Protocol

from device.sinks.mqtt.send_queue import OwedMessage
from device.sinks.payloads import alarm_payload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from device.alarms.journal.entries import Entry, Key
    from device.daemon.delivery.outbox import Change
    from device.runtime.clocks import Timekeeper
    from device.sinks.mqtt.link import Counts, Link
    from device.sinks.mqtt.send_queue import Held
    from device.sinks.payloads import Message, Topics

_MAX_DECIDED = 4000


class Broker(Protocol):
    """Accepts alarms; see `Mqtt`."""

    @property
    def link(self) -> Link:
        """State of the connection."""

    @property
    def counts(self) -> Counts:
        """Since the start."""

    @property
    def held(self) -> Held:
        """What must not be offered now, and over which connection that is so."""

    @property
    def unanswered_since_s(self) -> float | None:
        """Since when it has left something unacknowledged; None if it has not."""

    @property
    def room(self) -> int:
        """How many alarms would be accepted now."""

    def stuck_for_s(self, now_s: float) -> float:
        """How long its thread has not turned."""

    def offer(self, messages: Iterable[OwedMessage], generation: int) -> int:
        """Accept, in order, as many as may be unacknowledged; none if there is another connection by now."""

    def publish(self, message: Message) -> None:
        """Publish the newest message of its topic."""

    def start(self) -> None:
        """Start its thread; once."""

    def close(self, deadline_s: float) -> bool:
        """Disconnect."""


class AlarmPublisher:
    """Makes the messages of owed changes, and offers them.

    Args:
        topics: of the instance.
        timekeeper: measures how late each entry is published.
    """

    def __init__(self, topics: Topics, timekeeper: Timekeeper) -> None:
        self._topics = topics
        self._timekeeper = timekeeper
        self._decided_s: dict[Key, float] = {}
        self._decided: deque[Key] = deque()

    def __repr__(self) -> str:
        return f"AlarmPublisher({self._topics!r})"

    def use_topics(self, topics: Topics) -> None:
        """Publish under other topics from now on."""
        self._topics = topics

    def record_decided(self, keys: Iterable[Key], now_s: float) -> None:
        """Note when entries were decided, from which their lateness counts."""
        for key in keys:
            self._decided_s[key] = now_s
            self._decided.append(key)
        while len(self._decided) > _MAX_DECIDED:
            self._decided_s.pop(self._decided.popleft(), None)

    def age_s(self, entry: Entry) -> float | None:
        """From the decision to now; None if that was before a restart and a clock was not synchronized."""
        clocks = self._timekeeper.clocks
        decided_s = self._decided_s.get(entry.key)
        if decided_s is not None:
            return max(0.0, clocks.monotonic() - decided_s)
        is_trusted = self._timekeeper.is_synchronized and json.loads(entry.body).get("time_quality") == "synchronized"
        return max(0.0, clocks.utc() - entry.utc_s) if is_trusted else None

    def offer(self, broker: Broker, changes: Sequence[Change], generation: int) -> list[Key]:
        """Offer these changes, in order; return the keys of those that no topic can be derived from.

        Args:
            broker: accepts as many as it has room for.
            changes: of the outbox.
            generation: of the connection for which they were chosen.
        """
        malformed: list[Key] = []
        broker.offer(self._messages(changes, malformed), generation)
        return malformed

    def _messages(self, changes: Iterable[Change], malformed: list[Key]) -> Iterator[OwedMessage]:
        for change in changes:
            try:
                topic = self._topics.alarm_of(change.entry.body)
            except ValueError:  # written by another version
                malformed.append(change.entry.key)
            else:
                yield self._message(change, topic)

    def _message(self, change: Change, topic: str) -> OwedMessage:
        entry = change.entry

        def payload() -> bytes:
            """Made by the broker's thread, for each try: how late the entry is by then."""
            not_durable = not change.is_committed
            return alarm_payload(entry.body, decided_to_told_s=self.age_s(entry), not_durable=not_durable)

        return OwedMessage(entry.key, topic, payload)
