"""What waits for an MQTT broker and what is on its way: of alarms each one, of all else the newest of its topic.

Bounded, and for any thread. Knows no network: whoever has a connection takes from here and says what became of it.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class _Denial:
    """The earliest change of an alarm that the broker did not accept, and until when it is not tried again."""

    seq: int
    until_s: float


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
        self._overtaken: set[Key] = set()  # sent, and an earlier change was denied since: the answer will not count
        self._denied: dict[str, _Denial] = {}  # by alarm: at most one, since later changes wait for it
        self._kept: dict[str, Message] = {}  # retained ones, for the next connection
        self._due: dict[str, Message] = {}
        self.dropped = 0

    def __repr__(self) -> str:
        return f"{len(self._held)} alarms held, {len(self._due)} messages due"

    @property
    def room(self) -> int:
        """How many more alarms would be taken."""
        with self._lock:
            return self._room if len(self._denied) < _MOST_DENIED else 0

    @property
    def has_unsent(self) -> bool:
        """Whether something waits that never was on its way over this connection."""
        with self._lock:
            return bool(self._unsent or self._due)

    def held(self, now_s: float) -> frozenset[Key]:
        """What was taken and is not acknowledged, and what was lately denied: whoever owes offers all else, in order.

        A denial whose time has passed is forgotten here and in `retry_denied` alone, never in `take`: what is offered
        was chosen by what this returned, so the denied change comes before the later ones of its alarm.
        """
        with self._lock:
            self.retry_denied(now_s)
            denied = ((alarm_id, denial.seq) for alarm_id, denial in self._denied.items())
            return frozenset({*self._held, *self._overtaken, *denied})

    def retry_denied(self, now_s: float) -> None:
        """Forget the denials whose time has passed."""
        with self._lock:
            self._denied = {id_: denial for id_, denial in self._denied.items() if denial.until_s > now_s}

    def take(self, messages: Iterable[OwedMessage], now_s: float) -> int:
        """Accept in order what there is room for; how many. No change that an earlier one of its alarm holds up."""
        taken = 0
        with self._lock:
            overtaken = {alarm_id for alarm_id, _ in self._overtaken}
            for owed in messages:
                if self._room <= 0:
                    break
                alarm_id, seq = owed.key
                if owed.key in self._held or alarm_id in overtaken or self._is_held_up(alarm_id, seq, now_s):
                    continue
                if alarm_id in self._denied and self._denied[alarm_id].seq == seq:
                    del self._denied[alarm_id]
                self._held[owed.key] = owed
                self._unsent.append(owed.key)
                taken += 1
        return taken

    def joined(self) -> int:
        """A new connection: all that is held is to be sent again; how much that is."""
        with self._lock:
            self._unsent = deque(self._held)
            self._overtaken.clear()
            self._denied = {id_: replace(denial, until_s=float("-inf")) for id_, denial in self._denied.items()}
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
            self._overtaken.discard(key)
            if key not in self._held:
                return False
            tell(key)
            del self._held[key]
            return True

    def denied(self, key: Key, until_s: float) -> None:
        """The broker would not take it: it is held no longer, and not taken again before then.

        Nor are the later changes of its alarm held any longer: they are owed still, and to be offered behind it. One
        that is on its way cannot be called back. Its answer does not count, and nothing of the alarm is taken before
        that answer, or the end of the connection: it would be mistaken for the answer to the next try.
        """
        with self._lock:
            if key in self._overtaken:
                self._overtaken.discard(key)
                return
            alarm_id, seq = key
            for later in [held for held in self._held if held[0] == alarm_id and held[1] > seq]:
                if later not in self._unsent:
                    self._overtaken.add(later)
                self._withdraw(later)
            self._withdraw(key)
            self._denied[alarm_id] = _Denial(seq, until_s)

    @property
    def _room(self) -> int:
        return self._limit - len(self._held) - len(self._overtaken)

    def _is_held_up(self, alarm_id: str, seq: int, now_s: float) -> bool:
        """Whether this change was denied, and it is too early to try it again, or an earlier one was."""
        denial = self._denied.get(alarm_id)
        return denial is not None and (denial.seq < seq or (denial.seq == seq and denial.until_s > now_s))

    def _withdraw(self, key: Key) -> None:
        self._held.pop(key, None)
        if key in self._unsent:
            self._unsent.remove(key)
