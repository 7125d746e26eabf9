"""Follows what a broker sends: refuses what a broker of ours never sends, and thins out a flood of messages. Pure.

An MQTT library keeps each message of QoS 2 until the broker releases it, which a broker need never do. We subscribe at
QoS 1, so none may come. We subscribe to topics without wildcards, so none may be longer than the longest of them. Each
answer was asked for, but for a few. A packet is refused by its first bytes, before its content is read into memory.

People press buttons: no honest sender needs more than a few messages a second. Beyond an allowance that takes a tenth
of a processor, messages are dropped before the library spends time on them, and as fast as they come: the
acknowledgement of an alarm may be behind them. Those of QoS 1 have to be acknowledged all the same, or the broker would
send no more. What is dropped may be a command: see `flood_breaker` for what ends a flood.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from device.allowance import Allowance
from device.quantity import quantity

MOST_PACKET_BYTES = 1 << 18
"""Of a message: no command needs more than a few hundred bytes."""

MOST_ANSWER_BYTES = 1 << 14
"""Of any other packet: what it adds to a few bytes is text for people."""

MESSAGES_PER_S, MESSAGES_AT_ONCE = 1500.0, 2000.0
"""The library takes some 40 us for each on a desktop; long ones and those with properties count as several."""

_UNASKED_PER_S, _UNASKED_AT_ONCE = 10.0, 100.0
"""Answers to what the library sends by itself (pings), and an end of the connection with its reason."""

_BYTES_OF_ONE, _PROPERTY_BYTES_OF_ONE = 4000.0, 100.0  # each property is parsed, a payload is copied
_ALIKE, _ACKNOWLEDGING = 0.1, 8.0  # work; that of a packet is 1, some 3 us on a desktop
_MOST_UNREAD = 200
_CONNACK: Final = 2
_PUBLISH: Final = 3
_MOST_LENGTH_BITS = 28  # of a variable byte integer, MQTT 5.0, 1.5.5
_NO_MQTT = "sends what is no MQTT"


class PacketRefusedError(Exception):
    """The broker sent what is not accepted; says what, to follow the broker's name."""


class _Header(NamedTuple):
    """Of one packet.

    Attributes:
        kind: of the packet.
        qos: of a message.
        size: of first byte and length.
        length: of what follows.
        topic_bytes: length of a message's topic.
        identifier: of a message of QoS 1.
        property_bytes: length of a message's properties.
    """

    kind: int
    qos: int
    size: int
    length: int
    topic_bytes: int = 0
    identifier: int = 0
    property_bytes: int = 0


