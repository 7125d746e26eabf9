"""A broker whose queue is full drops the acknowledgement of an alarm: the flood is ended, the alarm published again."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from device.config.settings import MqttSettings
from device.sinks.mqtt.client import Mqtt
from device.sinks.mqtt.ownership import Owner
from device.sinks.mqtt.send_queue import OwedMessage
from device.sinks.mqtt.timeouts import SessionTimeouts
from device.sinks.payloads import Topics, availability
from tests.system.broker.hostile_broker import HostileBroker, accepted, publish

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from device.commands import Command
    from device.sinks.mqtt.send_queue import Key
    from device.sinks.payloads import Message

_TOPICS = Topics("auricle", "nursery")
_ALARM = "auricle/nursery/alarm/cry"
_CONNECT, _PUBLISH, _SUBSCRIBE, _UNSUBSCRIBE = 0x10, 0x30, 0x80, 0xA0
_WITHIN_S = 30.0  # on a busy machine; without the flood's end the client would wait for 1,000 s


class FullBroker(HostileBroker):
    """Floods each subscription to commands until it is given back, and acknowledges no alarm on its first connection.

    Attributes:
        alarms: how often each connection received the alarm.
        unsubscribed: connections that gave their subscriptions back.
    """

    def __init__(self) -> None:
        super().__init__(lambda _is_v5: iter(()))
        self._sending = threading.Lock()
        self.alarms: Counter[int] = Counter()
        self.subscribed: list[int] = []
        self.unsubscribed: list[int] = []

    def _exchange(self, client: socket.socket) -> None:
        number, reader, flooding = self.connections, client.makefile("rb"), threading.Event()
        while True:
            kind, qos, content = _packet(reader.read)
            topic_end = 2 + int.from_bytes(content[:2], "big")
            if kind == _CONNECT:
                self._send(client, accepted(is_v5=False))
            elif kind == _SUBSCRIBE:
                self._send(client, b"\x90\3" + content[:2] + b"\1")
                if b"/command/" in content:
                    self.subscribed.append(number)
                    flooding.set()
                    threading.Thread(target=self._flood, args=(client, flooding), daemon=True).start()
            elif kind == _UNSUBSCRIBE:
                flooding.clear()
                self.unsubscribed.append(number)
                if len(self.unsubscribed) > 1:  # the queue was too full for the first answer
                    self._send(client, b"\xb0\2" + content[:2])
            elif kind == _PUBLISH and qos:
                is_alarm = content[2:topic_end].decode() == _ALARM
                self.alarms[number] += is_alarm
                if not (is_alarm and number == 1):
                    self._send(client, b"\x40\2" + content[topic_end : topic_end + 2])

    def _flood(self, client: socket.socket, flooding: threading.Event) -> None:
        message = publish(0, 0, b"auricle/nursery/command/pause", b"", is_v5=False)
        with contextlib.suppress(OSError):
            while flooding.is_set():
                self._send(client, message * 500)

    def _send(self, client: socket.socket, packets: bytes) -> None:
        with self._sending:
            client.sendall(packets)


def _packet(read: Callable[[int], bytes]) -> tuple[int, int, bytes]:
    """(kind, QoS, content) of the next packet."""
    first = read(1)
    if not first:
        raise EOFError
    length, bits = 0, 0
    while True:
        byte = read(1)[0]
        length |= (byte & 0x7F) << bits
        bits += 7
        if byte < 0x80:
            return first[0] & 0xF0, first[0] >> 1 & 3, read(length)


class _Alarms:
    """Records what was acknowledged."""

    def __init__(self) -> None:
        self.keys: list[Key] = []

    def connected(self) -> Iterable[Message]:
        return ()

    def acknowledged(self, key: Key) -> None:
        self.keys.append(key)

    def commanded(self, command: Command) -> None: ...


def test_an_alarm_whose_acknowledgement_is_lost_in_a_flood_is_published_again_soon() -> None:
    alarms = _Alarms()
    with FullBroker() as broker:
        mqtt = Mqtt(
            MqttSettings(host="127.0.0.1", port=broker.port, protocol="3.1.1"),
            client_id="auricle-nursery",
            will=availability(_TOPICS, online=False),
            owner=Owner("device", "run", "host"),
            owner_topic=_TOPICS.owner,
            password=None,
            handler=alarms,
            commands=_TOPICS.commands,
            timeouts=SessionTimeouts(acknowledge_s=1000.0, keepalive_s=1000),
        )
        mqtt.start()
        _wait_until(lambda: mqtt.room > 0, "a connection")
        assert mqtt.offer([OwedMessage(("cry", 0), _ALARM, lambda: b"{}")], mqtt.held.generation) == 1
        _wait_until(lambda: alarms.keys == [("cry", 0)], "the acknowledgement")
        assert broker.alarms == {1: 1, 2: 1}
        assert broker.subscribed == [1]
        assert broker.unsubscribed[:2] == [1, 1]
        assert set(broker.unsubscribed) == {1}
        assert mqtt.counts.rejected > 0
        _wait_until(lambda: broker.subscribed[:2] == [1, 2], "another subscription, after the pause")
        mqtt.close(1.0)


def _wait_until(holds: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + _WITHIN_S
    while not holds():
        if time.monotonic() > until_s:
            pytest.fail(f"{what} did not come within {_WITHIN_S:g} s")
        time.sleep(0.05)
