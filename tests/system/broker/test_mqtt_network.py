"""What a client does when broker or network hang, die or are not there, and how it leaves."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from device.config.settings import MqttSettings
from device.sinks import payloads
from device.sinks.mqtt.send_queue import OwedMessage
from device.sinks.payloads import Message
from tests.system.broker.telling import (
    CRY,
    ONLINE,
    QUICK,
    TOPICS,
    Owner,
    Subscriber,
    Telling,
    both,
    reason_in,
    settings_for,
    until,
    up,
)

if TYPE_CHECKING:
    from device.config.settings import MqttProtocol
    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system


@both
def test_a_broker_that_hangs_is_noticed_and_what_was_on_its_way_comes_again(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    owner = Owner()
    mqtt = telling.begin(settings_for(broker, protocol=protocol), owner)
    up(mqtt)
    broker.signal(signal.SIGSTOP)
    stopped_s = time.monotonic()
    assert "silent" in reason_in(mqtt, "lost") or "answer" in mqtt.link.reason
    since_s = mqtt.link.since_s
    assert since_s < stopped_s + 0.5, "it is as long ago as the broker was last heard, not as that was noticed"
    owner.owe(("a", 0))
    time.sleep(1.0)
    assert mqtt.link.since_s == since_s, "it is as long ago as the connection was lost, however often it is tried"
    broker.signal(signal.SIGCONT)
    owner.until_paid(mqtt)
    assert mqtt.link.since_s > since_s


def test_a_broker_that_answers_pings_and_acknowledges_nothing_is_left(broker: Mosquitto, telling: Telling) -> None:
    with _Deaf(broker.port) as between:
        owner = Owner()
        owner.owe(("a", 0))
        settings = MqttSettings(host="127.0.0.1", port=between.port, protocol="3.1.1")
        mqtt = telling.begin(settings, owner, timeouts=replace(QUICK, keepalive_s=1, acknowledge_s=1.5))
        up(mqtt)
        owner.feed(mqtt)
        assert "acknowledged nothing" in reason_in(mqtt, "lost")
        between.deaf = False
        owner.until_paid(mqtt)


class _Deaf:
    """A proxy between a client and a broker of MQTT 3.1.1; while it is deaf, it holds acknowledgements back."""

    def __init__(self, port: int) -> None:
        self.deaf = True
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for each in (self._listening, *self._sockets):
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            broker = socket.create_connection(("127.0.0.1", self._port))
            self._sockets += [client, broker]
            threading.Thread(target=self._carry, args=(client, broker, False), daemon=True).start()
            threading.Thread(target=self._carry, args=(broker, client, True), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, back: bool) -> None:  # noqa: FBT001 - a thread's argument
        try:
            while data := source.recv(65536):
                sink.sendall(self._kept(data) if back and self.deaf else data)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    @staticmethod
    def _kept(data: bytes) -> bytes:
        """The packets without PUBACKs; the broker's packets here are short and whole."""
        kept, rest = b"", data
        while rest:
            length = 2 + rest[1]
            kept, rest = kept + (b"" if rest[0] == 0x40 else rest[:length]), rest[length:]
        return kept


def test_nothing_waits_for_a_broker_that_takes_the_connection_and_says_nothing(telling: Telling) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        owner = Owner()
        begun_s = time.monotonic()
        settings = MqttSettings(host="127.0.0.1", port=mute.getsockname()[1])
        mqtt = telling.begin(settings, owner, timeouts=replace(QUICK, answer_s=0.3))
        for number in range(5000):
            mqtt.publish(Message(f"auricle/anna/x{number}", b"1", retain=True))
        assert mqtt.offer([OwedMessage(("a", 0), CRY, lambda: b"")], 0) == 0
        assert time.monotonic() - begun_s < 1.0
        assert mqtt.counts.dropped == 4000
        assert "does not answer" in reason_in(mqtt, "lost")


