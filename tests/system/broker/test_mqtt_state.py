"""The newest of each topic, once there is a connection and after every new one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from device.sinks import homeassistant, payloads
from device.sinks.payloads import Message
from tests.system.broker.telling import BIRTH, ONLINE, TOPICS, Owner, Subscriber, Telling, both, settings_for, until

if TYPE_CHECKING:
    from device.config.settings import MqttProtocol
    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system


def test_the_newest_of_each_topic_is_told_once_there_is_a_connection_and_after_every_new_one(
    broker: Mosquitto, telling: Telling
) -> None:
    broker.kill()
    mqtt = telling.begin(settings_for(broker), Owner())
    for number in range(100):
        mqtt.publish(Message("auricle/anna/state", b"%d" % number, retain=True))
        mqtt.publish(Message("auricle/anna/level", b"%d" % number, qos=0))
    broker.start()
    with Subscriber(broker.port) as subscriber:
        until(lambda: subscriber.of("auricle/anna/state"), "the state arriving")
        until(lambda: subscriber.of(ONLINE.topic), "the availability arriving")
        assert set(subscriber.of("auricle/anna/state")) == {b"99"}
        assert subscriber.of("auricle/anna/level") in ([], [b"99"])
    broker.kill()  # and with it all retained messages
    broker.start()
    with Subscriber(broker.port) as subscriber:
        until(lambda: subscriber.of("auricle/anna/state") == [b"99"], "the state arriving again")
        until(lambda: subscriber.of(ONLINE.topic) == [b"online"], "the availability arriving again")
        assert not subscriber.of("auricle/anna/level"), "what is not retained is told once"


@both
def test_all_is_told_again_when_home_assistant_starts(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    announced = homeassistant.AnnouncedDevice("auricle_1", TOPICS, "homeassistant", (("cry", "cry"),), "0.1.0")
    owner = Owner(announce=(homeassistant.discovery(announced, {}), ONLINE))
    with Subscriber(broker.port, "#") as subscriber:
        mqtt = telling.begin(settings_for(broker, protocol=protocol), owner)
        mqtt.publish(payloads.sound(TOPICS, "cry", "cry", on=True))
        wanted = (announced.topic, ONLINE.topic, TOPICS.sound("cry", "cry"))
        until(lambda: all(subscriber.of(topic) for topic in wanted), "the first announcement")
        until(lambda: "SUBSCRIBE" in broker.log and BIRTH in broker.log, "the subscription")
        subscriber.heard.clear()
        subscriber.say(BIRTH, b"offline")
        subscriber.say(BIRTH, homeassistant.BIRTH.encode())
        until(lambda: all(subscriber.of(topic) for topic in wanted), "the second announcement")
        subscriber.heard.clear()
        for _ in range(200):  # another client floods the broker
            subscriber.say(BIRTH, homeassistant.BIRTH.encode())
        time.sleep(0.3)
        assert len(subscriber.of(announced.topic)) <= 3
        assert mqtt.counts.rejected == 0
