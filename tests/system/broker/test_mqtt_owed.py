"""Owed alarms arrive over a real broker, in order and once."""

from __future__ import annotations

import signal
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from device.sinks.mqtt.send_queue import OwedMessage
from device.sinks.payloads import Message
from tests.system.broker.telling import (
    CRY,
    Owner,
    Subscriber,
    Telling,
    both,
    fed,
    more_paid,
    payload_of,
    reason_in,
    settings_for,
    until,
    up,
)

if TYPE_CHECKING:
    from pathlib import Path

    from device.config.settings import MqttProtocol
    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system


@both
def test_what_is_owed_arrives_in_order_and_is_owed_no_longer(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    owner = Owner()
    keys = [(f"a{number // 3}", number % 3) for number in range(150)]
    owner.owe(*keys)
    with Subscriber(broker.port) as subscriber:
        mqtt = telling.begin(settings_for(broker, protocol=protocol), owner)
        owner.until_paid(mqtt)
        until(lambda: len(subscriber.keys()) == len(keys), "all alarms arriving")
        assert subscriber.keys() == keys == owner.paid()
        assert not any(retained for _, _, retained in subscriber.heard)
        assert mqtt.counts == replace(mqtt.counts, connected=1, acknowledged=150, repeated=0, denied=0)


@both
def test_what_was_on_its_way_when_the_broker_died_comes_again_first_and_nothing_is_lost(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    owner = Owner()
    with Subscriber(broker.port) as before:
        mqtt = telling.begin(settings_for(broker, protocol=protocol, in_flight=10), owner)
        up(mqtt)
        broker.signal(signal.SIGSTOP)  # messages from now on are not acknowledged
        owner.owe(*((f"a{number}", 0) for number in range(100)))
        owner.feed(mqtt)
        until(lambda: len(mqtt.held.keys) == 10, "ten alarms on their way")
        sent = sorted(mqtt.held.keys)
        broker.kill()
        reason_in(mqtt, "lost")
        assert not before.keys()
        assert not owner.paid()
        assert mqtt.room == 0, "what comes before a connection waits where it is owed"
        broker.start()
        owner.until_paid(mqtt)
    assert sorted(owner.paid()[:10]) == sent
    assert Counter(owner.paid()) == Counter({(f"a{number}", 0): 1 for number in range(100)})
    assert mqtt.counts.repeated == 10


def test_copies_that_come_of_a_lost_connection_carry_one_key(
    broker: Mosquitto, telling: Telling, private_folder: Path
) -> None:
    broker.kill()
    broker.configure("persistence true", "max_queued_messages 0")
    broker.start()
    owner = Owner()
    keys = [(f"a{number}", 0) for number in range(3000)]
    with Subscriber(broker.port, session="people") as subscriber:
        broker.signal(signal.SIGUSR1)  # the subscription outlives the broker
        until((private_folder / "mosquitto.db").exists, "the broker saving")
        owner.owe(*keys)
        mqtt = telling.begin(settings_for(broker), owner)
        for _ in range(3):
            wanted = len(owner.paid()) + 50
            fed(owner, mqtt, partial(more_paid, owner, wanted), "some being told")
            broker.kill()
            broker.start()
        before = len(owner.paid())
        owner.until_paid(mqtt)
        late = set(owner.paid()[before:])
        until(lambda: late <= set(subscriber.keys()), "the last alarms arriving")
        assert set(subscriber.keys()) <= set(keys)
    assert Counter(owner.paid()) == Counter(keys), "each is acknowledged once, however often it was sent"
    assert mqtt.counts.repeated >= 3


def test_an_urgent_alarm_comes_first_after_a_reconnect_though_ten_thousand_are_owed(
    broker: Mosquitto, telling: Telling
) -> None:
    owner = Owner()
    mqtt = telling.begin(settings_for(broker, in_flight=20), owner)
    up(mqtt)
    broker.kill()
    reason_in(mqtt, "lost")
    owner.owe(*((f"old{number}", 0) for number in range(10_000)))
    owner.owe(("urgent", 0), first=True)
    broker.start()
    up(mqtt)
    up_s = time.monotonic()
    owner.until_paid(mqtt, within_s=60.0)
    urgent_s = next(at_s for key, at_s in owner.acknowledged if key == ("urgent", 0))
    assert urgent_s - up_s < 1.0
    assert len(owner.paid()) == 10_001
    assert 0 < owner.most_in_flight <= 20


def test_an_urgent_alarm_overtakes_what_is_owed_while_it_is_being_told(broker: Mosquitto, telling: Telling) -> None:
    owner = Owner()
    owner.owe(*((f"old{number}", 0) for number in range(5000)))
    mqtt = telling.begin(settings_for(broker, in_flight=20), owner)
    fed(owner, mqtt, lambda: len(owner.paid()) > 200, "some alarms being told")
    owner.owe(("urgent", 0), first=True)
    before = len(owner.paid())
    fed(owner, mqtt, lambda: ("urgent", 0) in owner.paid(), "the urgent one being told")
    assert owner.paid().index(("urgent", 0)) <= before + 2 * 20


def test_no_more_is_on_its_way_than_the_broker_allows(broker: Mosquitto, telling: Telling) -> None:
    broker.kill()
    broker.configure("max_inflight_messages 3")  # it disconnects a client of MQTT 5 that sends more
    broker.start()
    owner = Owner(announce=[Message(f"auricle/anna/x{number}", b"1", retain=True) for number in range(50)])
    owner.owe(*((f"a{number}", 0) for number in range(500)))
    mqtt = telling.begin(settings_for(broker, in_flight=100), owner)
    owner.until_paid(mqtt)
    assert mqtt.counts.connected == 1


def test_how_late_it_is_is_said_anew_for_each_try(broker: Mosquitto, telling: Telling) -> None:
    owner, tries = Owner(), []

    def payload() -> bytes:
        tries.append(time.monotonic())
        return payload_of(("a", len(tries)))

    with Subscriber(broker.port) as _:
        mqtt = telling.begin(settings_for(broker), owner)
        up(mqtt)
        broker.signal(signal.SIGSTOP)
        owner.owed["a", 0] = OwedMessage(("a", 0), CRY, payload)
        owner.feed(mqtt)
        until(lambda: tries, "the first try")
        broker.kill()
        broker.start()
        owner.until_paid(mqtt)
    assert len(tries) >= 2