def test_no_broker_at_all_is_a_lost_network_and_is_tried_at_a_capped_pace(broker: Mosquitto, telling: Telling) -> None:
    broker.kill()
    mqtt = telling.begin(settings_for(broker), Owner())
    assert "nothing listens" in reason_in(mqtt, "lost")
    time.sleep(2.0)
    broker.start()
    begun_s = time.monotonic()
    up(mqtt)
    assert time.monotonic() - begun_s < 0.4 + 2.0, "the longest wait, and a busy machine"


def test_an_unknown_name_is_a_lost_network(telling: Telling) -> None:
    mqtt = telling.begin(MqttSettings(host="no-such-broker.invalid"), Owner())
    assert "no-such-broker.invalid" in reason_in(mqtt, "lost")


def test_two_clients_of_one_id_are_told_and_do_not_chase_each_other(broker: Mosquitto, telling: Telling) -> None:
    first = telling.begin(settings_for(broker), Owner(), timeouts=replace(QUICK, first_s=60.0, longest_s=60.0))
    up(first)
    second = telling.begin(settings_for(broker), Owner())
    up(second)
    assert "another client" in reason_in(first, "lost")
    time.sleep(0.5)
    assert second.link.is_up


def test_the_broker_says_offline_for_one_that_died(broker: Mosquitto) -> None:
    with Subscriber(broker.port) as subscriber:
        script = _CHILD.format(port=broker.port)
        root = str(Path(__file__).resolve().parents[3])
        child = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": root})
        try:
            until(lambda: subscriber.of(ONLINE.topic) == [b"online"], "the child being online")
        finally:
            child.kill()
            child.wait()
        until(lambda: subscriber.of(ONLINE.topic) == [b"online", b"offline"], "the last will")
    with Subscriber(broker.port) as later:
        until(lambda: (ONLINE.topic, b"offline", True) in later.heard, "the retained last will")


_CHILD = """
import time
from device.config.settings import MqttSettings
from device.messages import Alarm, Transition
from device.sinks import payloads
from device.sinks.mqtt.client import Mqtt
from device.sinks.mqtt.ownership import Owner

topics = payloads.Topics("auricle", "anna")

class Handler:
    def connected(self):
        return [payloads.availability(topics, online=True)]

settings = MqttSettings(host="127.0.0.1", port={port})
will = payloads.availability(topics, online=False)
me = dict(owner=Owner("device", "run", "host"), owner_topic=topics.owner)
Mqtt(settings, client_id="child", will=will, password=None, handler=Handler(), commands={{}}, **me).start()
time.sleep(60)
"""


@both
def test_a_clean_leave_says_offline_first_and_leaves_no_will_behind(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    owner = Owner()
    with Subscriber(broker.port) as subscriber:
        mqtt = telling.begin(settings_for(broker, protocol=protocol), owner)
        up(mqtt)
        owner.owe(("a", 0))
        owner.feed(mqtt)
        mqtt.publish(payloads.sound(TOPICS, "cry", "cry", on=False))
        assert mqtt.close(5.0)
        assert mqtt.close(5.0), "again, and nothing happens"
        until(lambda: subscriber.of(ONLINE.topic) == [b"online", b"offline"], "offline arriving")
        assert owner.paid() == [("a", 0)], "what was on its way had time to arrive"
        assert subscriber.of(TOPICS.sound("cry", "cry")) == [b"OFF"]
        time.sleep(0.2)
        assert subscriber.of(ONLINE.topic) == [b"online", b"offline"], "no will comes after"
        assert "Sending will" not in broker.log
    assert mqtt.link.state == "closed"
    assert mqtt.offer([OwedMessage(("b", 0), CRY, lambda: b"")], 1) == 0


def test_leaving_a_broker_that_hangs_takes_no_longer_than_it_may(broker: Mosquitto, telling: Telling) -> None:
    owner = Owner()
    mqtt = telling.begin(settings_for(broker), owner, timeouts=replace(QUICK, keepalive_s=30, acknowledge_s=30))
    up(mqtt)
    broker.signal(signal.SIGSTOP)
    owner.owe(("a", 0))
    owner.feed(mqtt)
    begun_s = time.monotonic()
    assert not mqtt.close(1.0)
    assert time.monotonic() - begun_s < 1.5
    assert mqtt.link.state == "closed"
