"""What waits for a broker: each alarm until it is acknowledged, of all else the newest, and never without bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from device.sinks.mqtt.send_queue import Key, Outbox, OwedMessage
from device.sinks.payloads import Message


def _owed(*keys: Key) -> list[OwedMessage]:
    return [OwedMessage(key, "t", lambda: b"") for key in keys]


def _sent(outbox: Outbox) -> list[Key]:
    sent = []
    while (owed := outbox.next_alarm()) is not None:
        sent.append(owed.key)
    return sent


def _due(outbox: Outbox) -> list[bytes]:
    due = []
    while (message := outbox.next_state()) is not None:
        due.append(message.payload)
    return due


def _nobody(_key: Key) -> None:
    """Is told."""


# --- alarms


def test_no_more_is_held_than_may_be_on_its_way() -> None:
    outbox = Outbox(3)
    assert outbox.take(_owed(*((f"a{number}", 0) for number in range(5))), 0.0) == 3
    assert outbox.room == 0
    assert _sent(outbox) == [("a0", 0), ("a1", 0), ("a2", 0)]
    assert outbox.take(_owed(("a3", 0)), 0.0) == 0
    assert outbox.acknowledged(("a1", 0), _nobody)
    assert outbox.take(_owed(("a0", 0), ("a3", 0)), 0.0) == 1, "what is held is not taken twice"


def test_a_new_connection_sends_again_what_is_held_in_its_order_and_nothing_else() -> None:
    outbox = Outbox(4)
    outbox.take(_owed(("a", 0), ("b", 0), ("a", 1), ("c", 0)), 0.0)
    assert outbox.next_alarm() is not None
    outbox.acknowledged(("b", 0), _nobody)
    assert outbox.joined() == 3
    assert _sent(outbox) == [("a", 0), ("a", 1), ("c", 0)]


def test_an_acknowledgement_counts_once_and_only_for_what_is_held() -> None:
    outbox = Outbox(4)
    told: list[Key] = []
    outbox.take(_owed(("a", 0)), 0.0)
    assert not outbox.acknowledged(("b", 0), told.append)
    assert outbox.acknowledged(("a", 0), told.append)
    assert not outbox.acknowledged(("a", 0), told.append)
    assert told == [("a", 0)]


def test_an_alarm_is_held_until_whoever_owes_it_was_told() -> None:
    outbox, seen = Outbox(1), []

    def tell(key: Key) -> None:
        seen.append((key in outbox.held(0.0), outbox.room))

    outbox.take(_owed(("a", 0)), 0.0)
    outbox.acknowledged(("a", 0), tell)
    assert seen == [(True, 0)]
    assert (outbox.held(0.0), outbox.room) == (frozenset(), 1)


def test_what_was_denied_gives_room_to_others_and_holds_up_only_its_own_alarm() -> None:
    outbox = Outbox(1)
    outbox.take(_owed(("a", 0)), 0.0)
    outbox.denied(("a", 0), until_s=30.0)
    assert outbox.held(10.0) == {("a", 0)}
    assert outbox.take(_owed(("a", 0), ("a", 1), ("b", 0)), 10.0) == 1
    assert outbox.held(10.0) == {("a", 0), ("b", 0)}
    outbox.acknowledged(("b", 0), _nobody)
    assert outbox.take(_owed(("a", 0), ("a", 1)), 30.0) == 1
    assert outbox.held(30.0) == {("a", 0)}


def test_where_a_thousand_were_denied_no_more_is_tried_for_a_while() -> None:
    outbox = Outbox(1)
    for number in range(1000):
        assert outbox.take(_owed((f"a{number}", 0)), 0.0) == 1
        outbox.denied((f"a{number}", 0), until_s=30.0)
    assert outbox.room == 0
    assert outbox.take(_owed(("b", 0)), 30.0) == 1


def _offer(outbox: Outbox, owed: list[Key], now_s: float = 0.0) -> None:
    held = outbox.held(now_s)
    outbox.take(_owed(*(key for key in owed if key not in held)), now_s)


def _next(outbox: Outbox) -> Key:
    message = outbox.next_alarm()
    assert message is not None
    return message.key


def test_a_later_change_is_not_acknowledged_before_an_earlier_one_that_was_denied() -> None:
    """The bug: three changes fit, the broker denied the first one, and a later change of its alarm overtook it.

    The queue accepted nothing more of an alarm of which a change was denied, but it went on to send what it had
    accepted of it before. A subscriber learned that an alarm had ended before it learned that it had begun, and in
    the journal the first change was still owed after a later one had been delivered.
    """
    outbox = Outbox(3)
    owed = [(f"a{number % 4}", number // 4) for number in range(24)]
    _offer(outbox, owed)
    assert _next(outbox) == ("a0", 0)
    outbox.denied(("a0", 0), until_s=30.0)
    outbox.joined()
    for key in (("a1", 0), ("a2", 0)):
        assert _next(outbox) == key
        assert outbox.acknowledged(key, owed.remove)
    _offer(outbox, owed)
    assert _next(outbox) == ("a0", 0)
    outbox.denied(("a0", 0), until_s=30.0)
    assert _next(outbox) == ("a3", 0)
    assert outbox.acknowledged(("a3", 0), owed.remove)
    assert outbox.next_alarm() is None, "a0's second change waits for its first"
    _offer(outbox, owed, now_s=30.0)
    assert _sent(outbox) == [("a0", 0), ("a0", 1), ("a1", 1)]


def test_a_later_change_that_was_on_its_way_at_the_denial_is_sent_again_behind_the_earlier_one() -> None:
    """Both were published before the denial of the first came; that the second was accepted does not count."""
    outbox = Outbox(4)
    owed = [("a", 0), ("a", 1), ("a", 2)]
    _offer(outbox, owed[:2])
    assert _sent(outbox) == [("a", 0), ("a", 1)]
    outbox.denied(("a", 0), until_s=30.0)
    _offer(outbox, owed, now_s=30.0)
    assert _sent(outbox) == [], "the acknowledgement that is still to come would be taken for that of the next try"
    assert not outbox.acknowledged(("a", 1), owed.remove)
    _offer(outbox, owed, now_s=30.0)
    assert _sent(outbox) == owed


def test_an_offer_that_was_made_before_a_denial_and_a_reconnect_passes_no_earlier_change() -> None:
    outbox = Outbox(4)
    outbox.take(_owed(("a", 0)), 0.0)
    held = outbox.held(0.0)
    offer = _owed(*(key for key in [("a", 0), ("a", 1)] if key not in held))
    outbox.denied(_next(outbox), until_s=30.0)
    outbox.joined()
    assert outbox.take(offer, 60.0) == 0
    assert outbox.take(_owed(("a", 0), ("a", 1)), 60.0) == 2


def test_a_denied_change_that_nobody_offers_any_more_does_not_block_its_alarm_for_ever() -> None:
    outbox = Outbox(4)
    outbox.take(_owed(("a", 0)), 0.0)
    outbox.denied(_next(outbox), until_s=30.0)
    assert outbox.take(_owed(("a", 1)), 10.0) == 0
    assert outbox.held(30.0) == frozenset()
    assert outbox.take(_owed(("a", 1)), 30.0) == 1


def test_a_thousand_denials_leave_room_again_once_their_time_has_passed() -> None:
    """The bug: a publisher that offers nothing while there is no room waited for the next connection."""
    outbox = Outbox(1)
    for number in range(1000):
        outbox.take(_owed((f"a{number}", 0)), 0.0)
        outbox.denied(_next(outbox), until_s=30.0)
    outbox.retry_denied(29.0)
    assert outbox.room == 0
    outbox.retry_denied(30.0)
    assert outbox.room == 1


# --- the state


def test_of_each_topic_only_the_newest_is_told() -> None:
    outbox = Outbox(1)
    for number in range(10):
        outbox.put(Message("a", b"a%d" % number))
        outbox.put(Message("b", b"b%d" % number, qos=0))
    assert sorted(_due(outbox)) == [b"a9", b"b9"]
    assert _due(outbox) == []


def test_what_is_retained_is_told_again_after_every_new_connection_and_all_else_once() -> None:
    outbox = Outbox(1)
    outbox.put(Message("kept", b"1", retain=True))
    outbox.put(Message("said", b"2"))
    assert _due(outbox) == [b"1", b"2"]
    for _ in range(2):
        outbox.joined()
        assert _due(outbox) == [b"1"]


def test_what_was_on_its_way_is_due_again_unless_there_is_something_newer() -> None:
    outbox = Outbox(1)
    old, other = Message("a", b"old"), Message("b", b"other")
    outbox.put(Message("a", b"new"))
    outbox.parted([old, other])
    assert sorted(_due(outbox)) == [b"new", b"other"]


def test_what_is_announced_comes_first_but_never_instead_of_something_newer() -> None:
    outbox = Outbox(1)
    outbox.put(Message("first", b"1", retain=True))
    outbox.put(Message("microphone", b"offline", retain=True))
    outbox.announce([Message("discovery", b"d", retain=True), Message("microphone", b"online", retain=True)])
    assert _due(outbox) == [b"d", b"offline", b"1"]


def test_topics_beyond_what_is_bounded_are_dropped_and_counted_and_known_ones_go_on() -> None:
    outbox = Outbox(1)
    for number in range(1200):
        outbox.put(Message(f"t{number}", b"1", retain=True))
    outbox.put(Message("t0", b"2", retain=True))
    assert outbox.dropped == 200
    assert b"2" in _due(outbox)


# --- the law


class Telling(RuleBasedStateMachine):
    """Whoever owes offers what is owed and not held; the broker takes, loses and denies as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(3)
        self.now_s = 0.0
        self.owed: list[Key] = [(f"a{number % 4}", number // 4) for number in range(24)]
        self.prepared: list[Key] | None = None
        self.on_the_way: list[Key] = []
        self.arrived: list[Key] = []

    @rule()
    def prepare_an_offer(self) -> None:
        """What is offered later may be as old as this."""
        held = self.outbox.held(self.now_s)
        self.prepared = [key for key in self.owed if key not in held]

    @rule()
    def offer(self) -> None:
        if self.prepared is None:
            self.prepare_an_offer()
        self.outbox.take(_owed(*(self.prepared or ())), self.now_s)
        self.prepared = None

    @rule()
    def send(self) -> None:
        owed = self.outbox.next_alarm()
        if owed is not None:
            alarm_id, seq = owed.key
            earlier = {key for key in self.owed if key[0] == alarm_id and key[1] < seq}
            assert earlier <= set(self.on_the_way), "an earlier change is unsent or was denied"
            self.on_the_way.append(owed.key)
            self.arrived.append(owed.key)

    @rule()
    def acknowledge(self) -> None:
        if self.on_the_way:
            self.outbox.acknowledged(self.on_the_way.pop(0), self.owed.remove)

    @rule()
    def deny(self) -> None:
        if self.on_the_way:
            key = self.on_the_way.pop(0)
            self.arrived.remove(key)
            self.outbox.denied(key, self.now_s + 30.0)

    @rule(lost=st.booleans())
    def reconnect(self, *, lost: bool) -> None:
        if lost:
            self.arrived = [key for key in self.arrived if key not in self.on_the_way]
        self.on_the_way.clear()
        self.outbox.joined()

    @rule(after_s=st.floats(1.0, 40.0))
    def wait(self, after_s: float) -> None:
        self.now_s += after_s

    @invariant()
    def nothing_is_lost(self) -> None:
        assert set(self.arrived) | set(self.owed) == {(f"a{number % 4}", number // 4) for number in range(24)}

    @invariant()
    def no_more_is_on_its_way_than_may_be(self) -> None:
        assert len(self.on_the_way) <= 3

    @invariant()
    def what_was_paid_is_a_beginning_of_each_alarm(self) -> None:
        for number in range(4):
            owed = [seq for alarm_id, seq in self.owed if alarm_id == f"a{number}"]
            assert owed == list(range(6 - len(owed), 6))

    def teardown(self) -> None:
        """A broker that denies nothing any more gets all of it, in a round for each change of an alarm and more."""
        for _ in range(20):
            self.wait(40.0)
            self.offer()
            while self.outbox.has_unsent:
                self.send()
            while self.on_the_way:
                self.acknowledge()
        assert not self.owed


TestTelling = Telling.TestCase


@given(st.integers(1, 5), st.integers(0, 30))
def test_whatever_is_offered_once_per_room_is_sent_in_the_order_of_the_offer(limit: int, count: int) -> None:
    outbox, sent = Outbox(limit), []
    owed = [(f"a{number}", 0) for number in range(count)]
    while owed:
        outbox.take(_owed(*owed), 0.0)
        fresh = _sent(outbox)
        sent += fresh
        for key in fresh:
            assert outbox.acknowledged(key, owed.remove)
    assert sent == [(f"a{number}", 0) for number in range(count)]
