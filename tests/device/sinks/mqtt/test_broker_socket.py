"""The socket to a broker passes on what the guard accepts, and leaves a flood in the network."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from device.config.settings import MqttSettings
from device.sinks.mqtt.broker_socket import BrokerSocket
from device.sinks.mqtt.connection import trouble_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_SETTINGS = MqttSettings(host="broker.local", username="auricle")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def ends() -> Iterator[tuple[BrokerSocket, socket.socket]]:
    here, there = socket.socketpair()
    broker_socket = BrokerSocket(here)
    yield broker_socket, there
    broker_socket.close()
    there.close()


def test_what_a_broker_may_not_send_is_not_read_and_told_in_a_sentence(
    ends: tuple[BrokerSocket, socket.socket],
) -> None:
    broker_socket, there = ends
    broker_socket.allow_topics(["abc"])
    there.send(b"\x30\x05\0\3abc")
    assert broker_socket.recv(7) == b"\x30\x05\0\3abc"
    there.send(b"\x34\x80\x80\x01\0\3")
    with pytest.raises(OSError, match="QoS 2"):
        broker_socket.recv(4)
    assert broker_socket.error is not None
    reason = trouble_of(broker_socket.error, _SETTINGS).reason
    assert reason == "broker.local:1883 sends a message of QoS 2, though QoS 1 was asked for"


def test_nothing_to_read_is_no_error_and_a_lost_peer_is_one(ends: tuple[BrokerSocket, socket.socket]) -> None:
    broker_socket, there = ends
    broker_socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        broker_socket.recv(1)
    assert "None" in repr(broker_socket)
    there.close()
    with pytest.raises(BlockingIOError):
        broker_socket.send(b"x")
    assert broker_socket.recv(1) == b""
    assert isinstance(broker_socket.error, BrokenPipeError)
    broker_socket.close()
    broker_socket.close()
    assert repr(broker_socket).startswith("BrokerSocket(closed")


def test_why_a_broker_closed_the_connection_is_read_although_nothing_can_be_sent_any_more(
    ends: tuple[BrokerSocket, socket.socket],
) -> None:
    broker_socket, there = ends
    broker_socket.setblocking(False)
    taken_over = b"\xe0\2\x8e\0"
    there.send(taken_over)
    there.close()
    for _ in range(3):
        with pytest.raises(BlockingIOError):
            broker_socket.send(b"x")
    assert broker_socket.is_broken
    assert broker_socket.error is None
    assert broker_socket.recv(100) == taken_over
    assert broker_socket.error is None
    assert broker_socket.recv(100) == b""
    assert isinstance(broker_socket.error, BrokenPipeError)


def test_what_comes_is_acknowledged_at_once_though_each_packet_is_answered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = socket.create_connection(server.getsockname())
        there, _ = server.accept()
    broker_socket = BrokerSocket(here)
    with here, there:
        for _ in range(20):
            there.send(b"\x40\2\0\1")
            broker_socket.recv(4)
            assert _acknowledges_at_once(here)
            broker_socket.send(b"y")
            there.recv(1)
        assert not _acknowledges_at_once(there)  # as the kernel leaves it


def _acknowledges_at_once(end: socket.socket) -> bool:
    return end.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 1


def test_what_is_over_the_allowance_is_left_in_the_network() -> None:
    clock = Clock()
    here, there = socket.socketpair()
    broker_socket = BrokerSocket(here, clock)
    broker_socket.setblocking(False)
    there.setblocking(False)
    broker_socket.allow_topics(["a"])
    with here, there:
        sent = sum(_flood(there) + _drain(broker_socket) for _ in range(1000))
        assert sent < 50_000_000  # what it reads at once, and what the kernel holds
        assert 0 < broker_socket.pause_s() < 1
        clock.now_s += broker_socket.pause_s()
        assert broker_socket.pause_s() == 0
        before = broker_socket.guard.dropped
        _drain(broker_socket)
        assert broker_socket.guard.dropped > before


def _drain(broker_socket: BrokerSocket) -> int:
    """Read until nothing is left to be read now."""
    try:
        while broker_socket.recv(4096):
            pass
    except BlockingIOError:
        return 0
    raise AssertionError("the connection has not ended")


def _flood(there: socket.socket) -> int:
    """Send until the network takes no more; how many bytes."""
    message, sent = b"\x30\x80\x20\0\1a" + bytes(4093), 0
    try:
        while True:
            there.sendall(message)
            sent += len(message)
    except BlockingIOError:
        return sent


def test_a_connection_that_ends_behind_packets_ends_after_them(ends: tuple[BrokerSocket, socket.socket]) -> None:
    broker_socket, there = ends
    there.send(b"\x20\2\0\0\x40\2\0\1")
    there.close()
    assert broker_socket.recv(4) == b"\x20\2\0\0"
    assert broker_socket.pending()
    assert broker_socket.recv(1000) == b"\x40\2\0\1"
    assert broker_socket.recv(1) == b""


def test_what_the_other_machine_does_not_accept_is_unacknowledged() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        here = socket.create_connection(listening.getsockname())
        here.setblocking(False)
        broker_socket = BrokerSocket(here)
        assert broker_socket.unacknowledged_bytes() == 0
        sent = broker_socket.send(bytes(1 << 20))
        assert 0 < broker_socket.unacknowledged_bytes() < sent
        broker_socket.close()
        assert broker_socket.unacknowledged_bytes() == 0
