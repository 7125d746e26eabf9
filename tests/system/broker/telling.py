"""An owner of alarms, its client and a subscriber, for tests with a real broker."""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from device.config.settings import MqttSettings
from device.sinks import homeassistant, payloads
from device.sinks.mqtt import ownership
from device.sinks.mqtt.client import Mqtt
from device.sinks.mqtt.send_queue import OwedMessage
from device.sinks.mqtt.timeouts import SessionTimeouts
from device.sinks.payloads import Message, Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from device.commands import Command
    from device.config.settings import MqttProtocol
    from device.sinks.mqtt.send_queue import Key
    from tests.system.conftest import Mosquitto

TOPICS = Topics("auricle", "anna")
CRY = TOPICS.alarm("sound", model="cry", name="cry")
BIRTH = homeassistant.birth_topic("homeassistant")
OFFLINE = payloads.availability(TOPICS, online=False)
ONLINE = payloads.availability(TOPICS, online=True)
QUICK = SessionTimeouts(
    keepalive_s=1,
    answer_s=2.0,
    acknowledge_s=3.0,
    first_s=0.1,
    longest_s=0.4,
    refused_s=0.4,
    denied_s=0.3,
    stable_s=1.0,
)
WITHIN_S = 20.0
RIGHT, WRONG = "right-one", "wrong-one"


def until(holds: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
    deadline_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline_s:
            pytest.fail(f"{what} did not happen within {within_s:g} s")
        time.sleep(0.005)


class Owner:
    """Owes alarms as the journal does: in order, until they are acknowledged; remembers each call.

    Attributes:
        owed: messages that are not acknowledged, in the order of publication.
        acknowledged: (key, time) of each, in order.
        commands: what people asked for.
        most_in_flight: alarms that were ever held at once.
    """

    def __init__(self, *, announce: Sequence[Message] = (ONLINE,)) -> None:
        self.owed: dict[Key, OwedMessage] = {}
        self.acknowledged: list[tuple[Key, float]] = []
        self.commands: list[Command] = []
        self.connections = 0
        self.most_in_flight = 0
        self._announce = tuple(announce)
        self._lock = threading.Lock()

    def owe(self, *keys: Key, topic: str = CRY, first: bool = False) -> None:
        fresh = {key: OwedMessage(key, topic, lambda key=key: payload_of(key)) for key in keys}  # type: ignore[misc]
        with self._lock:
            self.owed = {**fresh, **self.owed} if first else {**self.owed, **fresh}

    def connected(self) -> Iterable[Message]:
        self.connections += 1
        return self._announce

    def acknowledged_(self, key: Key) -> None:
        with self._lock:
            self.acknowledged.append((key, time.monotonic()))
            del self.owed[key]

    def commanded(self, command: Command) -> None:
        self.commands.append(command)

    def paid(self) -> list[Key]:
        return [key for key, _ in self.acknowledged]

    def feed(self, mqtt: Mqtt) -> None:
        room = mqtt.room
        if room:
            held = mqtt.held
            with self._lock:
                offered = []
                for key, owed in self.owed.items():
                    if key not in held.keys:
                        offered.append(owed)
                    if len(offered) == room:
                        break
            mqtt.offer(offered, held.generation)
            self.most_in_flight = max(self.most_in_flight, len(mqtt.held.keys))  # before they are acknowledged

    def until_paid(self, mqtt: Mqtt, within_s: float = WITHIN_S) -> None:
        fed(self, mqtt, lambda: not self.owed, "the acknowledgement of all that is owed", within_s)


@dataclass
class OwnerHandler:
    """Passes the calls of `Mqtt` on to an owner."""

    owner: Owner

    def connected(self) -> Iterable[Message]:
        return self.owner.connected()

    def acknowledged(self, key: Key) -> None:
        self.owner.acknowledged_(key)

    def commanded(self, command: Command) -> None:
        self.owner.commanded(command)


def fed(owner: Owner, mqtt: Mqtt, holds: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
    def fed_and_holds() -> object:
        owner.feed(mqtt)
        return holds()

    until(fed_and_holds, what, within_s)


def more_paid(owner: Owner, than: int) -> bool:
    return len(owner.paid()) > than


def payload_of(key: Key) -> bytes:
    return json.dumps({"alarm_id": key[0], "seq": key[1]}).encode()


class Subscriber:
    """Another client of the broker, as users have them; keeps a session if it has an id.

    Attributes:
        heard: (topic, payload, retained) of each message.
    """

    def __init__(self, port: int, topic: str = "auricle/#", *, session: str = "") -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self._ready = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, session, clean_session=not session, protocol=MQTTProtocolVersion.MQTTv311
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _c, _d, said: self.heard.append((said.topic, bytes(said.payload), said.retain))
        self._client.connect("127.0.0.1", port, 5)
        self._client.loop_start()
        assert self._ready.wait(WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish; returns when the broker has it."""
        self._client.publish(topic, payload, 1, retain).wait_for_publish(WITHIN_S)

    def keys(self) -> list[Key]:
        told = [json.loads(payload) for topic, payload, _ in list(self.heard) if "/alarm/" in topic]
        return [(alarm["alarm_id"], alarm["seq"]) for alarm in told]

    def of(self, topic: str) -> list[bytes]:
        return [payload for name, payload, _ in list(self.heard) if name == topic]


class Telling:
    """Makes instances of `Mqtt` and closes them."""

    def __init__(self) -> None:
        self._open: list[Mqtt] = []

    def begin(
        self,
        settings: MqttSettings,
        owner: Owner,
        *,
        password: str | None = None,
        timeouts: SessionTimeouts = QUICK,
        client_id: str = "auricle-anna",
    ) -> Mqtt:
        mqtt = Mqtt(
            settings,
            client_id=client_id,
            will=OFFLINE,
            owner=ownership.Owner("device", secrets.token_hex(4), "host"),
            owner_topic=TOPICS.owner,
            password=password,
            handler=OwnerHandler(owner),
            commands=TOPICS.commands,
            birth_topic=BIRTH,
            timeouts=timeouts,
        )
        self._open.append(mqtt)
        mqtt.start()
        return mqtt

    def close(self) -> None:
        for mqtt in self._open:
            mqtt.close(3.0)


def settings_for(broker: Mosquitto, **other: Any) -> MqttSettings:
    return MqttSettings(host="127.0.0.1", port=broker.port, **other)


def up(mqtt: Mqtt) -> None:
    until(lambda: mqtt.link.is_up, f"a connection ({mqtt.link})")


def reason_in(mqtt: Mqtt, state: str) -> str:
    until(lambda: mqtt.link.state == state, f"the state {state} ({mqtt.link})")
    return mqtt.link.reason


_PROTOCOLS: tuple[MqttProtocol, ...] = ("5", "3.1.1")
both = pytest.mark.parametrize("protocol", _PROTOCOLS)