class PacketGuard:
    """Follows one connection's bytes.

    Args:
        now_s: monotonic.

    Attributes:
        packets: that were passed on, so far.
        dropped: messages that were not, so far.
        of_qos_1: messages that have to be acknowledged, so far.
        work: what following the packets took, in packets that were looked at, so far.
        longest_topic_bytes: of those that were subscribed to; a longer one is refused.
        most_packet_bytes: of a message, without its header.
        expected: answers that were asked for and have not come.
    """

    def __init__(self, now_s: float = 0.0) -> None:
        self.packets = self.dropped = self.of_qos_1 = self.longest_topic_bytes = self.expected = 0
        self.work = 0.0
        self.most_packet_bytes = MOST_PACKET_BYTES
        self._is_v5 = False
        self._messages = Allowance(at_once=MESSAGES_AT_ONCE, per_s=MESSAGES_PER_S, now_s=now_s)
        self._unasked = Allowance(at_once=_UNASKED_AT_ONCE, per_s=_UNASKED_PER_S, now_s=now_s)
        self._unread: list[int] = []
        self._rest = b""  # begins with a header that is not complete
        self._left = 0  # bytes of the current packet
        self._is_passed = True  # the current packet
        self._was_accepted = False

    def __repr__(self) -> str:
        return f"PacketGuard({self.packets} passed, {self.dropped} dropped)"

    @property
    def is_held(self) -> bool:
        """Whether no further packet is followed before `pop_unread`."""
        return len(self._unread) >= _MOST_UNREAD

    @property
    def holds(self) -> bool:
        """Whether bytes wait that were pushed."""
        return self.is_held and bool(self._rest)

    def accept_v5(self, *, most_packet_bytes: int) -> None:
        """The broker speaks MQTT 5, and was told how long a packet may be."""
        self._is_v5, self.most_packet_bytes = True, most_packet_bytes

    def pop_unread(self) -> list[int]:
        """Packet identifiers of dropped messages of QoS 1, to be acknowledged."""
        unread, self._unread = self._unread, []
        return unread

    def push(self, data: bytes, now_s: float) -> bytes:
        """Follow the next bytes; those that are for the library.

        Raises:
            PacketRefusedError: a packet begins that is not accepted.
        """
        rest, at, passed = self._rest + data, 0, bytearray()
        while at < len(rest):
            if not self._left:
                if self.is_held:
                    break
                header = self._begin(rest, at, now_s)
                if header is None:
                    break
                if not self._is_passed and not header.qos:
                    at = self._skip_alike(rest, at, header)
                    continue
            size = min(self._left, len(rest) - at)
            if self._is_passed:
                passed += rest[at : at + size]
            self._left -= size
            at += size
        self._rest = rest[at:]
        return bytes(passed)

    def _begin(self, rest: bytes, at: int, now_s: float) -> _Header | None:
        """Begin a packet; None if its header is not complete."""
        header = _parsed(rest, at)
        if header is None:
            return None
        self._check(header)
        if header.kind == _PUBLISH:
            header = _message(rest, at, header, is_v5=self._is_v5)
            if header is None:
                return None
        self._is_passed = header.kind != _PUBLISH or self._messages.use(_cost(header), now_s)
        self.work += 1.0
        if header.kind != _PUBLISH:
            self._count_answer(header.kind, now_s)
        elif header.qos:
            self._count_message(header.identifier)
        self._left = header.size + header.length
        self.packets += self._is_passed
        self.dropped += not self._is_passed
        return header

    def _skip_alike(self, rest: bytes, at: int, header: _Header) -> int:
        """Skip a message of QoS 0, and those behind it that begin alike and are complete; where they end."""
        size = header.size + header.length
        begin, end, last = rest[at : at + header.size + 2], at + size, len(rest) - size
        if end > len(rest):
            self._left = end - len(rest)
            return len(rest)
        while end <= last and rest.startswith(begin, end):
            end += size
        alike = (end - at) // size - 1
        self.dropped += alike
        self.work += alike * _ALIKE
        self._left = 0
        return end

    def _count_message(self, identifier: int) -> None:
        self.of_qos_1 += 1
        if not self._is_passed:
            self._unread.append(identifier)
            self.work += _ACKNOWLEDGING

    def _check(self, header: _Header) -> None:
        length = header.length
        if header.kind == _PUBLISH:
            if length > self.most_packet_bytes:
                limits = "the broker can limit what clients send (message_size_limit of mosquitto)"
                much = f"sends a message of {quantity(length, 'byte')}, more than is ever read"
                raise PacketRefusedError(f"{much}: {limits}")
            if header.qos > 1:
                raise PacketRefusedError(f"sends a message of QoS {header.qos}, though QoS 1 was asked for")
            if header.topic_bytes > self.longest_topic_bytes:
                longest = f"more than the {self.longest_topic_bytes} of any that was subscribed to"
                raise PacketRefusedError(
                    f"sends a message whose topic has {quantity(header.topic_bytes, 'byte')}, {longest}"
                )
        elif length > MOST_ANSWER_BYTES:
            raise PacketRefusedError(f"sends an answer of {quantity(length, 'byte')}, more than any broker needs")

    def _count_answer(self, kind: int, now_s: float) -> None:
        if kind == _CONNACK:
            if self._was_accepted:
                raise PacketRefusedError("answers one login twice")
            self._was_accepted = True
        elif self.expected:
            self.expected -= 1
        elif not self._unasked.use(1.0, now_s):
            raise PacketRefusedError("answers again and again what was not asked")


def _parsed(rest: bytes, at: int) -> _Header | None:
    """The header at an index; None if it is not complete."""
    first = rest[at]
    found = _variable_integer(rest, at + 1)
    if found is None:
        return None
    length, end = found
    kind, topic_bytes = first >> 4, 0
    if kind == _PUBLISH:
        if length < 2:
            raise PacketRefusedError(_NO_MQTT)
        if end + 2 > len(rest):
            return None
        topic_bytes = int.from_bytes(rest[end : end + 2], "big")  # MQTT 5.0, 3.3.2.1
    return _Header(kind, first >> 1 & 3, end - at, length, topic_bytes)


def _message(rest: bytes, at: int, header: _Header, *, is_v5: bool) -> _Header | None:
    """With what follows a message's topic (MQTT 5.0, 3.3.2.2 and 3.3.2.3); None if that has not come yet."""
    begin = at + header.size
    identified = begin + 2 + header.topic_bytes + (2 if header.qos else 0)
    end = begin + header.length
    if identified > end:
        raise PacketRefusedError(_NO_MQTT)
    if identified > len(rest):
        return None
    identifier = int.from_bytes(rest[identified - 2 : identified], "big") if header.qos else 0
    if not is_v5:
        return header._replace(identifier=identifier)
    found = _variable_integer(rest[:end], identified)
    if found is None:
        if end <= len(rest):
            raise PacketRefusedError(_NO_MQTT)
        return None
    return header._replace(identifier=identifier, property_bytes=min(found[0], header.length))


def _variable_integer(rest: bytes, at: int) -> tuple[int, int] | None:
    """A variable byte integer (MQTT 5.0, 1.5.5), and where it ends; None if it is not complete."""
    value, bits = 0, 0
    while at < len(rest):
        byte = rest[at]
        value |= (byte & 0x7F) << bits
        bits += 7
        at += 1
        if byte < 0x80:
            return value, at
        if bits == _MOST_LENGTH_BITS:
            raise PacketRefusedError(_NO_MQTT)
    return None


def _cost(header: _Header) -> float:
    """Of a message, of those that are allowed."""
    return 1.0 + header.length / _BYTES_OF_ONE + header.property_bytes / _PROPERTY_BYTES_OF_ONE
