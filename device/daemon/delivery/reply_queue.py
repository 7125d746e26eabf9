"""What other threads have to say to the main loop about alarms: the journal, the broker, the button.

Nobody waits to put something in. What the journal says is bounded by what it may hand out at once; where even that
is too much, since the loop hangs, the oldest goes, and the loop has all that is owed handed out anew.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.daemon.delivery.journal_writer import Opened, Owed, Receipt, Salvaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from device.alarms.journal.entries import Key
    from device.commands import Command
    from device.daemon.delivery.journal_writer import Word
    from device.sinks.payloads import Message

CAPACITY = 2000
MOST_COMMANDS = 32
"""That wait: people ask for one thing after the other."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker has it."""

    key: Key


@dataclass(frozen=True, slots=True)
class CommandReceived:
    """Somebody asks for something."""

    command: Command


Reply = Opened | Receipt | Owed | Salvaged | Acknowledged | CommandReceived


class ReplyQueue:
    """Letters to the main loop, in the order of their coming; from any thread.

    Args:
        wake: called for each letter, so that the loop takes it at once; must not wait.

    Attributes:
        announced: gives all that a broker must know first; called by the broker's thread.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self.wake = wake
        self.announced: Callable[[], Iterable[Message]] = tuple
        self._changed = threading.Condition()
        self._letters: deque[Reply] = deque()
        self._commands = 0
        self._lost = False
        self._refused = 0

    def __repr__(self) -> str:
        return f"ReplyQueue({len(self._letters)} letters)"

    @property
    def refused(self) -> int:
        """Commands for which there was no room, since the start."""
        return self._refused

    def put(self, letter: Reply) -> None:
        """Take a letter; never waits."""
        with self._changed:
            if not self._may_take(letter):
                return
            self._letters.append(letter)
            if len(self._letters) > CAPACITY:
                self._letters.popleft()
                self._lost = True
            self._changed.notify()
        self.wake()

    def take(self) -> list[Reply]:
        """All letters, oldest first."""
        with self._changed:
            letters = list(self._letters)
            self._letters.clear()
            self._commands = 0
            return letters

    def took_loss(self) -> bool:
        """Whether a letter was lost since this was last asked."""
        with self._changed:
            lost, self._lost = self._lost, False
            return lost

    def wait(self, seconds: float) -> None:
        """Until there is a letter, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._letters), seconds)

    def _may_take(self, letter: Reply) -> bool:
        if not isinstance(letter, CommandReceived):
            return True
        if self._commands >= MOST_COMMANDS:
            self._refused += 1
            return False
        self._commands += 1
        return True

    # --- as the journal, the broker and the button call it

    def tell(self, word: Word) -> None:
        """The journal says something."""
        self.put(word)

    def connected(self) -> Iterable[Message]:
        """The broker took us: all that must be known from now on."""
        return self.announced()

    def acknowledged(self, key: Key) -> None:
        """The broker has it."""
        self.put(Acknowledged(key))

    def commanded(self, command: Command) -> None:
        """Somebody asks for something."""
        self.put(CommandReceived(command))
