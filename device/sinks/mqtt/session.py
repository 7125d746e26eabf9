"""One connection to an MQTT broker, for one thread. The daemon knows paho-mqtt here and in `paho_client` alone.

paho's own loops are not used: they queue without bound, wait in a thread of theirs, and go on from one
connection to the next. Here each connection has a paho client of its own, which reads and writes when the socket
is ready; what its callbacks report is buffered until it is popped.
"""

from __future__ import annotations

import contextlib
import math
import select
import socket
from typing import TYPE_CHECKING

from device.commands import MAX_PAYLOAD_BYTES
from device.errors import MissingExtraError
from device.sinks.mqtt.broker_socket import open_socket
from device.sinks.mqtt.connection import Trouble, endpoint, port_of, refusal, trouble_of
from device.sinks.mqtt.flood.unread_answers import UnreadAnswers
from device.sinks.mqtt.link import BrokerCertificate, Received
from device.sinks.mqtt.paho_client import PahoClient
from device.sinks.mqtt.send_queue import OwedMessage

try:
    from paho.mqtt import client as paho
    from paho.mqtt.enums import MQTTProtocolVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
    from paho.mqtt.subscribeoptions import SubscribeOptions
except ImportError as missing:
    raise MissingExtraError("a broker needs paho-mqtt, which is not installed; install auricle[device]") from missing

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Sequence

    from paho.mqtt.reasoncodes import ReasonCode

    from device.config.settings import MqttSettings
    from device.sinks.mqtt.broker_socket import BrokerSocket
    from device.sinks.mqtt.paho_client import Login
    from device.sinks.mqtt.timeouts import SessionTimeouts
    from device.sinks.payloads import Message

FAILURE = 0x80
"""Reason codes of MQTT 5 from here on are failures."""

_SILENT = "the broker, or the network to it, is silent: is it overloaded, or cut off?"
_MUTE = "the broker takes the connection, but does not answer: is it overloaded, or no broker?"
_OTHERS_IN_FLIGHT = 5
_MOST_READ = 200  # packets in a turn, which take some 10 ms
_RECEIVE_MAXIMUM = 20  # messages that the broker may send before we acknowledge

_UNSUBSCRIBE_AGAIN_S = 0.5  # a broker whose queue is full drops this answer too

_MAX_PACKET_BYTES = 4 * MAX_PAYLOAD_BYTES
"""Of a message, topic and properties included; a broker of MQTT 5 is told so, and drops longer ones."""

_MAX_RECEIVED_BYTES = 256 * 1024
"""Topics and payloads held between two calls of `pop_received`: hundreds of commands."""


