"""Reads and clears what a broker retains, over one short connection: for tools, never for the daemon.

A broker that denies a message over MQTT 3.1.1 does not say so; whoever clears topics reads them again afterwards.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from device.errors import MissingExtraError, ServiceError
from device.quantity import quantity
from device.sinks.mqtt.connection import hung_up, port_of, refusal, tls_context, trouble_of

try:
    from paho.mqtt import client as paho
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
except ImportError as missing:
    raise MissingExtraError("a broker needs paho-mqtt, which is not installed; install auricle[device]") from missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from paho.mqtt.reasoncodes import ReasonCode

    from device.config.settings import MqttSettings
    from device.sinks.payloads import Message

ANSWERS_WITHIN_S = 10.0
SILENT_AFTER_S = 1.0
"""What is retained comes at once after a subscription; this long after the newest message, that was all."""

MAX_MESSAGES = 10_000
"""More than any instance publishes: a broker that sends more is not asked for the rest."""

MAX_BYTES = 16 << 20
"""Of their payloads together: what an instance announces is a few kilobytes each."""

_FAILURE = 0x80
_TURN_S = 0.1


@dataclass(frozen=True, slots=True)
class _Listening:
    """Which messages count: those that begin with `base` and not with `besides`, and are not `question` itself."""

    base: str
    besides: str
    question: bytes

    def counts(self, topic: str, payload: bytes) -> bool:
        return topic.startswith(self.base) and not topic.startswith(self.besides) and payload != self.question


class RetainedMessages:
    """A connection to a broker; a context manager.

    Args:
        settings: with a host.
        password: None for none.

    Attributes:
        live: topics of messages that were published while this listened.

    Raises:
        ConfigError: an authority, certificate or key cannot be used.
        ServiceError: the broker cannot be reached, or refuses us.
    """

    def __init__(self, settings: MqttSettings, password: str | None) -> None:
        self.live: list[str] = []
        self._listening: _Listening | None = None
        self._settings = settings
        self._retained: dict[str, bytes] = {}
        self._held_bytes = 0
        self._answers: dict[int, list[ReasonCode]] = {}
        self._accepted = False
        self._refused = ""
        self._newest_s = time.monotonic()
        self._id = f"auricle-forget-{secrets.token_hex(4)}"
        self._client = self._make_client(password)
        try:
            self._client.connect(str(settings.host), port_of(settings))
        except OSError as error:
            raise ServiceError(trouble_of(error, settings).reason) from None
        self._turn_until(lambda: self._accepted, "the login")

    def __repr__(self) -> str:
        return f"RetainedMessages({self._settings.host!r}, {len(self._retained)} topics)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect; idempotent."""
        self._client.disconnect()

    def read(self, filters: Sequence[str]) -> dict[str, bytes]:
        """Topic -> payload of all that the broker retains under these filters, and lets us read.

        Raises:
            ServiceError: the connection was lost, or the broker denies a filter.
        """
        self._retained.clear()
        self._held_bytes = 0
        _, mid = self._client.subscribe([(each, 1) for each in filters])
        self._turn_until(lambda: mid in self._answers, "the subscription")
        if any(code.value >= _FAILURE for code in self._answers[mid or 0]):
            raise ServiceError(f"{self._user} is not allowed to read {' and '.join(filters)} at the broker")
        self._newest_s = time.monotonic()
        self._turn_until(self._is_silent, "the end of what is retained")
        self._client.unsubscribe(list(filters))
        return dict(self._retained)

    def listen(self, base: str, seconds: float, question: Message, *, besides: str) -> None:
        """Add the topics of all that is published below `base` from now on to `live`, or of the first message.

        Args:
            base: of the topics.
            seconds: at most.
            question: published at the begin, and not counted when it comes back; one that is denied is not asked.
            besides: what topics begin with that others publish, which do not count.
        """
        self._listening = _Listening(f"{base}/", besides, question.payload)
        self._client.subscribe(f"{base}/#", 1)
        self._client.publish(question.topic, question.payload, qos=1)
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s and not self.live:
            self._turn()

    def clear(self, topics: Iterable[str]) -> None:
        """Make the broker forget the retained messages of these topics.

        Raises:
            ServiceError: the connection was lost, or the broker denies a topic.
        """
        sent = {self._client.publish(topic, b"", qos=1, retain=True).mid: topic for topic in topics}
        self._turn_until(lambda: sent.keys() <= self._answers.keys(), "the acknowledgement")
        denied = [topic for mid, topic in sent.items() if self._answers[mid][0].value >= _FAILURE]
        if denied:
            raise ServiceError(f"the broker does not take {denied[0]}: {self._user} must be allowed to write there")

    @property
    def _user(self) -> str:
        return self._settings.username or "this client"

    def _is_silent(self) -> bool:
        if len(self._retained) > MAX_MESSAGES:
            raise ServiceError(f"the broker retains more than {quantity(MAX_MESSAGES, 'message')} there")
        return time.monotonic() - self._newest_s > SILENT_AFTER_S

    def _turn_until(self, holds: Callable[[], bool], what: str) -> None:
        until_s = time.monotonic() + ANSWERS_WITHIN_S
        while not holds():
            if time.monotonic() > until_s:
                raise ServiceError(f"{self._settings.host} does not answer within {ANSWERS_WITHIN_S:g} s: {what}")
            self._turn()

    def _turn(self) -> None:
        code = self._client.loop(_TURN_S)
        if self._refused:
            raise ServiceError(self._refused)
        if code != paho.MQTT_ERR_SUCCESS:
            raise ServiceError(hung_up(self._settings, client_id=self._id, accepted=self._accepted).reason)

    # --- paho

    def _make_client(self, password: str | None) -> paho.Client:
        is_v5 = self._settings.protocol == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            self._id,
            protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
        )
        client.max_inflight_messages_set(0)
        if self._settings.username is not None:
            client.username_pw_set(self._settings.username, password)
        tls = tls_context(self._settings)
        if tls is not None:
            client.tls_set_context(tls)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_subscribe = lambda _client, _data, mid, codes, _more: self._answers.__setitem__(mid, codes)
        client.on_publish = lambda _client, _data, mid, code, _more: self._answers.__setitem__(mid, [code])
        return client

    def _on_connect(self, _client: paho.Client, _data: object, _flags: object, code: ReasonCode, _more: object) -> None:
        if code.is_failure:
            self._refused = refusal(code.value, str(code), self._settings).reason
        self._accepted = not code.is_failure

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        if message.retain:
            self._newest_s = time.monotonic()
            self._held_bytes += len(message.payload)
            if self._held_bytes > MAX_BYTES:
                self._refused = f"the broker retains more than {quantity(MAX_BYTES >> 20, 'megabyte')} there"
                return
            self._retained[topic] = bytes(message.payload)
        elif self._listening is not None and self._listening.counts(topic, bytes(message.payload)):
            self.live.append(topic)
