"""Whatever pieces a broker's packets come in, what is not accepted is refused by its first bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.sinks.mqtt.packet_guard import MOST_ANSWER_BYTES, MOST_PACKET_BYTES, PacketGuard, PacketRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable


def _header(first: int, length: int) -> bytes:
    encoded = bytearray([first])
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(encoded)


def _packet(first: int, length: int) -> bytes:
    return _header(first, length) + bytes(length)


def _guard() -> PacketGuard:
    guard = PacketGuard()
    guard.longest_topic_bytes = _LONGEST
    return guard


_LONGEST = 30


def _push(guard: PacketGuard, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        guard.push(piece)


_SOUND = [
    _packet(0x20, 2),  # CONNACK
    _packet(0x90, 3),  # SUBACK
    _packet(0x40, 2),  # PUBACK
    _packet(0x40, MOST_ANSWER_BYTES),
    _packet(0x30, 70_000),  # PUBLISH, QoS 0
    _packet(0x33, 5),  # QoS 1, retained
    _packet(0xD0, 0),  # PINGRESP
    _packet(0x32, MOST_PACKET_BYTES),
    _header(0x30, 40) + b"\0\x1e" + bytes(38),  # a topic of the greatest length
]
_REFUSED = [
    (_header(0x34, 10), "QoS 2"),
    (_header(0x36, 10), "QoS 3"),
    (_header(0x34, 200_000), "QoS 2"),
    (_header(0x30, MOST_PACKET_BYTES + 1), "message_size_limit"),
    (_header(0x90, MOST_ANSWER_BYTES + 1), "more than any broker needs"),
    (_header(0x20, 200_000), "more than any broker needs"),
    (b"\x40\xff\xff\xff\xff", "no MQTT"),
    (b"\x30\x01\0", "no MQTT"),  # no room for the length of a topic
    (_header(0x30, 70_000) + b"\0\x1f", "a message whose topic has 31 bytes, more than the 30 of any"),
    (_header(0x31, 70_000) + b"\xea\x60", "a message whose topic has 60000 bytes"),
    (_packet(0x20, 3), "twice"),
]


@given(st.data())
def test_what_a_broker_may_send_is_followed_in_whatever_pieces(data: st.DataObject) -> None:
    stream, guard = b"".join(_SOUND), _guard()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        guard.push(stream[begin:end])
    assert guard.packets == len(_SOUND)


@pytest.mark.parametrize(("packet", "said"), _REFUSED)
@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_what_no_broker_sends_is_refused_by_its_header(packet: bytes, said: str, piece: int) -> None:
    guard = _guard()
    guard.push(b"".join(_SOUND))
    pieces = [packet[begin : begin + piece] for begin in range(0, len(packet), piece)]
    with pytest.raises(PacketRefusedError, match=said):
        _push(guard, pieces)


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail_otherwise(noise: bytes) -> None:
    guard = PacketGuard()
    try:
        guard.push(noise)
    except PacketRefusedError:
        return
    assert guard.packets <= len(noise)
