"""Turns messages from the broker into valid commands; rejects all else, counts it and remembers why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.allowance import Allowance
from device.commands import parse_command
from device.errors import CommandError
from device.printable import excerpt
from device.sinks.mqtt.flood.flood_breaker import PAUSE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from device.commands import Command, Verb
    from device.sinks.mqtt.link import Received

_BURST, _COMMANDS_PER_S = 10, 1.0  # people press buttons, and no faster
_BIRTH_EVERY_S = 1.0
_SHOWN_CHARACTERS = 120  # of a topic
TOO_FAST = f"a command was dropped unread: somebody publishes thousands a second; none is received for {PAUSE_S:g} s"


class CommandFilter:
    """Accepts commands at the rate of people, and at most one birth of Home Assistant per second.

    Acknowledgements are counted by themselves: no flood of other commands keeps anybody from acknowledging an alarm.

    Args:
        commands: topic -> verb.
        birth_topic: of Home Assistant; None for none.
        clock: monotonic, in seconds.

    Attributes:
        rejected: messages that were no valid command, since the start.
        unread: those of them that came faster than they are read.
        rejection: the newest of them and why it was rejected, in one sentence; empty before the first.
    """

    def __init__(self, commands: Mapping[str, Verb], birth_topic: str | None, clock: Callable[[], float]) -> None:
        self._commands = dict(commands)
        self._clock = clock
        self._acknowledgements, self._others = (
            Allowance(at_once=_BURST, per_s=_COMMANDS_PER_S, now_s=clock()) for _ in range(2)
        )
        self._birth_s = float("-inf")
        self.birth_topic = birth_topic
        self.rejected = self.unread = 0
        self.rejection = ""

    @property
    def topics(self) -> tuple[str, ...]:
        """Of commands."""
        return tuple(self._commands)

    def is_birth(self, message: Received) -> bool:
        """Whether Home Assistant has started just now; False for a repetition within a second."""
        if message.topic != self.birth_topic or message.retain or message.payload != b"online":
            return False
        now_s = self._clock()
        fresh = now_s - self._birth_s >= _BIRTH_EVERY_S
        self._birth_s = now_s if fresh else self._birth_s
        return fresh

    def command(self, message: Received) -> Command | None:
        """The command of a message; None if it is retained (nobody asks for it now), malformed or too frequent."""
        topic = message.topic
        if topic == self.birth_topic:
            return None
        try:
            return self._accepted(message)
        except CommandError as error:
            self.rejected += 1
            self.rejection = f"a command on {excerpt(topic, _SHOWN_CHARACTERS)} was rejected: {error}"
            return None

    def count_unread(self, count: int) -> None:
        """Reject messages that came faster than they are read."""
        if count:
            self.rejected += count
            self.unread += count
            self.rejection = TOO_FAST

    def _accepted(self, message: Received) -> Command:
        verb = self._commands.get(message.topic)
        if verb is None:
            raise CommandError("it is no topic of a command")
        if message.retain:
            raise CommandError("it was retained, from long ago perhaps; publish commands without the retain flag")
        command = parse_command(verb, message.payload, by="mqtt")
        allowance = self._acknowledgements if verb == "acknowledge" else self._others
        if not allowance.use(1.0, self._clock()):
            raise CommandError(f"after {_BURST} at once, one a second is obeyed")
        return command
