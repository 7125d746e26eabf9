"""Of two devices under one name one publishes: two clients and a broker's topics, without a network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.sinks.mqtt.link import Received
from device.sinks.mqtt.ownership import ANSWER_WITHIN_S, READ_WITHIN_S, SETTLED_AFTER_S, Owner, Ownership, OwnTopics
from device.sinks.payloads import OFFLINE, ONLINE, Message

_TOPICS = OwnTopics("auricle/anna/owner", "auricle/anna/available")
_HERE, _THERE = Owner("here", "run1", "pi-one"), Owner("there", "run2", "pi-two")
_TWIN = Owner("here", "run3", "pi-one")


def _received(message: Message, *, retain: bool = False) -> Received:
    return Received(message.topic, message.payload, retain)


def _available(payload: bytes, *, retain: bool = True) -> Received:
    return Received(_TOPICS.available, payload, retain)


def _begun(me: Owner = _HERE, *, contested: bool = False) -> Ownership:
    made = Ownership(me, _TOPICS)
    made.begin(100.0, contested=contested)
    return made


def _kept(ownership: Ownership, other: Owner, available: bytes) -> None:
    """What the broker keeps, and then our own question."""
    ownership.receive(_available(available), 100.1)
    ownership.receive(_received(Ownership(other, _TOPICS).message, retain=True), 100.1)
    ownership.receive(_received(ownership.question), 100.1)


def _publishing(me: Owner = _HERE) -> Ownership:
    ownership = _begun(me)
    ownership.receive(_received(ownership.question), 100.1)
    assert ownership.step(100.1) == "publish"
    return ownership


def test_a_name_that_nobody_has_is_ours_once_our_question_is_back() -> None:
    ownership = _begun()
    assert ownership.step(100.1) is None
    assert not ownership.is_publishing
    ownership.receive(_received(ownership.question), 100.2)
    assert ownership.step(100.2) == "publish"
    assert ownership.is_publishing


def test_a_broker_that_lets_us_read_nothing_is_waited_for_no_longer_than_a_second() -> None:
    assert _begun().step(100.0 + READ_WITHIN_S) == "publish"
    assert _begun().step(100.0, can_read=False) == "publish"


@pytest.mark.parametrize(("other", "available"), [(_THERE, OFFLINE), (_TWIN, ONLINE), (_HERE, ONLINE)])
def test_who_left_in_order_and_we_ourselves_before_a_restart_keep_no_name(other: Owner, available: bytes) -> None:
    ownership = _begun()
    _kept(ownership, other, available)
    assert ownership.step(100.2) == "publish"


def test_another_device_that_answers_keeps_the_name() -> None:
    ownership = _begun()
    _kept(ownership, _THERE, ONLINE)
    assert ownership.step(100.2) is None
    ownership.receive(_received(Ownership(_THERE, _TOPICS).message), 100.5)
    assert ownership.step(100.5) == "stand_back"
    assert not ownership.is_publishing
    assert ownership.conflict.startswith("another device, 'pi-two', is online under the name 'anna': each instance")


def test_another_device_that_is_gone_for_good_keeps_it_no_longer_than_it_may_answer() -> None:
    ownership = _begun()
    _kept(ownership, _THERE, ONLINE)
    assert ownership.step(100.0 + ANSWER_WITHIN_S - 0.1) is None
    assert ownership.step(100.0 + ANSWER_WITHIN_S) == "publish"


def test_after_a_takeover_even_a_client_of_our_own_device_is_believed() -> None:
    ownership = _begun(contested=True)
    _kept(ownership, _TWIN, ONLINE)
    assert ownership.step(100.2) is None
    ownership.receive(_received(Ownership(_TWIN, _TOPICS).message), 100.5)
    assert ownership.step(100.5) == "stand_back"


def test_who_publishes_answers_who_asks_and_not_itself() -> None:
    ownership = _publishing()
    ownership.receive(_received(ownership.question), 101.0)
    assert ownership.step(101.0) is None
    ownership.receive(_received(Ownership(_THERE, _TOPICS).question), 101.0)
    assert ownership.step(101.0) == "answer"
    assert ownership.step(101.0) is None


def test_of_two_who_take_a_name_at_once_the_last_word_decides() -> None:
    first, last = _publishing(_HERE), _publishing(_THERE)
    for ownership in (first, last):
        ownership.receive(_received(Ownership(_HERE, _TOPICS).message), 102.0)
        ownership.receive(_received(Ownership(_THERE, _TOPICS).message), 102.0)
    later_s = 102.0 + SETTLED_AFTER_S
    assert (first.step(102.5), last.step(102.5)) == (None, None)
    assert (first.step(later_s), last.step(later_s)) == ("stand_back", None)


def test_a_late_will_that_says_we_are_offline_is_corrected_and_not_over_and_over() -> None:
    ownership = _publishing()
    steps = []
    for tenth in range(20):
        ownership.receive(_available(OFFLINE, retain=False), 101.0 + tenth / 10)
        steps.append(ownership.step(101.0 + tenth / 10))
    assert steps.count("announce") == 2
    ownership.receive(_available(ONLINE, retain=False), 103.0)
    assert ownership.step(110.0) is None


def test_each_connection_begins_anew() -> None:
    ownership = _publishing()
    ownership.end()
    assert not ownership.is_begun
    ownership.begin(200.0, contested=False)
    assert ownership.step(200.1) is None


_NOBODY = [b"", b"{}", b"[]", b'{"device":1,"run":"r","host":"h"}', b"x" * 5000]


@given(st.binary(max_size=200) | st.sampled_from(_NOBODY))
def test_what_names_nobody_changes_nothing(payload: bytes) -> None:
    ownership = _publishing()
    assert ownership.receive(Received(_TOPICS.owner, payload, retain=False), 101.0)
    assert ownership.step(110.0) is None
    assert not ownership.receive(Received("auricle/anna/command/pause", payload, retain=False), 101.0)
