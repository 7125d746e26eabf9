"""What one client may cost: heads and contents have a time and a size, streams a number; others are served on."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from device.commands import Acknowledge
from device.web.access.command_bounds import CommandBounds, Rate
from device.web.requests import request_content
from device.web.requests.bounded_connection import BoundedConnection
from device.web.requests.reader_places import MOST_READERS, Readers
from tests.device.web.site import TOKEN, Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from device.commands import Command, Outcome
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


@pytest.fixture
def bounded(tmp_path: Path, state: DaemonState) -> Iterator[Site]:
    """A page that takes 4 commands and 3 looks of each sender, 5 and 6 in all, and no more for an hour."""
    site = Site(tmp_path, state)
    commands = CommandBounds(Rate(4.0, 1 / 3600), Rate(5.0, 1 / 3600))
    looks = CommandBounds(Rate(3.0, 1 / 3600), Rate(6.0, 1 / 3600))
    site.service = replace(site.service, gate=replace(site.service.gate, commands=commands, looks=looks))
    with site:
        yield site


def _refused(answer: Any) -> bool:
    if answer.status_code == 200:
        return False
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 7200
    assert answer.json()["error"].startswith("too many commands come: after ")
    return True


def test_a_flood_of_commands_reaches_no_daemon_and_another_person_acknowledges(bounded: Site) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    refused = [_refused(bounded.command("resume", {}, **bearer)) for _ in range(30)]
    assert len(bounded.commands) == refused.count(False) <= 5  # one more than 4, if a millisecond has passed
    assert refused[-20:] == [True] * 20
    put_off = "commands of program from 127.0.0.1 are put off: too many come"
    assert bounded.reported.count(put_off) <= 2, "the log is not flooded"
    assert put_off in bounded.reported
    csrf = {"x-csrf-token": bounded.log_in()}
    assert bounded.command("acknowledge", {}, **csrf).json() == {"done": True, "sentence": "it is done"}
    assert isinstance(bounded.commands[-1], Acknowledge)


class _Held(Site):
    """Its daemon answers no command before it is released."""

    def __init__(self, folder: Path, state: DaemonState) -> None:
        super().__init__(folder, state)
        self.released = threading.Event()

    def _execute(self, command: Command) -> Outcome:
        self.released.wait(_SOON_S)
        return super()._execute(command)


def test_commands_of_one_person_that_wait_leave_places_for_those_of_another(tmp_path: Path, state: DaemonState) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    with _Held(tmp_path, state) as site, ThreadPoolExecutor(20) as pool:
        csrf = {"x-csrf-token": site.log_in()}
        with site.another_client() as program:
            sent = [pool.submit(program.post, "/api/resume", json={}, headers=bearer) for _ in range(10)]
            refused = list(islice(as_completed(sent, _SOON_S), 4))
            assert {each.result().status_code for each in refused} == {503}
            mine = pool.submit(site.command, "acknowledge", {}, **csrf)
            assert wait([mine], 0.5).not_done
            site.released.set()
            assert mine.result().status_code == 200
            assert [each.result().status_code for each in sent].count(200) == 6


def test_whoever_may_not_command_uses_up_nothing_of_others(bounded: Site) -> None:
    for _ in range(30):
        assert bounded.command("resume", {}, authorization="Bearer auricle-guessed").status_code == 401
    assert not _refused(bounded.command("resume", {}, authorization=f"Bearer {TOKEN}"))


def test_a_person_is_told_on_a_page_to_wait(bounded: Site) -> None:
    form = {"csrf": bounded.log_in()}
    headers = {"accept": "text/html", "origin": f"http://{bounded.address}"}
    answers = [bounded.client.post("/api/resume", data=form, headers=headers) for _ in range(10)]
    assert answers[-1].status_code == 429
    assert "Wait a little" in answers[-1].text
    assert "try again in" in answers[-1].text


def test_looks_at_a_measurement_are_bounded_by_themselves(bounded: Site) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    looks = [_refused(bounded.client.post("/room/step", json={"step": "look"}, headers=bearer)) for _ in range(20)]
    assert looks.count(False) in {3, 4}
    assert not _refused(bounded.client.post("/room/step", json={"step": "stop"}, headers=bearer))


def test_streams_are_bounded() -> None:
    readers = Readers()
    places = [readers.take() for _ in range(MOST_READERS + 1)]
    assert places[-1] is None
    assert None not in places[:-1]
