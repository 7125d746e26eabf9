"""The send queue keeps each alarm until it is acknowledged, of all else the newest, within bounds and in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from device.sinks.mqtt.send_queue import Key, OwedMessage, SendQueue
from device.sinks.payloads import Message


def _owed(*keys: Key) -> list[OwedMessage]:
    return [OwedMessage(key, "t", lambda: b"") for key in keys]


def _sent(queue: SendQueue) -> list[Key]:
    sent = []
    while (owed := queue.next_alarm()) is not None:
        sent.append(owed.key)
    return sent


def _due(queue: SendQueue) -> list[bytes]:
    due = []
    while (message := queue.next_state()) is not None:
        due.append(message.payload)
    return due


def _ignore(_key: Key) -> None:
    """Report nothing."""


# --- alarms


def test_no_more_is_held_than_may_be_on_its_way() -> None:
    queue = SendQueue(3)
    assert queue.accept(_owed(*((f"a{number}", 0) for number in range(5))), 0.0, queue.generation) == 3
    assert queue.room == 0
    assert _sent(queue) == [("a0", 0), ("a1", 0), ("a2", 0)]
    assert queue.accept(_owed(("a3", 0)), 0.0, queue.generation) == 0
    assert queue.acknowledge(("a1", 0), _ignore)
    assert queue.accept(_owed(("a0", 0), ("a3", 0)), 0.0, queue.generation) == 1, "what is held is not taken twice"


def test_a_new_connection_sends_again_what_is_held_in_its_order_and_nothing_else() -> None:
    queue = SendQueue(4)
    queue.accept(_owed(("a", 0), ("b", 0), ("a", 1), ("c", 0)), 0.0, queue.generation)
    assert queue.next_alarm() is not None
    queue.acknowledge(("b", 0), _ignore)
    assert queue.connection_opened() == 3
    assert _sent(queue) == [("a", 0), ("a", 1), ("c", 0)]


def test_an_acknowledgement_counts_once_and_only_for_what_is_held() -> None:
    queue = SendQueue(4)
    reported: list[Key] = []
    queue.accept(_owed(("a", 0)), 0.0, queue.generation)
    assert not queue.acknowledge(("b", 0), reported.append)
    assert queue.acknowledge(("a", 0), reported.append)
    assert not queue.acknowledge(("a", 0), reported.append)
    assert reported == [("a", 0)]


def test_an_alarm_is_held_until_whoever_owes_it_was_told() -> None:
    queue, seen = SendQueue(1), []

    def report(key: Key) -> None:
        seen.append((key in queue.held(0.0).keys, queue.room))

    queue.accept(_owed(("a", 0)), 0.0, queue.generation)
    queue.acknowledge(("a", 0), report)
    assert seen == [(True, 0)]
    assert (queue.held(0.0).keys, queue.room) == (frozenset(), 1)


def test_what_was_denied_gives_room_to_others_and_holds_up_only_its_own_alarm() -> None:
    queue = SendQueue(1)
    queue.accept(_owed(("a", 0)), 0.0, queue.generation)
    queue.deny(("a", 0), until_s=30.0)
    assert queue.held(10.0).keys == {("a", 0)}
    assert queue.accept(_owed(("a", 0), ("a", 1), ("b", 0)), 10.0, queue.generation) == 1
    assert queue.held(10.0).keys == {("a", 0), ("b", 0)}
    queue.acknowledge(("b", 0), _ignore)
    assert queue.accept(_owed(("a", 0), ("a", 1)), 30.0, queue.generation) == 1
    assert queue.held(30.0).keys == {("a", 0)}


def test_where_a_thousand_were_denied_no_more_is_tried_for_a_while() -> None:
    queue = SendQueue(1)
    for number in range(1000):
        assert queue.accept(_owed((f"a{number}", 0)), 0.0, queue.generation) == 1
        queue.deny((f"a{number}", 0), until_s=30.0)
    assert queue.room == 0
    assert queue.accept(_owed(("b", 0)), 30.0, queue.generation) == 1


def _offer(queue: SendQueue, owed: list[Key], now_s: float = 0.0) -> None:
    pending = queue.held(now_s).keys
    queue.accept(_owed(*(key for key in owed if key not in pending)), now_s, queue.generation)


def _next(queue: SendQueue) -> Key:
    message = queue.next_alarm()
    assert message is not None
    return message.key


def test_a_later_change_is_not_acknowledged_before_an_earlier_one_that_was_denied() -> None:
    """The bug: three changes fit, the broker denied the first one, and a later change of its alarm overtook it.

    The queue accepted nothing more of an alarm of which a change was denied, but it went on to send what it had
    accepted of it before. A subscriber learned that an alarm had ended before it learned that it had begun, and in
    the journal the first change was still owed after a later one had been delivered.
    """
    queue = SendQueue(3)
    owed = [(f"a{number % 4}", number // 4) for number in range(24)]
    _offer(queue, owed)
    assert _next(queue) == ("a0", 0)
    queue.deny(("a0", 0), until_s=30.0)
    queue.connection_opened()
    for key in (("a1", 0), ("a2", 0)):
        assert _next(queue) == key
        assert queue.acknowledge(key, owed.remove)
    _offer(queue, owed)
    assert _next(queue) == ("a0", 0)
    queue.deny(("a0", 0), until_s=30.0)
    assert _next(queue) == ("a3", 0)
    assert queue.acknowledge(("a3", 0), owed.remove)
    assert queue.next_alarm() is None, "a0's second change waits for its first"
    _offer(queue, owed, now_s=30.0)
    assert _sent(queue) == [("a0", 0), ("a0", 1), ("a1", 1)]


def test_a_later_change_that_was_on_its_way_at_the_denial_is_sent_again_behind_the_earlier_one() -> None:
    """Both were published before the denial of the first came; that the second was accepted does not count."""
    queue = SendQueue(4)
    owed = [("a", 0), ("a", 1), ("a", 2)]
    _offer(queue, owed[:2])
    assert _sent(queue) == [("a", 0), ("a", 1)]
    queue.deny(("a", 0), until_s=30.0)
    _offer(queue, owed, now_s=30.0)
    assert _sent(queue) == [], "the acknowledgement that is still to come would be taken for that of the next try"
    assert not queue.acknowledge(("a", 1), owed.remove)
    _offer(queue, owed, now_s=30.0)
    assert _sent(queue) == owed


def test_an_offer_that_was_made_before_a_denial_and_a_reconnect_passes_no_earlier_change() -> None:
    queue = SendQueue(4)
    queue.accept(_owed(("a", 0)), 0.0, queue.generation)
    pending = queue.held(0.0).keys
    generation = queue.generation
    offer = _owed(*(key for key in [("a", 0), ("a", 1), ("b", 0)] if key not in pending))
    queue.deny(_next(queue), until_s=30.0)
    queue.connection_opened()
    assert queue.accept(offer, 60.0, generation) == 0, "it was prepared for a connection that is gone"
    assert queue.accept(offer, 60.0, queue.generation) == 1, "a's second change waits for its first"
    assert _next(queue) == ("b", 0)
    assert queue.accept(_owed(("a", 0), ("a", 1)), 60.0, queue.generation) == 2


def test_a_denied_change_that_ignore_offers_any_more_does_not_block_its_alarm_for_ever() -> None:
    queue = SendQueue(4)
    queue.accept(_owed(("a", 0)), 0.0, queue.generation)
    queue.deny(_next(queue), until_s=30.0)
    assert queue.accept(_owed(("a", 1)), 10.0, queue.generation) == 0
    assert queue.held(30.0).keys == frozenset()
    assert queue.accept(_owed(("a", 1)), 30.0, queue.generation) == 1


def test_a_thousand_denials_leave_room_again_once_their_time_has_passed() -> None:
    """The bug: a publisher that offers nothing while there is no room waited for the next connection."""
    queue = SendQueue(1)
    for number in range(1000):
        queue.accept(_owed((f"a{number}", 0)), 0.0, queue.generation)
        queue.deny(_next(queue), until_s=30.0)
    queue.retry_denied(29.0)
    assert queue.room == 0
    queue.retry_denied(30.0)
    assert queue.room == 1


def _ages(queue: SendQueue) -> float | None:
    return queue.unacknowledged_since_s


def test_the_age_of_what_is_unacknowledged_outlives_connections_and_ends_with_its_acknowledgement() -> None:
    queue = SendQueue(4)
    assert _ages(queue) is None
    queue.accept(_owed(("a", 0)), 5.0, queue.generation)
    queue.accept(_owed(("b", 0)), 7.0, queue.generation)
    queue.connection_opened()
    assert _ages(queue) == 5.0
    queue.acknowledge(("a", 0), _ignore)
    assert _ages(queue) == 7.0


# --- the state


def test_of_each_topic_only_the_newest_is_told() -> None:
    queue = SendQueue(1)
    for number in range(10):
        queue.put(Message("a", b"a%d" % number))
        queue.put(Message("b", b"b%d" % number, qos=0))
    assert sorted(_due(queue)) == [b"a9", b"b9"]
    assert _due(queue) == []


def test_what_is_retained_is_told_again_after_every_new_connection_and_all_else_once() -> None:
    queue = SendQueue(1)
    queue.put(Message("kept", b"1", retain=True))
    queue.put(Message("said", b"2"))
    assert _due(queue) == [b"1", b"2"]
    for _ in range(2):
        queue.connection_opened()
        assert _due(queue) == [b"1"]


def test_what_is_withdrawn_is_withdrawn_once_and_not_at_every_connection() -> None:
    queue = SendQueue(1)
    queue.put(Message("kept", b"1", retain=True))
    gone = Message("kept", b"", retain=True)
    queue.put(gone)
    assert _due(queue) == [b""]
    queue.connection_closed([gone])
    queue.connection_opened()
    assert _due(queue) == [b""], "it was not acknowledged"
    queue.connection_opened()
    queue.repeat_retained()
    assert _due(queue) == []


def test_what_was_on_its_way_is_due_again_unless_there_is_something_newer() -> None:
    queue = SendQueue(1)
    old, other = Message("a", b"old"), Message("b", b"other")
    queue.put(Message("a", b"new"))
    queue.connection_closed([old, other])
    assert sorted(_due(queue)) == [b"new", b"other"]


def test_what_is_announced_comes_first_but_never_instead_of_something_newer() -> None:
    queue = SendQueue(1)
    queue.put(Message("first", b"1", retain=True))
    queue.put(Message("microphone", b"offline", retain=True))
    queue.announce([Message("discovery", b"d", retain=True), Message("microphone", b"online", retain=True)])
    assert _due(queue) == [b"d", b"offline", b"1"]


def test_topics_beyond_what_is_bounded_are_dropped_and_counted_and_known_ones_go_on() -> None:
    queue = SendQueue(1)
    for number in range(1200):
        queue.put(Message(f"t{number}", b"1", retain=True))
    queue.put(Message("t0", b"2", retain=True))
    assert queue.dropped == 200
    assert b"2" in _due(queue)


# --- the law


class SendQueueMachine(RuleBasedStateMachine):
    """The owner offers what is owed and not pending; the broker accepts, loses and denies at random."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = SendQueue(3)
        self.now_s = 0.0
        self.owed: list[Key] = [(f"a{number % 4}", number // 4) for number in range(24)]
        self.prepared: list[Key] | None = None
        self.prepared_for = 0
        self.in_flight: list[Key] = []
        self.arrived: list[Key] = []

    @rule()
    def prepare_an_offer(self) -> None:
        """Choose what to offer; the offer itself may follow much later."""
        held = self.queue.held(self.now_s)
        self.prepared_for = held.generation
        self.prepared = [key for key in self.owed if key not in held.keys]

    @rule()
    def offer(self) -> None:
        if self.prepared is None:
            self.prepare_an_offer()
        self.queue.accept(_owed(*(self.prepared or ())), self.now_s, self.prepared_for)
        self.prepared = None

    @rule()
    def send(self) -> None:
        owed = self.queue.next_alarm()
        if owed is not None:
            alarm_id, seq = owed.key
            earlier = {key for key in self.owed if key[0] == alarm_id and key[1] < seq}
            assert earlier <= set(self.in_flight), "an earlier change is unsent or was denied"
            self.in_flight.append(owed.key)
            self.arrived.append(owed.key)

    @rule()
    def acknowledge(self) -> None:
        if self.in_flight:
            self.queue.acknowledge(self.in_flight.pop(0), self.owed.remove)

    @rule()
    def deny(self) -> None:
        if self.in_flight:
            key = self.in_flight.pop(0)
            self.arrived.remove(key)
            self.queue.deny(key, self.now_s + 30.0)

    @rule(lost=st.booleans())
    def reconnect(self, *, lost: bool) -> None:
        if lost:
            self.arrived = [key for key in self.arrived if key not in self.in_flight]
        self.in_flight.clear()
        self.queue.connection_opened()

    @rule(after_s=st.floats(1.0, 40.0))
    def wait(self, after_s: float) -> None:
        self.now_s += after_s

    @invariant()
    def nothing_is_lost(self) -> None:
        assert set(self.arrived) | set(self.owed) == {(f"a{number % 4}", number // 4) for number in range(24)}

    @invariant()
    def the_broker_never_has_more_in_flight_than_allowed(self) -> None:
        assert len(self.in_flight) <= 3

    @invariant()
    def the_changes_of_each_alarm_are_acknowledged_in_order(self) -> None:
        for number in range(4):
            owed = [seq for alarm_id, seq in self.owed if alarm_id == f"a{number}"]
            assert owed == list(range(6 - len(owed), 6))

    def teardown(self) -> None:
        """A broker that denies nothing any more gets everything that is owed."""
        for _ in range(20):
            self.wait(40.0)
            self.offer()
            while self.queue.has_unsent:
                self.send()
            while self.in_flight:
                self.acknowledge()
        assert not self.owed


TestSendQueue = SendQueueMachine.TestCase


@given(st.integers(1, 5), st.integers(0, 30))
def test_whatever_is_offered_once_per_room_is_sent_in_the_order_of_the_offer(limit: int, count: int) -> None:
    queue, sent = SendQueue(limit), []
    owed = [(f"a{number}", 0) for number in range(count)]
    while owed:
        queue.accept(_owed(*owed), 0.0, queue.generation)
        fresh = _sent(queue)
        sent += fresh
        for key in fresh:
            assert queue.acknowledge(key, owed.remove)
    assert sent == [(f"a{number}", 0) for number in range(count)]
