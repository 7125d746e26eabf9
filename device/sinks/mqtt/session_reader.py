"""Reads a broker in a session that the broker keeps: for a ward, never for a daemon. One thread.

What is published at QoS 1 while this reader is away waits in its session. The rights of the broker say what it may
read; a message longer than `MAX_PACKET_BYTES` is withheld by a broker of MQTT 5.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from device.errors import MissingExtraError
from device.sinks.mqtt.connection import Trouble, hung_up, port_of, refusal, tls_context, trouble_of
from device.sinks.mqtt.link import Received
from device.sinks.mqtt.timeouts import SessionTimeouts

try:
    from paho.mqtt import client as paho
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
    from paho.mqtt.subscribeoptions import SubscribeOptions
except ImportError as missing:
    raise MissingExtraError("a broker needs paho-mqtt, which is not installed; install auricle[device]") from missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paho.mqtt.reasoncodes import ReasonCode

    from device.config.settings import MqttSettings

SESSION_KEPT_S = 7 * 86400
"""How long the broker keeps what waits for a reader that is away, if it speaks MQTT 5."""

MAX_PACKET_BYTES = 1 << 17
_FAILURE = 0x80
_TURNS = 200  # of paho's loop, in one of ours
_NOTHING = "auricle-ward/nothing"


class Reader:
    """A connection that is made again whenever it is lost; a context manager.

    Args:
        settings: with a host.
        password: None for none.
        client_id: of the session; another reader of this id ends this one's connection.
        subscriptions: (filter, QoS) of each.
        keeps_session: whether the broker keeps the session while this is away.
        timeouts: of the connection.

    Attributes:
        is_up: connected, and everything is subscribed to.
        connections: that were made, so far.
        trouble: why it is not up, in one sentence; empty if it is.
        is_refused: only people can repair it.
        answered_s: when the broker said anything, monotonic; minus infinity if it never did.

    Raises:
        ConfigError: an authority, certificate or key cannot be used.
    """

    def __init__(
        self,
        settings: MqttSettings,
        password: str | None,
        *,
        client_id: str,
        subscriptions: Sequence[tuple[str, int]],
        keeps_session: bool,
        timeouts: SessionTimeouts | None = None,
    ) -> None:
        self.is_up = self.is_refused = False
        self.connections = 0
        self.trouble = "the first connection is being made"
        self.answered_s = float("-inf")
        self._settings, self._password, self._client_id = settings, password, client_id
        self._subscriptions, self._keeps_session = subscriptions, keeps_session
        self._timeouts = timeouts or SessionTimeouts(answer_s=10.0)
        self._is_v5 = settings.protocol == "5"
        self._tls = tls_context(settings)
        self._client: paho.Client | None = None
        self._lost: Trouble | None = None
        self._accepted = False
        self._opened_s = self._next_s = float("-inf")
        self._delay_s = self._timeouts.first_s
        self._received: list[Received] = []
        self._denied: dict[int, str] = {}

    def __repr__(self) -> str:
        return f"Reader({self._client_id!r}, {'up' if self.is_up else self.trouble!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect; idempotent. A session that is kept goes on without us."""
        if self._client is not None:
            self._client.disconnect()
            self._client = None
        self.is_up = False

    def turn(self, wait_s: float) -> list[Received]:
        """Connect if that is due, read for at most `wait_s`, and return what came, in order."""
        now_s = time.monotonic()
        if self._client is None:
            if now_s < self._next_s:
                time.sleep(min(wait_s, self._next_s - now_s))
                return []
            self._connect()
        for turn in range(_TURNS):
            if self._client is None or not self._read(0.0 if turn else wait_s):
                break
        received, self._received = self._received, []
        return received

    def publish(self, topic: str, payload: bytes) -> int:
        """Send a message at QoS 1, not retained; returns its number, for `denial`.

        Raises:
            RuntimeError: it is not up.
        """
        if self._client is None:
            raise RuntimeError("there is no connection")
        number = self._client.publish(topic, payload, qos=1).mid
        self._denied.pop(
            number, None
        )  # numbers come again after 65,535 requests, half a day of questions to the broker
        return number

    def ask(self) -> None:
        """Ask the broker whether it is there, by giving up a subscription that does not exist: any broker answers that.

        A ping is sent only after `keepalive_s` of silence, and a short keepalive would cost the connection of a reader
        that is held up for a moment.
        """
        if self.is_up and self._client is not None:
            self._client.unsubscribe(_NOTHING)

    def denial(self, number: int) -> str:
        """Why the broker does not take the message of this number; empty if it takes it, or has not answered yet."""
        return self._denied.get(number, "")

    # --- the connection

    def _connect(self) -> None:
        client = self._client = self._make_client()
        self._accepted, self._lost = False, None
        self._opened_s = time.monotonic()
        properties = None
        if self._is_v5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho says no types here
            properties.SessionExpiryInterval = SESSION_KEPT_S if self._keeps_session else 0
            properties.MaximumPacketSize = MAX_PACKET_BYTES
        clean = not self._keeps_session if self._is_v5 else paho.MQTT_CLEAN_START_FIRST_ONLY
        try:
            client.connect(
                str(self._settings.host),
                port_of(self._settings),
                self._timeouts.keepalive_s,
                clean_start=clean,
                properties=properties,
            )
        except (OSError, ValueError) as error:
            known = error if isinstance(error, OSError) else OSError(str(error))
            self._give_up(trouble_of(known, self._settings))

    def _read(self, wait_s: float) -> bool:
        """One turn of paho's loop; whether it brought anything."""
        client, before = self._client, len(self._received)
        if client is None:
            return False
        code = client.loop(wait_s)
        if self._lost is None and code != paho.MQTT_ERR_SUCCESS:
            self._lost = hung_up(self._settings, client_id=self._client_id, accepted=self._accepted)
        if self._lost is None and not self.is_up and time.monotonic() - self._opened_s > self._timeouts.answer_s:
            self._lost = Trouble(f"{self._settings.host} takes the connection, but does not answer")
        if self._lost is not None:
            self._give_up(self._lost)
        return len(self._received) > before

    def _give_up(self, trouble: Trouble) -> None:
        self.trouble, self.is_refused = trouble.reason, trouble.refused
        self.close()
        if time.monotonic() - self._opened_s > self._timeouts.stable_s:
            self._delay_s = self._timeouts.first_s
        longest_s = self._timeouts.refused_s if trouble.refused else self._delay_s
        self._next_s = time.monotonic() + longest_s * random.uniform(0.5, 1.0)
        self._delay_s = min(2 * self._delay_s, self._timeouts.longest_s)

    # --- paho

    def _make_client(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            clean_session=None if self._is_v5 else not self._keeps_session,
            protocol=MQTTProtocolVersion.MQTTv5 if self._is_v5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        if self._settings.username is not None:
            client.username_pw_set(self._settings.username, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_unsubscribe = self._on_unsubscribe
        return client

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        if code.is_failure:
            self._lost = refusal(code.value, str(code), self._settings)
            return
        self._accepted = True
        wanted = [(each, SubscribeOptions(qos=qos)) for each, qos in self._subscriptions]
        client.subscribe(wanted if self._is_v5 else list(self._subscriptions))

    def _on_disconnect(
        self, _client: paho.Client, _data: object, flags: paho.DisconnectFlags, code: ReasonCode, _properties: object
    ) -> None:
        if flags.is_disconnect_packet_from_server and self._lost is None:
            said = refusal(code.value, str(code), self._settings)
            more = "; each reader needs a name of its own: --id, or --instance of a page" if said.taken_over else ""
            self._lost = replace(said, reason=f"{said.reason}{more}")

    def _on_subscribe(
        self, _client: paho.Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        if any(code.value >= _FAILURE for code in codes):
            user = self._settings.username or "this client"
            self._lost = Trouble(f"the broker does not let {user} read what a ward reads", refused=True)
            return
        self.is_up, self.is_refused, self.trouble = True, False, ""
        self.answered_s = time.monotonic()
        self.connections += 1

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        self.answered_s = time.monotonic()
        self._received.append(Received(topic, bytes(message.payload), message.retain))

    def _on_publish(self, _client: paho.Client, _data: object, mid: int, code: ReasonCode, _properties: object) -> None:
        if code.value >= _FAILURE:
            self._denied[mid] = str(code)

    def _on_unsubscribe(
        self, _client: paho.Client, _data: object, _mid: int, _codes: list[ReasonCode], _properties: object
    ) -> None:
        self.answered_s = time.monotonic()
