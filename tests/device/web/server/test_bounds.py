"""What one client may cost: heads and contents have a time and a size, streams a number; others are served on."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from device.web.requests import request_content
from device.web.requests.bounded_connection import BoundedConnection
from device.web.requests.reader_places import MOST_READERS, Readers
from tests.device.web.site import TOKEN, Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

_SOON_S = 10.0


@pytest.fixture
def site(tmp_path: Path, state: DaemonState, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(BoundedConnection, "head_within_s", 0.3)
    monkeypatch.setattr(request_content, "WITHIN_S", 0.3)
    with Site(tmp_path, state) as site:
        yield site


def _connected(site: Site) -> socket.socket:
    host, _, port = site.address.partition(":")
    return socket.create_connection((host, int(port)), timeout=_SOON_S)


@pytest.mark.parametrize("said", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nx: y\r\n"])
def test_whoever_says_little_is_closed_and_others_are_served(site: Site, said: bytes) -> None:
    with _connected(site) as slow:
        slow.sendall(said)
        assert site.client.get("/login").status_code == 200
        assert slow.recv(4096) == b""


def test_a_head_that_comes_byte_by_byte_on_a_used_connection_is_closed_too(site: Site) -> None:
    with _connected(site) as slow:
        slow.sendall(b"GET /robots.txt HTTP/1.1\r\nhost: a\r\n\r\n")
        answer = b""
        while not answer.endswith(b"Disallow: /\n"):
            answer += slow.recv(65536)
        slow.sendall(b"G")
        began_s = time.monotonic()
        assert slow.recv(4096) == b""
        assert time.monotonic() - began_s < _SOON_S


def test_a_content_that_never_ends_is_refused(site: Site) -> None:
    head = f"POST /api/resume HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: 100\r\n\r\n{{"
    with _connected(site) as slow:
        slow.sendall(head.encode())
        answer = b""
        while not answer.endswith(b"}"):  # head and content may come one after the other
            answer += slow.recv(65536)
        assert b"a request must have arrived within 0.3 s" in answer
    assert site.commands == []


def test_garbage_breaks_nothing(site: Site) -> None:
    for garbage in (
        b"\x16\x03\x01" + bytes(200),
        b"GET / HTTP/1.1\r\nx: " + b"a" * 40000,
        b"\r\n" * 500,
        b"\xff" * 999,
    ):
        with _connected(site) as client:
            client.sendall(garbage)
            client.settimeout(_SOON_S)
            try:
                answer = client.recv(4096)
            except ConnectionResetError:
                continue
            assert answer == b"" or b" 400 " in answer.splitlines()[0]
    assert site.client.get("/login").status_code == 200


def test_streams_are_bounded() -> None:
    readers = Readers()
    places = [readers.take() for _ in range(MOST_READERS + 1)]
    assert places[-1] is None
    assert None not in places[:-1]
