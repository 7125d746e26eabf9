"""Follows what a broker sends, packet by packet, and refuses what a broker of ours never sends. Pure.

An MQTT library keeps each message of QoS 2 until the broker releases it, which a broker need never do. We subscribe at
QoS 1, so none may come. A packet is refused by its first bytes, before its content is read into memory.
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


class PacketRefusedError(Exception):
    """The broker sent what is not accepted; says what, to follow the broker's name."""


class PacketGuard:
    """Follows one connection's bytes.

    Attributes:
        packets: that began, so far.
    """

    def __init__(self) -> None:
        self.packets = 0
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
        """Check a packet's first byte and length, once they are complete."""
        if len(self._header) == 1 or (self._header[-1] & 0x80 and len(self._header) <= _MOST_LENGTH_BYTES):
            return
        if self._header[-1] & 0x80:
            raise PacketRefusedError("sends what is no MQTT")
        kind, qos = self._header[0] >> 4, self._header[0] >> 1 & 3
        length = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(self._header[1:]))
        self._header.clear()
        self._left = length
        self.packets += 1
        _check_size(kind, length)
        if kind == _PUBLISH and qos > 1:
            raise PacketRefusedError(f"sends a message of QoS {qos}, though QoS 1 was asked for")
        if kind == _CONNACK and self._was_accepted:
            raise PacketRefusedError("answers one login twice")
        self._was_accepted = self._was_accepted or kind == _CONNACK


def _check_size(kind: int, length: int) -> None:
    if kind == _PUBLISH and length > MOST_PACKET_BYTES:
        limits = "the broker can limit what clients send (message_size_limit of mosquitto)"
        raise PacketRefusedError(f"sends a message of {quantity(length, 'byte')}, more than is ever read: {limits}")
    if kind != _PUBLISH and length > MOST_ANSWER_BYTES:
        raise PacketRefusedError(f"sends an answer of {quantity(length, 'byte')}, more than any broker needs")
