"""Owed entries are offered until they are acknowledged: in order, once, with their lateness, within bounds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.alarms.journal.entries import Entry
from device.daemon.delivery.alarm_publisher import MAX_FROM_MEMORY, AlarmPublisher
from device.daemon.delivery.reply_queue import BrokerAcknowledged, ReplyQueue
from device.sinks.mqtt.send_queue import SendQueue
from device.sinks.payloads import Topics
from tests.device.daemon.scripted import DOWN, NOON_S, ManualClocks, ScriptedBroker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from device.sinks.mqtt.send_queue import OwedMessage

TOPICS = Topics("auricle", "anna")


def entry(number: int, seq: int = 0, *, urgent: bool = False, quality: str = "synchronized") -> Entry:
    body = {
        "kind": "sound",
        "model": "cry",
        "name": "cry",
        "alarm_id": f"a{number}",
        "seq": seq,
        "time_quality": quality,
    }
    return Entry(f"a{number}", seq, NOON_S, urgent, "{}", json.dumps(body))


class Stage:
    def __init__(self, room: int = 20) -> None:
        self.clocks = ManualClocks()
        self.replies = ReplyQueue()
        self.broker = ScriptedBroker(self.replies, room)
        self.publisher = AlarmPublisher(TOPICS, self.clocks.timekeeper)

    def turn(self) -> None:
        self.clocks.advance(0.1)
        for reply in self.replies.pop_all():
            assert isinstance(reply, BrokerAcknowledged)
            self.publisher.mark_acknowledged(reply.key)
        self.publisher.offer(self.broker, self.clocks.now_s)

    @property
    def sent(self) -> list[tuple[str, int]]:
        return [(sent["alarm_id"], sent["seq"]) for sent in self.broker.sent]


@pytest.fixture
def stage() -> Stage:
    return Stage()


@given(st.lists(st.integers(1, 5), max_size=60), st.integers(1, 7))
def test_each_is_sent_once_and_in_order_however_slowly_they_are_acknowledged(
    acknowledged: list[int], room: int
) -> None:
    stage = Stage(room)
    entries = [entry(number % 3, number) for number in range(40)]
    stage.publisher.add_owed(entries)
    for count in (*acknowledged, *[40] * 45):
        stage.turn()
        stage.broker.acknowledge(count)
    stage.turn()
    assert stage.sent == [entry.key for entry in entries]
    assert stage.publisher.waiting == 0


def test_nothing_is_offered_while_there_is_no_connection(stage: Stage) -> None:
    stage.broker.link = DOWN
    stage.publisher.add_owed([entry(1)])
    stage.turn()
    assert stage.sent == []
    assert stage.publisher.waiting == 1


class QueueBroker(ScriptedBroker):
    """A broker behind a real send queue, which denies what a test says."""

    def __init__(self, replies: ReplyQueue, clocks: ManualClocks, room: int) -> None:
        super().__init__(replies, room)
        self._clocks = clocks
        self._queue = SendQueue(room)
        self.denies: set[tuple[str, int]] = set()
        self.accepted: list[tuple[str, int]] = []

    @property
    def pending_keys(self) -> frozenset[tuple[str, int]]:
        return self._queue.pending_keys(self._clocks.now_s)

    @property
    def room(self) -> int:
        return self._queue.room

    def offer(self, messages: Iterable[OwedMessage]) -> int:
        return self._queue.accept(messages, self._clocks.now_s)

    def answer(self) -> None:
        """Send all that waits, and answer each."""
        while (owed := self._queue.next_alarm()) is not None:
            if owed.key in self.denies:
                self._queue.deny(owed.key, self._clocks.now_s + 30.0)
            else:
                self.accepted.append(owed.key)
                self._queue.acknowledge(owed.key, self._replies.acknowledged)


def _stage_with_queue(room: int, entries: list[Entry]) -> tuple[Stage, QueueBroker]:
    stage = Stage(room)
    stage.broker = broker = QueueBroker(stage.replies, stage.clocks, room)
    stage.publisher.add_owed(entries)
    return stage, broker


def test_a_denied_change_is_offered_before_the_later_ones_of_its_alarm_once_it_may_be_tried_again() -> None:
    """The bug: for a second more the publisher kept the denied change back, and offered the next one of its alarm."""
    stage, broker = _stage_with_queue(20, [entry(1, 0), entry(1, 1)])
    broker.denies = {("a1", 0)}
    for turn in range(400):
        stage.turn()
        broker.answer()
        if turn == 200:
            broker.denies = set()
    assert broker.accepted == [("a1", 0), ("a1", 1)]


def test_the_later_changes_of_a_denied_alarm_take_no_room_from_others() -> None:
    stage, broker = _stage_with_queue(3, [*(entry(1, seq) for seq in range(10)), entry(2), entry(3)])
    broker.denies = {("a1", 0)}
    for _ in range(5):
        stage.turn()
        broker.answer()
    assert broker.accepted == [("a2", 0), ("a3", 0)]


def test_after_a_new_connection_the_journal_decides_what_comes_first(stage: Stage) -> None:
    stage.broker.link = DOWN
    assert stage.publisher.detect_reconnect(stage.broker)  # the first
    stage.publisher.add_owed([entry(1), entry(2)])
    stage.publisher.add_from_memory([entry(3)])
    stage.broker.reconnect()
    assert stage.publisher.detect_reconnect(stage.broker)
    assert not stage.publisher.detect_reconnect(stage.broker)
    stage.publisher.add_owed([entry(9, urgent=True), entry(1), entry(2)])
    stage.turn()
    assert [alarm_id for alarm_id, _ in stage.sent] == ["a3", "a9", "a1", "a2"]


def test_what_no_disk_has_yet_says_so_until_one_has(stage: Stage) -> None:
    stage.publisher.add_from_memory([entry(1), entry(2)])
    stage.publisher.mark_durable([("a2", 0)])
    stage.turn()
    assert [sent["not_durable"] for sent in stage.broker.sent] == [True, False]


def test_how_late_it_is_told_is_counted_by_the_clock_that_never_jumps(stage: Stage) -> None:
    stage.publisher.record_decided([("a1", 0)], stage.clocks.now_s)
    stage.clocks.advance(7.0)
    stage.clocks.utc_s += 3600.0
    stage.publisher.add_owed([entry(1)])
    stage.turn()
    assert stage.broker.sent[0]["decided_to_told_s"] == pytest.approx(7.1)
    assert stage.broker.sent[0]["late"]


@pytest.mark.parametrize(
    ("quality", "synchronized", "told_s"),
    [("synchronized", True, 60.1), ("stepped", True, None), ("synchronized", False, None)],
)
def test_of_what_was_decided_before_a_restart_the_time_of_day_says_how_late_it_is_if_it_can_be_believed(
    stage: Stage, *, quality: str, synchronized: bool, told_s: float | None
) -> None:
    stage.clocks.synchronized = synchronized
    stage.clocks.advance(60.0)
    stage.publisher.add_owed([entry(1, quality=quality)])
    stage.turn()
    assert stage.broker.sent[0]["decided_to_told_s"] == (None if told_s is None else pytest.approx(told_s))
    assert stage.broker.sent[0]["late"]


def test_what_no_disk_and_no_broker_takes_is_bounded_and_the_urgent_stays(stage: Stage) -> None:
    stage.broker.link = DOWN
    stage.publisher.add_from_memory([entry(0, urgent=True)])
    stage.publisher.add_from_memory([entry(number) for number in range(1, MAX_FROM_MEMORY + 10)])
    assert stage.publisher.waiting == MAX_FROM_MEMORY
    assert stage.publisher.lost == 10
    stage.broker.reconnect()
    stage.turn()
    assert stage.sent[0] == ("a0", 0)


def test_what_no_version_of_ours_can_tell_is_named(stage: Stage) -> None:
    malformed = Entry("x", 0, NOON_S, urgent=False, alarm="{}", body="[]")
    assert stage.publisher.add_owed([malformed, entry(1)]) == [("x", 0)]
    stage.turn()
    assert stage.sent == [("a1", 0)]


def test_another_topic_holds_for_what_waits_already(stage: Stage) -> None:
    stage.publisher.add_owed([entry(1)])
    stage.publisher.use_topics(Topics("home", "anna"))
    stage.turn()
    assert stage.broker.sent[0]["topic"] == "home/anna/alarm/sound/cry/cry"
