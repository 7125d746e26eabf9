"""One connection to an MQTT broker, for one thread: the only module that knows paho-mqtt.

paho's own loops are not used: they queue without bound, wait in a thread of theirs, and go on from one
connection to the next. Here each connection has a client of its own, which is asked to read and to write when
that is possible; what it calls back is kept until it is asked for.
"""

from __future__ import annotations

import contextlib
import select
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.commands import MAX_PAYLOAD_BYTES
from device.errors import MissingExtraError
from device.sinks.mqtt.connection import Trouble, open_wire, port_of, refusal, trouble_of
from device.sinks.mqtt.send_queue import OwedMessage

try:
    from paho.mqtt import client as paho
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
    from paho.mqtt.subscribeoptions import SubscribeOptions
except ImportError as missing:
    raise MissingExtraError("a broker needs paho-mqtt, which is not installed; install auricle[device]") from missing

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Sequence

    from paho.mqtt.reasoncodes import ReasonCode

    from device.config.settings import MqttSettings
    from device.sinks.mqtt.connection import Wire
    from device.sinks.payloads import Message

FAILURE = 0x80
"""From here on, reason codes of MQTT 5 say that something failed."""

_SILENT = "the broker, or the network to it, is silent: is it overloaded, or cut off?"
_MUTE = "the broker takes the connection, but does not answer: is it overloaded, or no broker?"
_STATES_IN_FLIGHT = 5
_MOST_RECEIVED = 20  # that the broker may send before we acknowledged


