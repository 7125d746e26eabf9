"""Letters to the main loop: in order, without waiting, and never without bound."""

from __future__ import annotations

import threading

from device.commands import Acknowledge
from device.daemon.delivery.journal_writer import Owed
from device.daemon.delivery.reply_queue import CAPACITY, MOST_COMMANDS, Acknowledged, CommandReceived, ReplyQueue


def test_letters_come_in_order_and_each_wakes_the_loop() -> None:
    woken: list[int] = []
    mailbox = ReplyQueue(lambda: woken.append(1))
    mailbox.tell(Owed(()))
    mailbox.acknowledged(("a", 0))
    mailbox.commanded(Acknowledge(None, "mqtt"))
    assert mailbox.take() == [Owed(()), Acknowledged(("a", 0)), CommandReceived(Acknowledge(None, "mqtt"))]
    assert mailbox.take() == []
    assert len(woken) == 3


def test_where_the_loop_hangs_the_oldest_goes_and_that_is_known() -> None:
    mailbox = ReplyQueue()
    for number in range(CAPACITY + 5):
        mailbox.acknowledged(("a", number))
    letters = mailbox.take()
    assert len(letters) == CAPACITY
    assert letters[-1] == Acknowledged(("a", CAPACITY + 4))
    assert mailbox.took_loss()
    assert not mailbox.took_loss()


def test_commands_push_nothing_out() -> None:
    mailbox = ReplyQueue()
    mailbox.acknowledged(("a", 0))
    for _ in range(CAPACITY):
        mailbox.commanded(Acknowledge(None, "mqtt"))
    letters = mailbox.take()
    assert letters[0] == Acknowledged(("a", 0))
    assert len(letters) == 1 + MOST_COMMANDS
    assert mailbox.refused == CAPACITY - MOST_COMMANDS
    mailbox.commanded(Acknowledge(None, "mqtt"))
    assert len(mailbox.take()) == 1


def test_whoever_waits_goes_on_with_the_first_letter() -> None:
    mailbox = ReplyQueue()
    waits = threading.Thread(target=mailbox.wait, args=(60.0,))
    waits.start()
    mailbox.acknowledged(("a", 0))
    waits.join(20.0)
    assert not waits.is_alive()
