"""Clients that flood the page with garbage and with valid requests. Arguments: port, seconds.

It prints how many of each request were answered, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from collections import Counter

SILENT = 100
"""Connections that say nothing."""

_HOST = b"host: 127.0.0.1\r\n"

REQUESTS = {
    "TLS on a page without": b"\x16\x03\x01" + b"\x00" * 200,
    "a giant head": b"GET / HTTP/1.1\r\nx: " + b"a" * 100_000,
    "a command of another page": (
        b"POST /api/acknowledge HTTP/1.1\r\nhost: evil.example\r\ncontent-length: 2\r\n\r\n{}"
    ),
    "a day that is none": b"GET /night?day=" + b"9" * 3000 + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    "the history": b"GET /api/history HTTP/1.1\r\n" + _HOST + b"\r\n",
    "the first screen": b"GET / HTTP/1.1\r\n" + _HOST + b"\r\n",
    "a night": b"GET /night HTTP/1.1\r\n" + _HOST + b"\r\n",
    "the state": b"GET /api/state HTTP/1.1\r\n" + _HOST + b"\r\n",
    "a command": (
        b"POST /api/acknowledge HTTP/1.1\r\n" + _HOST + b"content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    ),
}
"""Name -> what is sent over a connection of its own."""


def flood(port: int, seconds: float) -> Counter[str]:
    """Send every request over and over, each by a thread; how many of each were answered, also by a refusal."""
    answered: Counter[str] = Counter()
    until_s = time.monotonic() + seconds

    def send(name: str, request: bytes) -> None:
        while time.monotonic() < until_s:
            with contextlib.suppress(OSError):
                answered[name] += _is_answered(port, request)

    with contextlib.ExitStack() as held:
        for _ in range(SILENT):
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5.0))
        threads = [threading.Thread(target=send, args=each) for each in REQUESTS.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + 30.0)
    return answered


def _is_answered(port: int, request: bytes) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=2.0) as connection:
        connection.sendall(request)
        return bool(connection.recv(4096))


if __name__ == "__main__":
    json.dump(flood(int(sys.argv[1]), float(sys.argv[2])), sys.stdout)
