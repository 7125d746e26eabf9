"""Exchanges over real sockets: requests in pieces, clients that hang, crowds, and no descriptor left."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from device.runtime.sockets.connection_server import ConnectionServer, ServerLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SOON_S = 20.0


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=200) as server:
        server.setblocking(False)
        yield server


@contextlib.contextmanager
def _served(
    listening: socket.socket, respond: Callable[[bytes, bool], bytes | None], limits: ServerLimits | None = None
) -> Iterator[Callable[[], socket.socket]]:
    server = ConnectionServer(listening, respond, name="served", limits=limits)
    opened = contextlib.ExitStack()
    try:
        with opened:
            yield lambda: opened.enter_context(socket.create_connection(listening.getsockname(), _SOON_S))
    finally:
        server.close()
        server.close()
    assert "served" not in {thread.name for thread in threading.enumerate()}


def _echo_line(received: bytes, _is_complete: bool) -> bytes | None:  # noqa: FBT001 - as it is called
    return received if received.endswith(b"\n") else None


def _whole(client: socket.socket) -> bytes:
    """All that comes; empty if the connection was closed."""
    with contextlib.suppress(ConnectionResetError):
        return b"".join(iter(lambda: client.recv(1 << 16), b""))
    return b""


def test_a_request_is_answered_once_it_is_complete_and_the_connection_closed(listening: socket.socket) -> None:
    with _served(listening, _echo_line) as connect:
        client = connect()
        for piece in (b"a", b"b", b"\n"):
            client.sendall(piece)
            time.sleep(0.02)
        assert _whole(client) == b"ab\n"


def test_the_end_of_a_request_is_seen(listening: socket.socket) -> None:
    with _served(listening, lambda received, is_complete: received[::-1] if is_complete else None) as connect:
        client = connect()
        client.sendall(b"abc")
        client.shutdown(socket.SHUT_WR)
        assert _whole(client) == b"cba"


def test_an_answer_of_any_size_reaches_a_slow_reader(listening: socket.socket) -> None:
    answer = os.urandom(8 << 20)
    with _served(listening, lambda _received, _is_complete: answer, ServerLimits(within_s=_SOON_S)) as connect:
        client = connect()
        time.sleep(0.2)
        assert _whole(client) == answer


def test_who_is_too_slow_or_sends_too_much_is_closed(listening: socket.socket) -> None:
    with _served(listening, _echo_line, ServerLimits(request_bytes=100, within_s=0.5)) as connect:
        slow, long = connect(), connect()
        with contextlib.suppress(OSError):
            long.sendall(b"x" * 1000)
        assert _whole(long) == b""
        began_s = time.monotonic()
        assert _whole(slow) == b""
        assert time.monotonic() - began_s < 3.0


def test_of_too_many_the_longest_connected_is_closed_for_a_new_one(listening: socket.socket) -> None:
    with _served(listening, _echo_line, ServerLimits(clients=10, within_s=_SOON_S)) as connect:
        hanging = [connect() for _ in range(100)]
        quick = connect()
        quick.sendall(b"quick\n")
        assert _whole(quick) == b"quick\n"
        assert all(_whole(client) == b"" for client in hanging[:90])
        hanging[-1].sendall(b"last\n")
        assert _whole(hanging[-1]) == b"last\n"


def test_a_failure_with_one_request_ends_no_server(listening: socket.socket) -> None:
    def respond(received: bytes, is_complete: bool) -> bytes | None:  # noqa: FBT001 - as it is called
        if received == b"bad\n":
            raise ArithmeticError
        return _echo_line(received, is_complete)

    with _served(listening, respond) as connect:
        bad, good = connect(), connect()
        bad.sendall(b"bad\n")
        assert _whole(bad) == b""
        good.sendall(b"good\n")
        assert _whole(good) == b"good\n"


_WITHOUT_DESCRIPTORS = """
import os, resource, socket, sys, time
from device.runtime.sockets.connection_server import ConnectionServer
listening = socket.create_server(("127.0.0.1", 0))
listening.setblocking(False)
server = ConnectionServer(listening, lambda received, _: received or None, name="served")
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
print(listening.getsockname()[1], flush=True)
sys.stdin.readline()
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
sys.stdin.readline()
"""


def test_without_a_descriptor_clients_wait_and_are_served_once_there_is_one() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WITHOUT_DESCRIPTORS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = int(server.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), _SOON_S) as client:
            client.sendall(b"waits")
            client.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.recv(16)
            used_s = _processor_s(server.pid)
            time.sleep(1.0)
            assert _processor_s(server.pid) - used_s < 0.3, "it must not spin"
            server.stdin.write(b"\n")
            server.stdin.flush()
            client.settimeout(_SOON_S)
            assert client.recv(16) == b"waits"
        server.stdin.write(b"\n")
        server.stdin.flush()
        assert server.wait(_SOON_S) == 0


def _processor_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - no file of ours
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