@dataclass(frozen=True, slots=True)
class Pace:
    """How long is waited for what, in seconds.

    Attributes:
        keepalive_s: a broker that is silent this long is asked; one that does not answer this long is lost.
        answer_s: to connect to one address, to shake hands, and to be let in.
        acknowledge_s: for a message to be acknowledged; then the connection is held to be lost.
        first_s: until the first new try, doubled for each further one; such waits are cut at random, to half at least.
        longest_s: until the next try, at most.
        refused_s: likewise, where trying does not help.
        denied_s: until what the broker would not take is offered to it again.
        stable_s: a connection that lasted this long was a good one: the next one is tried at once. Longer than
            `longest_s`, lest two clients of one id chase each other.
    """

    keepalive_s: int = 10
    answer_s: float = 5.0
    acknowledge_s: float = 20.0
    first_s: float = 0.5
    longest_s: float = 15.0
    refused_s: float = 30.0
    denied_s: float = 30.0
    stable_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Received:
    """What came from the broker; a topic that is no UTF-8 is empty."""

    topic: str
    payload: bytes
    retain: bool


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in; never shown whole."""

    client_id: str
    username: str | None
    password: str | None
    will: Message

    def __repr__(self) -> str:
        return f"Login({self.client_id!r}, {self.username!r})"


class _Client(paho.Client):
    """paho's client over a wire of ours.

    paho itself leaves a socket open whose TLS handshake fails, reads packets of any size, and tells of a
    lost connection only that it is lost.
    """

    def __init__(self, login: Login, protocol: MQTTProtocolVersion, wire: Callable[[], Wire]) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            login.client_id,
            clean_session=None if protocol == MQTTProtocolVersion.MQTTv5 else True,
            protocol=protocol,
            reconnect_on_failure=False,
        )
        self._open_wire = wire

    def _create_socket(self) -> Wire:
        return self._open_wire()


class Session:
    """From a connection's begin to its end; `trouble` says why it ended, where that is known.

    Args:
        settings: of the broker.
        login: who logs in.
        tls: None for none.
        pace: how long is waited for what.
        clock: monotonic, in seconds.

    Attributes:
        trouble: why it cannot go on.
        is_accepted: the broker let us in.
        is_deaf: the broker does not let us listen to commands.
    """

    def __init__(
        self,
        settings: MqttSettings,
        login: Login,
        tls: ssl.SSLContext | None,
        pace: Pace,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._pace = pace
        self._clock = clock
        self._tls = tls
        self._is_v5 = settings.protocol == "5"
        self._wire: Wire | None = None
        self._opened_s = self._heard_s = clock()
        self._window = 65535
        self._sent: dict[int, tuple[OwedMessage | Message, float]] = {}  # by mid, with the moment of its sending
        self._alarms = 0
        self._received: list[Received] = []
        self._acknowledged: list[tuple[OwedMessage | Message, int, str]] = []
        self.trouble: Trouble | None = None
        self.is_accepted = False
        self.is_deaf = False
        self._client = self._made(login)

    @property
    def is_open(self) -> bool:
        """Whether it can go on."""
        return self._client.socket() is not None and self.trouble is None

    @property
    def in_flight(self) -> int:
        """Messages that are not acknowledged."""
        return len(self._sent)

    @property
    def unacknowledged_states(self) -> list[Message]:
        """Those of them that are no alarms."""
        return [message for message, _ in self._sent.values() if not isinstance(message, OwedMessage)]

    @property
    def unanswered_since_s(self) -> float | None:
        """Since when the oldest message that is not acknowledged is on its way; None where none is."""
        return next((sent_s for _, sent_s in self._sent.values()), None)

    def open(self) -> None:
        """Connect and ask to be let in; the answer comes later.

        Raises:
            OSError: there is no way to the broker.
        """
        host, port, keepalive_s = str(self._settings.host), port_of(self._settings), self._pace.keepalive_s
        if not self._is_v5:
            self._client.connect(host, port, keepalive_s)
            return
        asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho says no types here
        asked.ReceiveMaximum = _MOST_RECEIVED
        asked.MaximumPacketSize = 4 * MAX_PAYLOAD_BYTES  # with room for the topic; the broker drops longer ones
        self._client.connect(host, port, keepalive_s, clean_start=True, properties=asked)

    def wait(self, waking: socket.socket, timeout_s: float) -> None:
        """Read and write what can be, or wait until something can."""
        wire = self._wire
        if wire is None or not self.is_open:
            return
        poll = select.poll()
        poll.register(waking, select.POLLIN)
        poll.register(wire, select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        ready = dict(poll.poll(0 if wire.pending() else 1000 * timeout_s))
        if waking.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                waking.recv(4096)
        if wire.fileno() in ready or wire.pending():
            self._heard_s = self._clock()
            self._client.loop_read()
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()
        self._check_answers()

    def subscribe(self, topics: Sequence[str], birth_topic: str | None, echo_topic: str | None = None) -> None:
        """Listen to commands, to Home Assistant's birth, and to what we say ourselves under one topic."""
        births = () if birth_topic is None else (birth_topic,)
        echoes = () if echo_topic is None else (echo_topic,)
        if not (topics or births or echoes):
            return
        if not self._is_v5:
            wanted = [(topic, 1) for topic in (*topics, *births, *echoes)]
            self._client.subscribe(wanted)
            return
        # A command counts once, for whoever listens then: what is retained is known as that, and never asked for.
        command = SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True, retainHandling=2)
        birth = SubscribeOptions(qos=1, noLocal=True, retainHandling=2)
        echo = SubscribeOptions(qos=1, noLocal=False, retainAsPublished=True, retainHandling=2)
        named = ((topics, command), (births, birth), (echoes, echo))
        self._client.subscribe([(topic, options) for names, options in named for topic in names])

    def takes_alarm(self, in_flight: int) -> bool:
        """Whether one more may be on its way: as is configured, and as the broker allows."""
        allowed = min(in_flight, max(1, self._window - _STATES_IN_FLIGHT))
        return self.is_open and self._alarms < allowed and self.in_flight < self._window

    def takes_state(self) -> bool:
        """Likewise; and nothing waits to be written, so that of each topic only the newest ever goes out."""
        states = self.in_flight - self._alarms
        free = states < _STATES_IN_FLIGHT and self.in_flight < self._window
        return self.is_open and free and not self._client.want_write()

    def publish(self, said: OwedMessage | Message, *, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Send; what does not go out, goes out with the next connection."""
        info = self._client.publish(topic, payload, qos, retain)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            self._give_up(Trouble(f"the connection was lost: {paho.error_string(info.rc)}"))
        if qos and info.mid not in self._sent:
            self._sent[info.mid] = said, self._clock()
            self._alarms += isinstance(said, OwedMessage)

    def is_on_its_way(self, message: Message) -> bool:
        """Whether it was sent and may still be acknowledged."""
        return self.is_open and any(said is message for said, _ in self._sent.values())

    def take_received(self) -> list[Received]:
        """What has come since this was last asked."""
        received, self._received = self._received, []
        return received

    def take_acknowledged(self) -> list[tuple[OwedMessage | Message, int, str]]:
        """What was acknowledged since this was last asked, with the reason's code and name."""
        acknowledged, self._acknowledged = self._acknowledged, []
        return acknowledged

    def disconnect(self) -> None:
        """Leave in order: the broker forgets our last will."""
        if self.is_open:
            self._client.disconnect()
            self._client.loop_write()

    def close(self) -> None:
        """Let the connection go, in whatever state it is."""
        if self._wire is not None:
            self._wire.close()

    # --- paho

    def _made(self, login: Login) -> _Client:
        client = _Client(
            login, MQTTProtocolVersion.MQTTv5 if self._is_v5 else MQTTProtocolVersion.MQTTv311, self._opened_wire
        )
        client.max_inflight_messages_set(0)  # we count ourselves; paho would queue what is beyond
        if login.username is not None:
            client.username_pw_set(login.username, login.password)
        client.will_set(login.will.topic, login.will.payload, login.will.qos, login.will.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = lambda _client, _data, message: self._received.append(_received(message))
        return client

    def _opened_wire(self) -> Wire:
        host, port = str(self._settings.host), port_of(self._settings)
        self._wire = open_wire(host, port, self._tls, timeout_s=self._pace.answer_s)
        return self._wire

    def _on_connect(
        self, _client: paho.Client, _data: object, _flags: paho.ConnectFlags, code: ReasonCode, said: Properties | None
    ) -> None:
        if code.is_failure:
            self._give_up(refusal(code.value, str(code), self._settings))
            return
        self._window = getattr(said, "ReceiveMaximum", self._window)
        self.is_accepted = True

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: object,
        flags: paho.DisconnectFlags,
        code: ReasonCode,
        _said: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._give_up(refusal(code.value, str(code), self._settings))
        elif self._wire is not None and not isinstance(self._wire.error, ConnectionResetError | None):
            self._give_up(trouble_of(self._wire.error, self._settings))
        elif str(code) == "Keep alive timeout":
            self._give_up(Trouble(_SILENT if self.is_accepted else _MUTE, since_s=self._heard_s))

    def _on_publish(
        self, _client: paho.Client, _data: object, mid: int, code: ReasonCode, _said: Properties | None
    ) -> None:
        published = self._sent.pop(mid, None)
        if published is not None:
            self._alarms -= isinstance(published[0], OwedMessage)
            self._acknowledged.append((published[0], code.value, str(code)))

    def _on_subscribe(
        self, _client: paho.Client, _data: object, _mid: int, codes: list[ReasonCode], _said: Properties | None
    ) -> None:
        self.is_deaf = any(code.is_failure for code in codes)

    def _check_answers(self) -> None:
        now_s = self._clock()
        if not self.is_accepted and now_s - self._opened_s > 3 * self._pace.answer_s:
            self._give_up(Trouble(_MUTE))
        oldest_s = self.unanswered_since_s
        if oldest_s is not None and now_s - oldest_s > self._pace.acknowledge_s:
            waited_s = self._pace.acknowledge_s
            self._give_up(Trouble(f"the broker has acknowledged nothing for {waited_s:g} s: is it overloaded?"))

    def _give_up(self, trouble: Trouble) -> None:
        self.trouble = self.trouble or trouble


def _received(message: paho.MQTTMessage) -> Received:
    try:
        topic = message.topic
    except UnicodeDecodeError:
        topic = ""
    return Received(topic, bytes(message.payload), message.retain)
