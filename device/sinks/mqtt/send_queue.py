"""Messages that wait for an MQTT broker or for its acknowledgement: each change of an alarm, else the newest per topic.

Bounded, and for any thread. Knows no network: the owner of a connection pops from here and reports the results.
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
"""Of a change of an alarm: (alarm_id, seq); changes of one alarm are sent by rising `seq`."""

_MAX_TOPICS = 1000  # of messages other than alarms
_MAX_DENIALS = 1000


@dataclass(frozen=True, slots=True)
class OwedMessage:
    """A change of an alarm that is owed to the broker until it acknowledges it.

    Attributes:
        key: no other message has it.
        topic: in full.
        payload: built anew for each try, so that it says how late it is; raises ValueError if it cannot be built.
    """

    key: Key
    topic: str
    payload: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Held:
    """What is not to be offered now.

    Attributes:
        generation: of the connection: how many the broker had accepted by then.
        keys: accepted and not acknowledged, or denied a short time ago.
        denied: alarms of which a change was denied a short time ago.
    """

    generation: int = 0
    keys: frozenset[Key] = frozenset()
    denied: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A change that is to be sent, or to be acknowledged; and when it was accepted."""

    message: OwedMessage
    since_s: float


@dataclass(frozen=True, slots=True)
class _Denial:
    """The earliest change of an alarm that the broker denied, and when it may be tried again."""

    seq: int
    until_s: float


