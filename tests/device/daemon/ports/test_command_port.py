"""A command of another thread reaches the main loop, and its answer comes back or does not in time."""

from __future__ import annotations

import threading

import pytest

from device.commands import Outcome, Resume
from device.daemon.delivery.reply_queue import MAX_COMMANDS, CommandReceived, ReplyQueue
from device.daemon.ports.command_port import CommandPort
from device.errors import CommandError


def test_what_the_loop_answers_comes_back() -> None:
    replies = ReplyQueue()

    def loop() -> None:
        replies.wait(20.0)
        (received,) = replies.pop_all()
        assert isinstance(received, CommandReceived)
        received.answer(Outcome(done=True, sentence=f"for {received.command.by}"))

    thread = threading.Thread(target=loop)
    thread.start()
    assert CommandPort(replies, 20.0).execute(Resume("anna")) == Outcome(done=True, sentence="for anna")
    thread.join(20.0)


def test_a_loop_that_hangs_is_not_waited_for() -> None:
    with pytest.raises(CommandError, match=r"did not carry it out within 0\.05 s and may do so yet: auricle status"):
        CommandPort(ReplyQueue(), 0.05).execute(Resume("anna"))


def test_more_commands_than_people_send_are_refused() -> None:
    replies = ReplyQueue()
    for _ in range(MAX_COMMANDS):
        replies.commanded(Resume("mqtt"))
    with pytest.raises(CommandError, match="too many commands wait: ask again in a moment"):
        CommandPort(replies).execute(Resume("anna"))