class Session:
    """One connection; `trouble` says why it ended, if that is known.

    Args:
        settings: of the broker.
        login: who logs in.
        tls: None for none.
        timeouts: of the connection.
        clock: monotonic, in seconds.

    Attributes:
        trouble: why it cannot go on.
        is_accepted: the broker accepted the login.
        has_answered: the broker has acknowledged or denied a message.
        is_subscription_denied: the broker does not let us subscribe to commands.
    """

    def __init__(
        self,
        settings: MqttSettings,
        login: Login,
        tls: ssl.SSLContext | None,
        timeouts: SessionTimeouts,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._timeouts = timeouts
        self._clock = clock
        self._tls = tls
        self._is_v5 = settings.protocol == "5"
        self._socket: BrokerSocket | None = None
        self._opened_s = self._last_read_s = clock()
        self._window = 65535
        self._sent: dict[int, tuple[OwedMessage | Message, float]] = {}  # by mid, with the time of sending
        self._alarms = 0
        self._answers = UnreadAnswers()
        self._topics: dict[str, None] = {}  # that were subscribed to, in their order
        self._unsubscribing: dict[int, float] = {}  # by mid, with the time of sending
        self._received: list[Received] = []
        self._received_bytes = 0
        self._acknowledged: list[tuple[OwedMessage | Message, int, str]] = []
        self.trouble: Trouble | None = None
        self.is_accepted = False
        self.has_answered = False
        self.is_subscription_denied = False
        self._client = self._make_client(login)

    @property
    def is_open(self) -> bool:
        """Whether it is usable."""
        return self._client.socket() is not None and self.trouble is None

    @property
    def certificate(self) -> BrokerCertificate | None:
        """What the broker has shown; None without TLS, or before it was connected to."""
        expires_utc_s = None if self._socket is None else self._socket.certificate_expires_utc_s
        return None if expires_utc_s is None else BrokerCertificate(endpoint(self._settings), expires_utc_s)

    @property
    def in_flight(self) -> int:
        """Number of messages that are not acknowledged."""
        return len(self._sent)

    @property
    def unacknowledged_states(self) -> list[Message]:
        """Unacknowledged messages other than alarms."""
        return [message for message, _ in self._sent.values() if not isinstance(message, OwedMessage)]

    @property
    def unanswered_since_s(self) -> float | None:
        """When the oldest unacknowledged message was sent; None if there is none."""
        return next((sent_s for _, sent_s in self._sent.values()), None)

    def open(self) -> None:
        """Connect and send the login; the answer comes later.

        Raises:
            OSError: the broker cannot be reached.
        """
        host, port, keepalive_s = str(self._settings.host), port_of(self._settings), self._timeouts.keepalive_s
        if not self._is_v5:
            self._client.connect(host, port, keepalive_s)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho says no types here
        properties.ReceiveMaximum = _RECEIVE_MAXIMUM
        properties.MaximumPacketSize = _MAX_PACKET_BYTES
        self._client.connect(host, port, keepalive_s, clean_start=True, properties=properties)

    def wait(self, waking: socket.socket, timeout_s: float) -> None:
        """Read and write as soon as the socket is ready, or `waking` is readable; return after `timeout_s` at most."""
        broker_socket = self._socket
        if broker_socket is None or not self.is_open:
            return
        is_blocked = not broker_socket.is_broken and self._is_blocked(broker_socket)
        pause_s = timeout_s if is_blocked else broker_socket.pause_s()
        events = (0 if pause_s else select.POLLIN) | (select.POLLOUT if self._client.want_write() else 0)
        poll = select.poll()
        poll.register(waking, select.POLLIN)
        if events:
            poll.register(broker_socket, events)
        is_pending = not pause_s and broker_socket.pending()
        ready = dict(poll.poll(0 if is_pending else math.ceil(1000 * min(timeout_s, pause_s or timeout_s))))
        if waking.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                waking.recv(4096)
        if is_pending or (not pause_s and broker_socket.fileno() in ready):
            self._read(broker_socket)
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()
        self._check_answers()

    def _read(self, broker_socket: BrokerSocket) -> None:
        """Read what is there, but not for long: alarms are published in between."""
        self._last_read_s = self._clock()
        for _ in range(_MOST_READ):
            self._client.loop_read()
            if not (self.is_open and broker_socket.has_passed):
                break
        for identifier in broker_socket.guard.pop_unread():
            self._client.ack(identifier, 1)

    def subscribe(self, topics: Sequence[str], birth_topic: str | None, echo_topic: str | None = None) -> None:
        """Subscribe to commands, to Home Assistant's birth, and to one topic of our own."""
        births = () if birth_topic is None else (birth_topic,)
        echoes = () if echo_topic is None else (echo_topic,)
        if not (topics or births or echoes):
            return
        self._allow_topics((*topics, *births, *echoes))
        if not self._is_v5:
            subscriptions = [(topic, 1) for topic in (*topics, *births, *echoes)]
            self._client.subscribe(subscriptions)
            self._expect_answer()
            return
        # A command counts once, when it is published: retained ones are marked, and not requested on subscribing.
        command = SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True, retainHandling=2)
        birth = SubscribeOptions(qos=1, noLocal=True, retainHandling=2)
        echo = SubscribeOptions(qos=1, noLocal=False, retainAsPublished=True, retainHandling=2)
        named = ((topics, command), (births, birth), (echoes, echo))
        self._client.subscribe([(topic, options) for names, options in named for topic in names])
        self._expect_answer()

    def subscribe_kept(self, topics: Sequence[str]) -> None:
        """Subscribe to topics of our own, with what the broker keeps of them and what we publish ourselves."""
        self._allow_topics(topics)
        if self._is_v5:
            self._client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics])
        else:
            self._client.subscribe([(topic, 1) for topic in topics])
        self._expect_answer()

    def unsubscribe(self) -> None:
        """Have the broker send nothing that others publish; what it has queued still comes.

        Its queue may have been full, and acknowledgements dropped. A broker answers in order: what is unacknowledged
        when the answer to this comes will not be acknowledged any more, and the connection is given up.
        """
        _, mid = self._client.unsubscribe(list(self._topics))
        self._unsubscribing[mid or 0] = self._clock()
        self._expect_answer()

    def _allow_topics(self, topics: Iterable[str]) -> None:
        self._topics.update(dict.fromkeys(topics))
        if self._socket is not None:
            self._socket.allow_topics(topics)

    def _expect_answer(self) -> None:
        if self._socket is not None:
            self._socket.guard.expected += 1

    def can_send_alarm(self, in_flight: int) -> bool:
        """Whether one more alarm may be in flight: as configured, and as the broker allows."""
        allowed = min(in_flight, max(1, self._window - _OTHERS_IN_FLIGHT))
        return self.is_open and self._alarms < allowed and self.in_flight < self._window

    def can_send_state(self) -> bool:
        """Whether another message may be in flight; not before all is written: only the newest per topic is sent."""
        states = self.in_flight - self._alarms
        free = states < _OTHERS_IN_FLIGHT and self.in_flight < self._window
        return self.is_open and free and not self._client.want_write()

    def publish(self, message: OwedMessage | Message, *, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Send; what is not acknowledged is sent again over the next connection."""
        info = self._client.publish(topic, payload, qos, retain)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            self._give_up(Trouble(f"the connection was lost: {paho.error_string(info.rc)}"))
        if qos:
            self._expect_answer()
        if qos and info.mid not in self._sent:
            self._sent[info.mid] = message, self._clock()
            self._alarms += isinstance(message, OwedMessage)

    def is_in_flight(self, message: Message) -> bool:
        """Whether it was sent and can still be acknowledged."""
        return self.is_open and any(sent is message for sent, _ in self._sent.values())

    def pop_received(self) -> list[Received]:
        """Messages received since the last call."""
        received, self._received, self._received_bytes = self._received, [], 0
        return received

    def _receive(self, received: Received) -> None:
        """Hold a message until `pop_received`; beyond the bound it is dropped, as a flood must not fill memory."""
        size = len(received.topic) + len(received.payload)
        if self._received_bytes + size <= _MAX_RECEIVED_BYTES:
            self._received.append(received)
            self._received_bytes += size

    @property
    def dropped(self) -> int:
        """Messages beyond the allowance, which were not read."""
        return 0 if self._socket is None else self._socket.guard.dropped

    def pop_acknowledged(self) -> list[tuple[OwedMessage | Message, int, str]]:
        """Messages acknowledged since the last call, each with the reason's code and name."""
        acknowledged, self._acknowledged = self._acknowledged, []
        return acknowledged

    def disconnect(self) -> None:
        """Disconnect in order: the broker discards our last will."""
        if self.is_open:
            self._client.disconnect()
            self._client.loop_write()

    def close(self) -> None:
        """Close the socket, in whatever state the connection is."""
        if self._socket is not None:
            self._socket.close()

    # --- paho

    def _make_client(self, login: Login) -> PahoClient:
        protocol = MQTTProtocolVersion.MQTTv5 if self._is_v5 else MQTTProtocolVersion.MQTTv311
        client = PahoClient(login, protocol, self._open_socket, lambda message: self._receive(_received(message)))
        client.max_inflight_messages_set(0)  # we count ourselves; paho would queue the excess
        if login.username is not None:
            client.username_pw_set(login.username, login.password)
        if login.will is not None:
            client.will_set(login.will.topic, login.will.payload, login.will.qos, login.will.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        return client

    def _open_socket(self) -> BrokerSocket:
        host, port = str(self._settings.host), port_of(self._settings)
        timeout_s = self._timeouts.answer_s
        self._socket = open_socket(host, port, self._tls, timeout_s=timeout_s, clock=self._clock)
        if self._is_v5:
            self._socket.guard.accept_v5(most_packet_bytes=_MAX_PACKET_BYTES)
        return self._socket

    def _on_connect(
        self,
        _client: paho.Client,
        _data: object,
        _flags: paho.ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if code.is_failure:
            self._give_up(refusal(code.value, str(code), self._settings))
            return
        self._window = getattr(properties, "ReceiveMaximum", self._window)
        self.is_accepted = True

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: object,
        flags: paho.DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._give_up(refusal(code.value, str(code), self._settings))
        elif self._socket is not None and not isinstance(
            self._socket.error, ConnectionResetError | BrokenPipeError | None
        ):
            self._give_up(trouble_of(self._socket.error, self._settings))
        elif str(code) == "Keep alive timeout" and self._answers.any:
            self._give_up(self._unread())  # it reads no ping either
        elif str(code) == "Keep alive timeout":
            self._give_up(Trouble(_SILENT if self.is_accepted else _MUTE, since_s=self._last_read_s))

    def _on_publish(
        self, _client: paho.Client, _data: object, mid: int, code: ReasonCode, _properties: Properties | None
    ) -> None:
        published = self._sent.pop(mid, None)
        if published is not None:
            self.has_answered = True
            self._alarms -= isinstance(published[0], OwedMessage)
            self._acknowledged.append((published[0], code.value, str(code)))

    def _on_subscribe(
        self, _client: paho.Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        self.is_subscription_denied = any(code.is_failure for code in codes)

    def _on_unsubscribe(
        self, _client: paho.Client, _data: object, mid: int, _codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        sent_s = self._unsubscribing.get(mid, -math.inf)
        self._unsubscribing.clear()
        if self.unanswered_since_s is not None and self.unanswered_since_s < sent_s:
            reason = "the broker drops acknowledgements while somebody floods the topics of commands"
            self._give_up(Trouble(reason, flooded=True))

    def _check_answers(self) -> None:
        now_s = self._clock()
        if not self.is_accepted and now_s - self._opened_s > 3 * self._timeouts.answer_s:
            self._give_up(Trouble(_MUTE))
        if self._unsubscribing and now_s - max(self._unsubscribing.values()) > _UNSUBSCRIBE_AGAIN_S:
            self.unsubscribe()
        oldest_s = self.unanswered_since_s
        if oldest_s is not None and now_s - oldest_s > self._timeouts.acknowledge_s:
            waited_s = self._timeouts.acknowledge_s
            self._give_up(Trouble(f"the broker has acknowledged nothing for {waited_s:g} s: is it overloaded?"))

    def _is_blocked(self, broker_socket: BrokerSocket) -> bool:
        """Whether the broker has to read first: each of its messages needs an answer, which it may never read."""
        now_s = self._clock()
        self._answers.update(
            broker_socket.guard.of_qos_1,
            now_s,
            is_written=not self._client.want_write(),
            unacknowledged_bytes=broker_socket.unacknowledged_bytes(),
        )
        blocked_for_s = self._answers.blocked_for_s(now_s)
        if blocked_for_s is not None and blocked_for_s > self._timeouts.answer_s:
            self._give_up(self._unread())
        return blocked_for_s is not None

    def _unread(self) -> Trouble:
        return Trouble(f"{endpoint(self._settings)} sends much, but reads nothing: is it overloaded?")

    def _give_up(self, trouble: Trouble) -> None:
        self.trouble = self.trouble or trouble


def _received(message: paho.MQTTMessage) -> Received:
    try:
        topic = message.topic
    except UnicodeDecodeError:
        topic = ""
    return Received(topic, bytes(message.payload), message.retain)


def wake_pair() -> tuple[socket.socket, socket.socket]:
    """(to write to from any thread, for `Session.wait`)."""
    waker, waking = socket.socketpair()
    waker.setblocking(False)
    waking.setblocking(False)
    return waker, waking
