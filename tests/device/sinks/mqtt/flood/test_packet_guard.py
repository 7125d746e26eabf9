"""Whatever pieces a broker's packets come in, what is not accepted is refused by its first bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.sinks.mqtt.flood.packet_guard import (
    MESSAGES_AT_ONCE,
    MESSAGES_PER_S,
    MOST_ANSWER_BYTES,
    MOST_PACKET_BYTES,
    PacketGuard,
    PacketRefusedError,
)

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
        guard.push(piece, 0.0)


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
    (_header(0x34, 10) + b"\0\1", "QoS 2"),
    (_header(0x36, 10) + b"\0\1", "QoS 3"),
    (_header(0x34, 200_000) + b"\0\1", "QoS 2"),
    (_header(0x30, MOST_PACKET_BYTES + 1) + b"\0\1", "message_size_limit"),
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
    stream, guard, passed = b"".join(_SOUND), _guard(), b""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        passed += guard.push(stream[begin:end], 0.0)
    assert guard.packets == len(_SOUND)
    assert passed == stream


@pytest.mark.parametrize(("packet", "said"), _REFUSED)
@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_what_no_broker_sends_is_refused_by_its_header(packet: bytes, said: str, piece: int) -> None:
    guard = _guard()
    guard.push(b"".join(_SOUND), 0.0)
    pieces = [packet[begin : begin + piece] for begin in range(0, len(packet), piece)]
    with pytest.raises(PacketRefusedError, match=said):
        _push(guard, pieces)


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail_otherwise(noise: bytes) -> None:
    guard = PacketGuard()
    try:
        guard.push(noise, 0.0)
    except PacketRefusedError:
        return
    assert guard.packets <= len(noise)


# --- a flood


_PRESS = b"\x30\x03\0\1a"  # QoS 0
_ANSWER = b"\x40\2\0\1"


def test_a_flood_of_qos_0_is_dropped_and_answers_in_it_are_passed_on() -> None:
    guard = _guard()
    guard.expected = 1000
    passed = guard.push((_PRESS * 50 + _ANSWER) * 1000, 0.0)
    assert passed.count(_ANSWER) == 1000
    assert len(passed) == 1000 * len(_ANSWER) + (guard.packets - 1000) * len(_PRESS)
    assert guard.packets - 1000 <= MESSAGES_AT_ONCE
    assert guard.packets + guard.dropped == 51_000


def test_a_flood_of_qos_1_is_dropped_and_all_of_it_can_be_acknowledged() -> None:
    guard = _guard()
    presses = [b"\x32\x05\0\1a" + number.to_bytes(2, "big") for number in range(1, 3001)]
    passed = b"".join(guard.push(bytes([byte]), 0.0) for byte in b"".join(presses))
    count = len(passed) // len(presses[0])
    assert passed == b"".join(presses[:count])
    assert 0 < count <= MESSAGES_AT_ONCE
    unread = []
    while guard.holds:
        assert guard.is_held
        unread += guard.pop_unread()
        assert guard.push(b"", 0.0) == b""
    assert [*unread, *guard.pop_unread()] == list(range(count + 1, 3001))
    assert guard.pop_unread() == []
    assert guard.of_qos_1 == 3000


def _with_properties(size: int) -> bytes:
    return (
        _header(0x30, 5 + size) + b"\0\1a" + (0x80 | size % 128).to_bytes(1, "big") + bytes([size // 128]) + bytes(size)
    )


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_a_message_with_many_properties_counts_as_many(piece: int) -> None:
    plain, v5 = _guard(), _guard()
    v5.accept_v5(most_packet_bytes=4096)
    flood = _with_properties(3000) * 2000
    for guard in (plain, v5):
        _push(guard, (flood[at : at + piece] for at in range(0, len(flood), piece)))
    assert plain.packets == pytest.approx(MESSAGES_AT_ONCE / 1.75, abs=2)
    assert v5.packets == pytest.approx(MESSAGES_AT_ONCE / 31.75, abs=2)
    assert v5.packets + v5.dropped == 2000


@pytest.mark.parametrize("piece", [1, 1 << 20])
@pytest.mark.parametrize("end", [b"", b"\x80", b"\xff\xff\xff\xff"])
def test_properties_whose_length_does_not_end_are_refused(end: bytes, piece: int) -> None:
    guard = _guard()
    guard.accept_v5(most_packet_bytes=4096)
    packet = _header(0x30, 3 + len(end)) + b"\0\1a" + end
    with pytest.raises(PacketRefusedError, match="no MQTT"):
        _push(guard, (packet[at : at + piece] for at in range(0, len(packet), piece)))


def test_a_thousand_small_messages_a_second_are_read_and_none_is_dropped() -> None:
    guard = _guard()
    message = _packet(0x30, 350)
    for second in range(60):
        guard.push(message * 1000, float(second))
    assert guard.dropped == 0


def test_people_are_heard_again_soon_after_a_flood() -> None:
    guard = _guard()
    guard.push(_PRESS * 10_000, 0.0)
    assert guard.push(_PRESS, 0.0) == b""
    assert guard.push(_PRESS, 2 / MESSAGES_PER_S) == _PRESS


@given(
    st.lists(st.sampled_from([_PRESS, b"\x30\x04\0\1ax", b"\x30\x03\0\1b", b"\x30\x05\0\1abc", _ANSWER]), max_size=60)
)
def test_what_is_dropped_in_one_piece_is_dropped_in_any(packets: list[bytes]) -> None:
    whole, pieces = _guard(), _guard()
    for guard in (whole, pieces):
        guard.expected = 100
        guard.push(_PRESS * 3000, 0.0)
    stream = b"".join(packets)
    assert whole.push(stream, 0.0) == b"".join(pieces.push(bytes([byte]), 0.0) for byte in stream)
    assert (whole.packets, whole.dropped) == (pieces.packets, pieces.dropped)


def test_answers_that_nobody_asked_for_are_refused() -> None:
    guard = _guard()
    guard.expected = 5000
    guard.push(_ANSWER * 5000, 0.0)
    with pytest.raises(PacketRefusedError, match="not asked"):
        guard.push(_ANSWER * 5000, 0.0)


def test_a_ping_answered_every_ten_seconds_is_never_refused() -> None:
    guard = _guard()
    for number in range(10_000):
        guard.push(b"\xd0\0", 10.0 * number)
