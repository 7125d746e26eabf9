"""What waits for an MQTT broker and what is on its way: of alarms each one, of all else the newest of its topic.

Bounded, and for any thread. Knows no network: whoever has a connection takes from here and says what became of it.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from device.sinks.payloads import Message

Key = tuple[str, int]
"""Of a change of an alarm: (alarm_id, seq)."""

_MOST_TOPICS = 1000  # of the newest messages
_MOST_DENIED = 1000


@dataclass(frozen=True, slots=True)
class OwedMessage:
    """A change of an alarm that is owed to the broker until it acknowledges it.

    Attributes:
        key: no other message has it.
        topic: whole.
        payload: makes it anew for each try, so that it says how late it is; may raise ValueError, where there is none.
    """

    key: Key
    topic: str
    payload: Callable[[], bytes]


class Outbox:
    """What waits and what is on its way; from any thread, and bounded.

    Args:
        in_flight: alarms that are held at most.
    """

    def __init__(self, in_flight: int) -> None:
        self._limit = in_flight
        self._lock = threading.RLock()  # whoever is told of an acknowledgement may ask what is held
        self._held: dict[Key, OwedMessage] = {}  # in the order in which they were taken
        self._unsent: deque[Key] = deque()
        self._denied: dict[Key, float] = {}  # until when
        self._kept: dict[str, Message] = {}  # retained ones, for the next connection
        self._due: dict[str, Message] = {}
        self.dropped = 0

    def __repr__(self) -> str:
        return f"{len(self._held)} alarms held, {len(self._due)} messages due"

    @property
    def room(self) -> int:
        """How many more alarms would be taken."""
        with self._lock:
            return self._limit - len(self._held) if len(self._denied) < _MOST_DENIED else 0

    @property
    def has_unsent(self) -> bool:
        """Whether something waits that never was on its way over this connection."""
        with self._lock:
            return bool(self._unsent or self._due)

    def held(self, now_s: float) -> frozenset[Key]:
        """What was taken and is not acknowledged, and what was lately denied."""
        with self._lock:
            self._forgive(now_s)
            return frozenset({*self._held, *self._denied})

    def take(self, messages: Iterable[OwedMessage], now_s: float) -> int:
        """None of an alarm of which an earlier change was denied: within one alarm, order is kept."""
        taken = 0
        with self._lock:
            self._forgive(now_s)
            waiting = {alarm_id for alarm_id, _ in self._denied}
            for owed in messages:
                if len(self._held) >= self._limit:
                    break
                if owed.key[0] in waiting or owed.key in self._held:
                    continue
                self._held[owed.key] = owed
                self._unsent.append(owed.key)
                taken += 1
        return taken

    def joined(self) -> int:
        """A new connection: all that is held is to be sent again; how much that is."""
        with self._lock:
            self._unsent = deque(self._held)
            self._denied.clear()
            self._due = {**self._kept, **self._due}
            return len(self._unsent)

    def parted(self, unacknowledged: Collection[Message]) -> None:
        """A connection is over: what of the state was on its way is due again, unless there is something newer."""
        with self._lock:
            for message in unacknowledged:
                self._due.setdefault(message.topic, message)

    def repeat(self) -> None:
        """All that is retained is due again."""
        with self._lock:
            self._due = {**self._kept, **self._due}

    def announce(self, messages: Iterable[Message]) -> None:
        """What is due before all else; where something newer of its topic was published, that."""
        with self._lock:
            due = {message.topic: self._kept.get(message.topic, message) for message in messages}
            self._due = {**due, **{topic: message for topic, message in self._due.items() if topic not in due}}

    def put(self, message: Message) -> None:
        """The newest of its topic; beyond what is bounded it is dropped and counted."""
        with self._lock:
            if message.topic not in self._due and max(len(self._due), len(self._kept)) >= _MOST_TOPICS:
                self.dropped += 1
                return
            self._due[message.topic] = message
            if message.retain:
                self._kept[message.topic] = message

    def next_alarm(self) -> OwedMessage | None:
        """What is to be sent now; None where nothing waits."""
        with self._lock:
            return self._held[self._unsent.popleft()] if self._unsent else None

    def next_state(self) -> Message | None:
        """Likewise, of what is newest."""
        with self._lock:
            return self._due.pop(next(iter(self._due))) if self._due else None

    def acknowledged(self, key: Key, tell: Callable[[Key], None]) -> bool:
        """The broker has it; whether it was held.

        It is held until `tell` has returned: nobody may find it still owed and not held any more.
        """
        with self._lock:
            if key not in self._held:
                return False
            tell(key)
            del self._held[key]
            return True

    def denied(self, key: Key, until_s: float) -> None:
        """The broker would not take it: it is held no longer, and not taken again before then."""
        with self._lock:
            self._held.pop(key, None)
            self._denied[key] = until_s

    def _forgive(self, now_s: float) -> None:
        for key in [key for key, until_s in self._denied.items() if until_s <= now_s]:
            del self._denied[key]
