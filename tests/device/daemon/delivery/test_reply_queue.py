"""Replies reach the main loop in order, without waiting, and within bounds."""

from __future__ import annotations

import threading

from device.commands import Acknowledge
from device.daemon.delivery.journal_messages import EntriesRead
from device.daemon.delivery.reply_queue import MAX_COMMANDS, BrokerAcknowledged, CommandReceived, ReplyQueue


def test_letters_come_in_order_and_each_wakes_the_loop() -> None:
    woken: list[int] = []
    replies = ReplyQueue(lambda: woken.append(1))
    replies.put(EntriesRead(1))
    replies.acknowledged(("a", 0))
    replies.commanded(Acknowledge(None, "mqtt"))
    assert replies.pop_all() == [
        EntriesRead(1),
        BrokerAcknowledged(("a", 0)),
        CommandReceived(Acknowledge(None, "mqtt")),
    ]
    assert replies.pop_all() == []
    assert len(woken) == 3


def test_if_the_loop_hangs_no_acknowledgement_is_lost() -> None:
    """The bug: the oldest replies were dropped, and what they acknowledged was published once more."""
    replies = ReplyQueue()
    for number in range(5000):
        replies.acknowledged(("a", number))
    assert replies.pop_all() == [BrokerAcknowledged(("a", number)) for number in range(5000)]


def test_commands_push_nothing_out() -> None:
    replies = ReplyQueue()
    replies.acknowledged(("a", 0))
    for _ in range(2000):
        replies.commanded(Acknowledge(None, "mqtt"))
    popped = replies.pop_all()
    assert popped[0] == BrokerAcknowledged(("a", 0))
    assert len(popped) == 1 + MAX_COMMANDS
    assert replies.refused == 2000 - MAX_COMMANDS
    replies.commanded(Acknowledge(None, "mqtt"))
    assert len(replies.pop_all()) == 1


def test_whoever_waits_goes_on_with_the_first_letter() -> None:
    replies = ReplyQueue()
    waits = threading.Thread(target=replies.wait, args=(60.0,))
    waits.start()
    replies.acknowledged(("a", 0))
    waits.join(20.0)
    assert not waits.is_alive()
