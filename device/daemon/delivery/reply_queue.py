"""What other threads send to the main loop about alarms: the journal, the broker, the button.

`put` never waits, and no reply is dropped. What waits is bounded by what it answers: the loop offers the broker no more
than may be unacknowledged, and the journal commits what the loop has submitted and reads what the outbox has room for.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.daemon.delivery.journal_messages import CommitReceipt, EntriesRead, JournalOpened, JournalSalvaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from device.alarms.journal.entries import Key
    from device.commands import Command, Outcome
    from device.sinks.payloads import Message

MAX_COMMANDS = 32
"""Commands that may wait: people send one after the other."""


@dataclass(frozen=True, slots=True)
class BrokerAcknowledged:
    """The broker has acknowledged an entry."""

    key: Key


def _no_answer(_outcome: Outcome) -> None:
    """Nobody waits for one."""


@dataclass(frozen=True, slots=True)
class CommandReceived:
    """Somebody sent a command.

    Attributes:
        command: the command itself.
        answer: receives what became of it, from the main loop; must not wait.
    """

    command: Command
    answer: Callable[[Outcome], object] = _no_answer


Reply = JournalOpened | CommitReceipt | EntriesRead | JournalSalvaged | BrokerAcknowledged | CommandReceived


class ReplyQueue:
    """Replies to the main loop, in arrival order; from any thread.

    Args:
        wake: called for each reply, so that the loop processes it at once; must not wait.

    Attributes:
        initial_messages: returns what a broker must receive first after each connection; called by its thread.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self.wake = wake
        self.initial_messages: Callable[[], Iterable[Message]] = tuple
        self._changed = threading.Condition()
        self._replies: deque[Reply] = deque()
        self._commands = 0
        self._refused = 0

    def __repr__(self) -> str:
        return f"ReplyQueue({len(self._replies)} replies)"

    @property
    def refused(self) -> int:
        """Commands for which there was no room, since the start."""
        return self._refused

    def put(self, reply: Reply) -> None:
        """Queue a reply, unless it is a command and too many wait; never waits."""
        self.try_put(reply)

    def try_put(self, reply: Reply) -> bool:
        """Queue a reply; whether there was room. Never waits."""
        with self._changed:
            if not self._accepts(reply):
                return False
            self._replies.append(reply)
            self._changed.notify()
        self.wake()
        return True

    def pop_all(self) -> list[Reply]:
        """Remove and return all replies, oldest first."""
        with self._changed:
            replies = list(self._replies)
            self._replies.clear()
            self._commands = 0
            return replies

    def wait(self, seconds: float) -> None:
        """Wait until there is a reply, at most this long."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._replies), seconds)

    def _accepts(self, reply: Reply) -> bool:
        if not isinstance(reply, CommandReceived):
            return True
        if self._commands >= MAX_COMMANDS:
            self._refused += 1
            return False
        self._commands += 1
        return True

    # --- called by the broker's thread, as its listener

    def connected(self) -> Iterable[Message]:
        """Return what the broker must receive first."""
        return self.initial_messages()

    def acknowledged(self, key: Key) -> None:
        """Queue the broker's acknowledgement of an entry."""
        self.put(BrokerAcknowledged(key))

    def commanded(self, command: Command) -> None:
        """Queue a command."""
        self.put(CommandReceived(command))