class SendQueue:
    """Waiting and unacknowledged messages; bounded, and for any thread.

    No change of an alarm is sent while an earlier change of that alarm is unsent or denied.

    Args:
        in_flight: most changes of alarms that are accepted and not yet acknowledged.

    Attributes:
        dropped: messages other than alarms that the full queue did not accept.
    """

    def __init__(self, in_flight: int) -> None:
        self._limit = in_flight
        self._lock = threading.RLock()  # the handler of an acknowledgement may ask for the pending keys
        self._generation = 0
        self._accepted: dict[Key, _Accepted] = {}  # in the order of acceptance, until acknowledged
        self._unsent: deque[Key] = deque()  # of the accepted ones
        self._overtaken: set[Key] = set()  # sent, and an earlier change was denied since: the answer will not count
        self._denials: dict[str, _Denial] = {}  # by alarm: at most one, since later changes wait for it
        self._retained: dict[str, Message] = {}  # newest per topic, for the next connection
        self._due: dict[str, Message] = {}
        self.dropped = 0

    def __repr__(self) -> str:
        return f"SendQueue({len(self._accepted)} alarms pending, {len(self._due)} messages due)"

    @property
    def room(self) -> int:
        """How many more changes of alarms would be accepted."""
        with self._lock:
            return self._room if len(self._denials) < _MAX_DENIALS else 0

    @property
    def generation(self) -> int:
        """Of the connection: how many were opened so far."""
        with self._lock:
            return self._generation

    @property
    def has_unsent(self) -> bool:
        """Whether something was not yet sent over this connection."""
        with self._lock:
            return bool(self._unsent or self._due)

    @property
    def unacknowledged_since_s(self) -> float | None:
        """When the oldest change was accepted that is not acknowledged, over this connection or an earlier one."""
        with self._lock:
            return min((accepted.since_s for accepted in self._accepted.values()), default=None)

    def held(self, now_s: float) -> Held:
        """What is not to be offered now: accepted and not acknowledged, or denied a short time ago.

        All other owed changes may be offered, in their order. A denial expires here and in `retry_denied` alone, never
        in `accept`: an offer is chosen by these keys, so it holds the denied change before the later ones of its alarm.
        """
        with self._lock:
            self.retry_denied(now_s)
            denied = ((alarm_id, denial.seq) for alarm_id, denial in self._denials.items())
            keys = frozenset({*self._accepted, *self._overtaken, *denied})
            return Held(self._generation, keys, frozenset(self._denials))

    def retry_denied(self, now_s: float) -> None:
        """Forget the denials that have expired."""
        with self._lock:
            self._denials = {id_: denial for id_, denial in self._denials.items() if denial.until_s > now_s}

    def accept(self, messages: Iterable[OwedMessage], now_s: float, generation: int) -> int:
        """Accept in order what there is room for; how many. Skips what waits for an earlier change of its alarm.

        Accepts nothing that was chosen for another connection: by now the order may be another one.
        """
        count = 0
        with self._lock:
            if generation != self._generation:
                return 0
            overtaken = {alarm_id for alarm_id, _ in self._overtaken}
            for owed in messages:
                if self._room <= 0:
                    break
                alarm_id, seq = owed.key
                if owed.key in self._accepted or alarm_id in overtaken or self._must_wait(alarm_id, seq, now_s):
                    continue
                if alarm_id in self._denials and self._denials[alarm_id].seq == seq:
                    del self._denials[alarm_id]
                self._accepted[owed.key] = _Accepted(owed, now_s)
                self._unsent.append(owed.key)
                count += 1
        return count

    def connection_opened(self) -> int:
        """Send all accepted alarms and retained messages over the new connection; how many alarms that is."""
        with self._lock:
            self._generation += 1
            self._unsent = deque(self._accepted)
            self._overtaken.clear()
            self._denials = {id_: replace(denial, until_s=float("-inf")) for id_, denial in self._denials.items()}
            self._due = {**self._retained, **self._due}
            return len(self._unsent)

    def connection_closed(self, unacknowledged: Collection[Message]) -> None:
        """Send these messages again over the next connection, unless there is a newer one of the same topic."""
        with self._lock:
            for message in unacknowledged:
                self._due.setdefault(message.topic, message)

    def repeat_retained(self) -> None:
        """Send all retained messages again."""
        with self._lock:
            self._due = {**self._retained, **self._due}

    def announce(self, messages: Iterable[Message]) -> None:
        """Send these before all else; if a newer message of the same topic was put, that one instead."""
        with self._lock:
            due = {message.topic: self._retained.get(message.topic, message) for message in messages}
            self._due = {**due, **{topic: message for topic, message in self._due.items() if topic not in due}}

    def put(self, message: Message) -> None:
        """Send the newest message of its topic; a full queue drops and counts it."""
        with self._lock:
            if message.topic not in self._due and max(len(self._due), len(self._retained)) >= _MAX_TOPICS:
                self.dropped += 1
                return
            self._due[message.topic] = message
            if message.retain and message.payload:
                self._retained[message.topic] = message
            else:
                self._retained.pop(message.topic, None)  # withdrawn once, and not at every connection

    def next_alarm(self) -> OwedMessage | None:
        """Pop the next change of an alarm to send; None if none waits. It stays pending until it is acknowledged."""
        with self._lock:
            return self._accepted[self._unsent.popleft()].message if self._unsent else None

    def next_state(self) -> Message | None:
        """Pop the next other message to send; None if none waits."""
        with self._lock:
            return self._due.pop(next(iter(self._due))) if self._due else None

    def acknowledge(self, key: Key, report: Callable[[Key], None]) -> bool:
        """The broker has it: call `report`. False, and nothing is reported, if it was not pending.

        It stays pending until `report` has returned: nobody may find it still owed and no longer pending.
        """
        with self._lock:
            self._overtaken.discard(key)
            if key not in self._accepted:
                return False
            report(key)
            del self._accepted[key]
            return True

    def deny(self, key: Key, until_s: float) -> None:
        """The broker did not accept it: withdraw it, and do not accept it again before `until_s`.

        The later changes of its alarm are withdrawn as well: they are still owed, and to be offered again after it. One
        that is in flight cannot be recalled. Its answer does not count, and no change of the alarm is accepted before
        that answer, or the end of the connection: it would be mistaken for the answer to the next try.
        """
        with self._lock:
            if key in self._overtaken:
                self._overtaken.discard(key)
                return
            alarm_id, seq = key
            for later in [other for other in self._accepted if other[0] == alarm_id and other[1] > seq]:
                if later not in self._unsent:
                    self._overtaken.add(later)
                self._withdraw(later)
            self._withdraw(key)
            self._denials[alarm_id] = _Denial(seq, until_s)

    @property
    def _room(self) -> int:
        return self._limit - len(self._accepted) - len(self._overtaken)

    def _must_wait(self, alarm_id: str, seq: int, now_s: float) -> bool:
        """Whether an earlier change of the alarm was denied, or this one was and it is too early to try it again."""
        denial = self._denials.get(alarm_id)
        return denial is not None and (denial.seq < seq or (denial.seq == seq and denial.until_s > now_s))

    def _withdraw(self, key: Key) -> None:
        self._accepted.pop(key, None)
        if key in self._unsent:
            self._unsent.remove(key)
