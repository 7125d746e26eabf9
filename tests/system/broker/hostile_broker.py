"""A broker by script that accepts a client and then does what no broker may do, for as long as the client lets it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEXT_BYTES = 60_000
"""The longest text that MQTT can carry is a little longer."""


def packet(first: int, content: bytes) -> bytes:
    """A packet of MQTT: first byte, length, content."""
    length, encoded = len(content), bytearray([first])
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(encoded) + content


def text(content: bytes) -> bytes:
    """A text or binary field of MQTT."""
    return len(content).to_bytes(2, "big") + content


def publish(qos: int, mid: int, topic: bytes, payload: bytes, *, is_v5: bool) -> bytes:
    """A message."""
    identifier = mid.to_bytes(2, "big") if qos else b""
    return packet(0x30 | qos << 1, text(topic) + identifier + (b"\0" if is_v5 else b"") + payload)


class HostileBroker:
    """Listens on a free port of 127.0.0.1; a context manager.

    Args:
        attack: is_v5 -> what it sends once it has accepted the login, without end or to an end.
        login: is_v5 -> its answer to the login.
        reads: whether it reads what it is sent after the login.
        waits_s: before the attack; the client has subscribed by then.

    Attributes:
        port: on which it listens.
        sent_bytes: so far, of the attack.
        connections: so far.
    """

    def __init__(
        self,
        attack: Callable[[bool], Iterator[bytes]],
        *,
        login: Callable[[bool], bytes] | None = None,
        reads: bool = True,
        waits_s: float = 0.0,
    ) -> None:
        self._attack = attack
        self._login = login or accepted
        self._reads = reads
        self._waits_s = waits_s
        self._listening = socket.create_server(("127.0.0.1", 0))
        if not reads:  # or the kernel would take megabytes of answers
            self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port: int = self._listening.getsockname()[1]
        self.sent_bytes = self.connections = 0
        self._thread = threading.Thread(target=self._serve, name="hostile", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self.connections += 1
                with client, contextlib.suppress(OSError, EOFError):
                    self._exchange(client)

    def _exchange(self, client: socket.socket) -> None:
        client.settimeout(20.0)
        is_v5 = b"MQTT\x05" in client.recv(4096)
        if self._reads:
            threading.Thread(target=_drain, args=(client,), daemon=True).start()
        client.sendall(self._login(is_v5))
        time.sleep(self._waits_s)
        for sent in self._attack(is_v5):
            client.sendall(sent)
            self.sent_bytes += len(sent)


def accepted(is_v5: bool) -> bytes:  # noqa: FBT001 - as it is called
    """The login is accepted."""
    return packet(0x20, b"\0\0\0" if is_v5 else b"\0\0")


def _drain(client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while client.recv(1 << 16):
            pass
