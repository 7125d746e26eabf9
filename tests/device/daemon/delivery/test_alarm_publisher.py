"""Owed entries are offered until they are acknowledged: in order, once, with their lateness, within bounds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.alarms.journal.entries import Entry, OwedRow
from device.daemon.delivery.alarm_publisher import AlarmPublisher
from device.daemon.delivery.outbox import Outbox
from device.daemon.delivery.reply_queue import BrokerAcknowledged, ReplyQueue
from device.sinks.mqtt.send_queue import SendQueue
from device.sinks.payloads import Topics
from tests.device.daemon.scripted import DOWN, NOON_S, ManualClocks, ScriptedBroker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from device.sinks.mqtt.send_queue import Held, OwedMessage

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
    """A publisher between an outbox that has read all that is owed, and a broker."""

    def __init__(self, room: int = 20, entries: list[Entry] | None = None) -> None:
        self.clocks = ManualClocks()
        self.replies = ReplyQueue()
        self.broker = ScriptedBroker(self.replies, room)
        self.outbox = Outbox(1000)
        self.publisher = AlarmPublisher(TOPICS, self.clocks.timekeeper)
        self.malformed: list[tuple[str, int]] = []
        if entries:
            self.owe(entries)

    def owe(self, entries: list[Entry]) -> None:
        """As after a restart: these are read from the journal."""
        rows = {self.outbox.newest + number: entry for number, entry in enumerate(entries, start=1)}
        self.outbox.load([OwedRow(ordinal, *entry.key) for ordinal, entry in rows.items()], max(rows))
        self.outbox.add_read(self.outbox.next_unread(), rows)

    def turn(self) -> None:
        self.clocks.advance(0.1)
        held = self.broker.held
        for reply in self.replies.pop_all():
            assert isinstance(reply, BrokerAcknowledged)
            self.outbox.acknowledge(reply.key)
        if self.broker.room:
            changes = self.outbox.to_offer(held.keys, held.denied, self.clocks.now_s)
            self.malformed += self.publisher.offer(self.broker, changes, held.generation)

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
    entries = [entry(number % 3, number) for number in range(40)]
    stage = Stage(room, entries)
    for count in (*acknowledged, *[40] * 45):
        stage.turn()
        stage.broker.acknowledge(count)
    stage.turn()
    assert sorted(stage.sent) == sorted(entry.key for entry in entries)
    for alarm_id in ("a0", "a1", "a2"):
        of_one = [seq for sent_id, seq in stage.sent if sent_id == alarm_id]
        assert of_one == sorted(of_one)
    assert stage.outbox.owed == 0


def test_nothing_is_offered_while_there_is_no_connection(stage: Stage) -> None:
    stage.broker.link = DOWN
    stage.owe([entry(1)])
    stage.turn()
    assert stage.sent == []
    assert stage.outbox.owed == 1


class QueueBroker(ScriptedBroker):
    """A broker behind a real send queue, which denies what a test says."""

    def __init__(self, replies: ReplyQueue, clocks: ManualClocks, room: int) -> None:
        super().__init__(replies, room)
        self._clocks = clocks
        self._queue = SendQueue(room)
        self.denies: set[tuple[str, int]] = set()
        self.accepted: list[tuple[str, int]] = []

    @property
    def held(self) -> Held:
        return self._queue.held(self._clocks.now_s)

    @property
    def room(self) -> int:
        return self._queue.room

    def offer(self, messages: Iterable[OwedMessage], generation: int) -> int:
        return self._queue.accept(messages, self._clocks.now_s, generation)

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
    stage.owe(entries)
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


def test_what_was_chosen_for_another_connection_is_not_accepted_and_is_offered_again(stage: Stage) -> None:
    stage.owe([entry(1), entry(1, 1)])
    held = stage.broker.held
    changes = stage.outbox.to_offer(held.keys, held.denied, stage.clocks.now_s)
    stage.broker.reconnect()
    stage.publisher.offer(stage.broker, changes, held.generation)
    assert stage.sent == []
    stage.turn()
    assert stage.sent == [("a1", 0), ("a1", 1)]


def test_what_no_disk_has_yet_says_so_until_one_has(stage: Stage) -> None:
    stage.outbox.submit([entry(1), entry(2)], stage.clocks.now_s - 9.0)
    held = stage.broker.held
    changes = stage.outbox.to_offer(held.keys, held.denied, stage.clocks.now_s)
    stage.outbox.commit({("a2", 0): 1})
    stage.publisher.offer(stage.broker, changes, held.generation)
    assert [sent["not_durable"] for sent in stage.broker.sent] == [True, False]


def test_how_late_it_is_told_is_counted_by_the_clock_that_never_jumps(stage: Stage) -> None:
    stage.publisher.record_decided([("a1", 0)], stage.clocks.now_s)
    stage.clocks.advance(7.0)
    stage.clocks.utc_s += 3600.0
    stage.owe([entry(1)])
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
    stage.owe([entry(1, quality=quality)])
    stage.turn()
    assert stage.broker.sent[0]["decided_to_told_s"] == (None if told_s is None else pytest.approx(told_s))
    assert stage.broker.sent[0]["late"]


def test_what_no_version_of_ours_can_tell_is_named(stage: Stage) -> None:
    malformed = Entry("x", 0, NOON_S, urgent=False, alarm="{}", body="[]")
    stage.owe([malformed, entry(1)])
    stage.turn()
    assert stage.malformed == [("x", 0)]
    assert stage.sent == [("a1", 0)]


def test_another_topic_holds_for_what_waits_already(stage: Stage) -> None:
    stage.owe([entry(1)])
    stage.publisher.use_topics(Topics("home", "anna"))
    stage.turn()
    assert stage.broker.sent[0]["topic"] == "home/anna/alarm/sound/cry/cry"
