"""Follows what a broker sends, packet by packet, and refuses what a broker of ours never sends. Pure.

An MQTT library keeps each message of QoS 2 until the broker releases it, which a broker need never do. We subscribe at
QoS 1, so none may come. We subscribe to topics without wildcards, so none may be longer than the longest of them. A
packet is refused by its first bytes, before its content is read into memory.
"""

from __future__ import annotations

from typing import Final

from device.quantity import quantity

MOST_PACKET_BYTES = 1 << 18
"""Of a message: no command needs more than a few hundred bytes."""

MOST_ANSWER_BYTES = 1 << 14
"""Of any other packet: what it adds to a few bytes is text for people."""

_CONNACK: Final = 2
_PUBLISH: Final = 3
_MOST_LENGTH_BYTES = 4  # of the remaining length, MQTT 5.0, 1.5.5
_TOPIC_LENGTH_BYTES = 2  # in front of a message's topic, MQTT 5.0, 3.3.2.1


class PacketRefusedError(Exception):
    """The broker sent what is not accepted; says what, to follow the broker's name."""


class PacketGuard:
    """Follows one connection's bytes.

    Attributes:
        packets: that began, so far.
        longest_topic_bytes: of those that were subscribed to; a longer one is refused.
        most_packet_bytes: of a message, without its header.
    """

    def __init__(self) -> None:
        self.packets = self.longest_topic_bytes = 0
        self.most_packet_bytes = MOST_PACKET_BYTES
        self._header = bytearray()
        self._left = 0  # bytes of the content of the current packet
        self._was_accepted = False

    def push(self, data: bytes) -> None:
        """Follow the next bytes.

        Raises:
            PacketRefusedError: a packet begins that is not accepted.
        """
        at = 0
        while at < len(data):
            if self._left:
                skipped = min(self._left, len(data) - at)
                self._left -= skipped
                at += skipped
            else:
                self._header.append(data[at])
                at += 1
                self._check_header()

    def _check_header(self) -> None:
        """Check a packet's first byte, its length, and a message's length of its topic, once they are complete."""
        end = self._length_end()
        if end is None:
            return
        kind = self._header[0] >> 4
        length = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(self._header[1:end]))
        if len(self._header) == end:
            self._check_packet(kind, length)
        if kind == _PUBLISH and len(self._header) < end + _TOPIC_LENGTH_BYTES:
            return
        if kind == _PUBLISH:
            self._check_topic(int.from_bytes(self._header[end:], "big"))
        self._left = length - (len(self._header) - end)
        self._header.clear()

    def _length_end(self) -> int | None:
        """Where the header's length ends; None if it is not complete."""
        for at, byte in enumerate(self._header[1 : 1 + _MOST_LENGTH_BYTES], start=1):
            if not byte & 0x80:
                return at + 1
        if len(self._header) > _MOST_LENGTH_BYTES:
            raise PacketRefusedError("sends what is no MQTT")
        return None

    def _check_packet(self, kind: int, length: int) -> None:
        self.packets += 1
        qos = self._header[0] >> 1 & 3
        self._check_size(kind, length)
        if kind == _PUBLISH and qos > 1:
            raise PacketRefusedError(f"sends a message of QoS {qos}, though QoS 1 was asked for")
        if kind == _CONNACK and self._was_accepted:
            raise PacketRefusedError("answers one login twice")
        self._was_accepted = self._was_accepted or kind == _CONNACK

    def _check_topic(self, size: int) -> None:
        if size > self.longest_topic_bytes:
            longest = f"more than the {self.longest_topic_bytes} of any that was subscribed to"
            raise PacketRefusedError(f"sends a message whose topic has {quantity(size, 'byte')}, {longest}")

    def _check_size(self, kind: int, length: int) -> None:
        if kind == _PUBLISH and length > self.most_packet_bytes:
            limits = "the broker can limit what clients send (message_size_limit of mosquitto)"
            raise PacketRefusedError(f"sends a message of {quantity(length, 'byte')}, more than is ever read: {limits}")
        if kind == _PUBLISH and length < _TOPIC_LENGTH_BYTES:
            raise PacketRefusedError("sends what is no MQTT")
        if kind != _PUBLISH and length > MOST_ANSWER_BYTES:
            raise PacketRefusedError(f"sends an answer of {quantity(length, 'byte')}, more than any broker needs")
