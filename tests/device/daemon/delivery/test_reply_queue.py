"""Replies reach the main loop in order, without waiting, and within bounds."""

from __future__ import annotations

import threading

from device.commands import Acknowledge
from device.daemon.delivery.journal_messages import OwedEntries
from device.daemon.delivery.reply_queue import CAPACITY, MAX_COMMANDS, BrokerAcknowledged, CommandReceived, ReplyQueue


def test_letters_come_in_order_and_each_wakes_the_loop() -> None:
    woken: list[int] = []
    replies = ReplyQueue(lambda: woken.append(1))
    replies.put(OwedEntries(()))
    replies.acknowledged(("a", 0))
    replies.commanded(Acknowledge(None, "mqtt"))
    assert replies.pop_all() == [
        OwedEntries(()),
        BrokerAcknowledged(("a", 0)),
        CommandReceived(Acknowledge(None, "mqtt")),
    ]
    assert replies.pop_all() == []
    assert len(woken) == 3


def test_where_the_loop_hangs_the_oldest_goes_and_that_is_known() -> None:
    replies = ReplyQueue()
    for number in range(CAPACITY + 5):
        replies.acknowledged(("a", number))
    popped = replies.pop_all()
    assert len(popped) == CAPACITY
    assert popped[-1] == BrokerAcknowledged(("a", CAPACITY + 4))
    assert replies.check_overflow()
    assert not replies.check_overflow()


def test_commands_push_nothing_out() -> None:
    replies = ReplyQueue()
    replies.acknowledged(("a", 0))
    for _ in range(CAPACITY):
        replies.commanded(Acknowledge(None, "mqtt"))
    popped = replies.pop_all()
    assert popped[0] == BrokerAcknowledged(("a", 0))
    assert len(popped) == 1 + MAX_COMMANDS
    assert replies.refused == CAPACITY - MAX_COMMANDS
    replies.commanded(Acknowledge(None, "mqtt"))
    assert len(replies.pop_all()) == 1


def test_whoever_waits_goes_on_with_the_first_letter() -> None:
    replies = ReplyQueue()
    waits = threading.Thread(target=replies.wait, args=(60.0,))
    waits.start()
    replies.acknowledged(("a", 0))
    waits.join(20.0)
    assert not waits.is_alive()
