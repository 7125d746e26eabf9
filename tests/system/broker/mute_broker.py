"""A broker that speaks MQTT 5 on a real socket, and acknowledges what is published to it only if a test wants that."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator


class MuteBroker:
    """Accepts logins, subscriptions and pings; a context manager.

    Attributes:
        acknowledges: whether it answers what is published at QoS 1.
        logins_s: when it accepted a login, by the monotonic clock.
        published: messages at QoS 1 that came.
    """

    def __init__(self) -> None:
        self.acknowledges = False
        self.logins_s: list[float] = []
        self.published = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._clients: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        for each in (self._listening, *self._clients):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._clients.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            for kind, flags, body in _packets(client):
                answer = self._answer(kind, flags, body)
                if answer:
                    client.sendall(answer)
        client.close()

    def _answer(self, kind: int, flags: int, body: bytes) -> bytes:
        match kind:
            case 1:
                self.logins_s.append(time.monotonic())
                return bytes([0x20, 3, 0, 0, 0])
            case 3 if flags & 6:
                self.published += 1
                topic_bytes = int.from_bytes(body[:2], "big")
                return bytes([0x40, 2]) + body[2 + topic_bytes : 4 + topic_bytes] if self.acknowledges else b""
            case 8:
                granted = bytes([1]) * _topics(body)
                return bytes([0x90, 3 + len(granted)]) + body[:2] + bytes([0]) + granted
            case 12:
                return bytes([0xD0, 0])
            case 14:
                raise EOFError
        return b""


def _packets(client: socket.socket) -> Iterator[tuple[int, int, bytes]]:
    """(kind, flags, body) of each packet."""
    while True:
        first = _exactly(client, 1)[0]
        length = shift = 0
        while (digit := _exactly(client, 1)[0]) & 0x80:
            length += (digit & 0x7F) << shift
            shift += 7
        yield first >> 4, first & 0x0F, _exactly(client, length + (digit << shift))


def _topics(body: bytes) -> int:
    """Of a SUBSCRIBE whose properties are shorter than 128 bytes."""
    at, count = 3 + body[2], 0
    while at < len(body):
        at += 3 + int.from_bytes(body[at : at + 2], "big")
        count += 1
    return count


def _exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        received = client.recv(count - len(data))
        if not received:
            raise EOFError
        data += received
    return data
