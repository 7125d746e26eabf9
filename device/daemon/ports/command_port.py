"""Carries out commands of people on this machine: from the socket's threads to the main loop, and its answer back."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from device.daemon.delivery.reply_queue import CommandReceived
from device.errors import CommandError

if TYPE_CHECKING:
    from device.commands import Command, Outcome
    from device.daemon.delivery.reply_queue import ReplyQueue

CARRIED_OUT_WITHIN_S = 3.0
"""The main loop turns four times a second."""


class CommandPort:
    """Puts commands before the main loop, and waits for what becomes of them.

    Args:
        replies: of the main loop.
        within_s: how long to wait.
    """

    def __init__(self, replies: ReplyQueue, within_s: float = CARRIED_OUT_WITHIN_S) -> None:
        self._replies = replies
        self._within_s = within_s

    def __repr__(self) -> str:
        return f"CommandPort({self._replies!r})"

    def execute(self, command: Command) -> Outcome:
        """Have the main loop carry a command out; from any thread but the loop's.

        Raises:
            CommandError: too many commands wait, or the loop does not turn.
        """
        outcome: Future[Outcome] = Future()
        if not self._replies.try_put(CommandReceived(command, outcome.set_result)):
            raise CommandError("too many commands wait: ask again in a moment")
        try:
            return outcome.result(self._within_s)
        except TimeoutError:
            late = f"the daemon did not carry it out within {self._within_s:g} s and may do so yet"
            raise CommandError(f"{late}: auricle status tells whether it hangs") from None
