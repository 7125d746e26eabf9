"""The page under TLS, its own and that of a real nginx in front of it: live events and sound come as they are.

What a proxy holds back does not arrive while the page's process is stopped; so a test stops it, and looks what came.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import numpy as np
import pytest
import soundfile

from device.runtime.sockets.sound_socket import answer_in, request_line, sound_socket
from tests.system.conftest import wait_until
from tests.system.operation.nginx import Nginx
from tests.system.operation.running_page import RunningPage
from tests.system.running_daemon import AURICLE, RATE_HZ, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system

CONFIG = '[web]\nlisten_in = true\nproxy = "127.0.0.1"\ncert_file = "{0}/page.crt"\nkey_file = "{0}/page.key"\n'
PLAIN = '[web]\nlisten_in = true\nproxy = "127.0.0.1"\n'
SECOND_BYTES = 2 * RATE_HZ
SOON_S = 60.0
HEAD_BYTES = 44
TAIL_BYTES = 64
QUIET_S = 2.0
"""Without a byte: all that was on its way has come."""


class TlsPage(RunningPage):
    """A page that serves TLS itself."""

    certificate: Path

    def answers(self) -> bool:
        """Whether it answers at all."""
        return self.certificate.exists() and _answers(self.address.replace("http:", "https:"), self.certificate)


class Served(NamedTuple):
    """A page that people reach by TLS.

    Attributes:
        page: its process.
        address: at which people open it.
        certificate: that they trust.
    """

    page: RunningPage
    address: str
    certificate: Path

    @contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        """A browser of somebody who is logged in and may listen."""
        trust = ssl.create_default_context(cafile=self.certificate)
        with httpx.Client(base_url=self.address, verify=trust, trust_env=False, timeout=SOON_S) as browser:
            password = self.page.new_password("anna", "--listen-in")
            answer = browser.post("login", data={"name": "anna", "password": password})
            assert answer.status_code == 303, answer.text
            found = re.search(r'<meta name="csrf" content="(\w+)">', browser.get("").text)
            assert found is not None
            browser.headers["x-csrf-token"] = found[1]
            yield browser

    @contextmanager
    def opened(self, browser: httpx.Client, path: str) -> Iterator[Stream]:
        """A stream that the browser reads."""
        address = httpx.URL(self.address)
        connection = http.client.HTTPSConnection(
            "127.0.0.1", address.port, context=ssl.create_default_context(cafile=self.certificate), timeout=SOON_S
        )
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        try:
            connection.request("GET", f"{address.path}{path}", headers={"Cookie": cookies})
            yield Stream(connection)
        finally:
            connection.close()


class Stream:
    """An answer without an end.

    Args:
        connection: on which it was asked for.
    """

    def __init__(self, connection: http.client.HTTPSConnection) -> None:
        self._socket = connection.sock
        self._answer = connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        self.received = bytearray()

    def read(self, count: int) -> None:
        """Read until so many bytes have come in all."""
        while len(self.received) < count:
            self.received += self._answer.read1(4096)

    def read_until(self, mark: bytes) -> None:
        """Read until this has come."""
        while mark not in self.received:
            self.received += self._answer.read1(4096)

    def drain(self) -> bytes:
        """What still comes until it is quiet."""
        came = bytearray()
        self._socket.settimeout(QUIET_S)
        try:
            while piece := self._answer.read1(4096):
                came += piece
        except TimeoutError:
            pass
        self.received += came
        return bytes(came)


def _answers(address: str, certificate: Path) -> bool:
    trust = ssl.create_default_context(cafile=certificate)
    try:
        return httpx.get(f"{address}login", verify=trust, trust_env=False, timeout=2.0).status_code == 200
    except (httpx.HTTPError, ssl.SSLError):
        return False


@contextmanager
def _heard(folder: Path, config: str) -> Iterator[RunningDaemon]:
    """A daemon that plays noise over and over, whose every moment is like no other."""
    rng = np.random.default_rng(3)
    noise = 0.05 * rng.standard_normal(60 * RATE_HZ, dtype=np.float32)
    recording = Sounds(folder).write("night.wav", [noise])
    command = [str(AURICLE), "listen", "--source", str(recording), "--loop"]
    with RunningDaemon(folder, {}, config, command=command) as daemon:
        daemon.wait_until_it_hears(2 * SOON_S)
        yield daemon


def _certified(folder: Path, daemon: RunningDaemon) -> RunningPage:
    """A page that has made a certificate in this folder."""
    page = TlsPage(daemon)
    page.certificate = folder / "page.crt"
    made = page.ask("certificate", "--config", str(daemon.config_path))
    assert made.returncode == 0, made
    return page


@pytest.fixture(scope="module", params=["its own TLS", "nginx"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    tmp_path = tmp_path_factory.mktemp("page")
    with _heard(tmp_path, CONFIG.format(tmp_path)) as daemon:
        page = _certified(tmp_path, daemon)
        certificate = tmp_path / "page.crt"
        if request.param != "nginx":
            with page:
                yield Served(page, page.address.replace("http:", "https:"), certificate)
            return
        daemon.configure(PLAIN)
        with (
            RunningPage(daemon) as plain,
            Nginx(tmp_path, page_port=plain.port, certificate=certificate, key=tmp_path / "page.key") as nginx,
        ):
            yield Served(plain, nginx.address, certificate)


def test_somebody_logs_in_and_commands(served: Served) -> None:
    with served.browser() as browser:
        cookie = next(iter(browser.cookies.jar))
        assert cookie.secure
        assert cookie.path == httpx.URL(served.address).path
        answer = browser.post("api/pause", json={"duration_s": 600})
        assert answer.status_code == 200, answer.text
        wait_until(lambda: _state(browser)["paused_until_utc_s"] is not None, "the pause", SOON_S)


def test_a_command_is_in_the_journal_with_the_name_of_who_gave_it(served: Served) -> None:
    with served.browser() as browser:
        assert "anna (operator) logs in from 127.0.0.1" in served.page.printed_path.read_text()
        browser.post("api/acknowledge", json={}).raise_for_status()
        wait_until(lambda: _who_acknowledged(browser), "the command in the journal", SOON_S)
        assert _who_acknowledged(browser) == ["anna"]


def test_each_event_arrives_when_it_is_made(served: Served) -> None:
    with served.browser() as browser, served.opened(browser, "live") as stream:
        stream.read_until(b"id: ")
        asked_utc_s = _asked_utc_s(browser)
        wait_until(lambda: _asked_utc_s(browser) > asked_utc_s, "a later moment", SOON_S)
        with _stopped(served.page):
            stream.drain()
    assert _newest_utc_s(bytes(stream.received)) >= round(asked_utc_s, 1)


def _who_acknowledged(browser: httpx.Client) -> list[str]:
    """The names in the journal's entries of this command."""
    commands = browser.get("api/history").raise_for_status().json()["commands"]
    return [each["by"].partition(" ")[0] for each in commands if each["command"] == "acknowledge"]


def _asked_utc_s(browser: httpx.Client) -> float:
    """When the page last asked its daemon."""
    return float(browser.get("api/state").raise_for_status().json()["asked_utc_s"])


def _newest_utc_s(events: bytes) -> float:
    """The time of the last point in the events that have come as a whole."""
    whole = events[: events.rindex(b"\n\n")].decode()
    moments = [json.loads(line.removeprefix("data: ")) for line in whole.splitlines() if line.startswith("data: ")]
    return float(moments[-1]["points"][-1]["t"])


@contextmanager
def _stopped(page: RunningPage) -> Iterator[None]:
    page.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        page.process.send_signal(signal.SIGCONT)


def test_sound_arrives_as_it_is_heard(served: Served) -> None:
    with (
        served.browser() as browser,
        _at_the_daemon(served.page) as heard,
        served.opened(browser, "api/sound") as sound,
    ):
        follower = Follower(served.certificate.with_name("night.wav"), heard)
        sound.read(2 * SECOND_BYTES)

        def is_near() -> bool:
            sound.read(len(sound.received) + SECOND_BYTES // 8)
            behind_s = follower.behind_s(bytes(sound.received[HEAD_BYTES:]))
            return behind_s is not None and behind_s < 1.0

        wait_until(is_near, "sound that is less than a second behind", SOON_S)


@contextmanager
def _at_the_daemon(page: RunningPage) -> Iterator[socket.socket]:
    """The sound at the daemon's own socket, as the page has it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(sound_socket(page.daemon.socket_path)))
        connection.sendall(request_line("reference"))
        with connection.makefile("rb", buffering=0) as answer:
            assert answer_in(answer.readline())[0]
        connection.setblocking(False)
        yield connection


class Follower:
    """Finds sound in the recording that is played over and over.

    Args:
        recording: noise, so that no stretch of it is like another.
        reference: of the daemon, which does not block.
    """

    def __init__(self, recording: Path, reference: socket.socket) -> None:
        samples, _ = soundfile.read(recording, dtype="int16")
        self._played: bytes = samples.astype("<i2").tobytes()
        self._reference = reference
        self._heard = b""

    def behind_s(self, sound: bytes) -> float | None:
        """How far the end of a sound is behind what the daemon hears now; None where the recording begins anew."""
        with contextlib.suppress(BlockingIOError):
            while piece := self._reference.recv(65536):
                self._heard += piece
        now, then = (self._played.find(_tail(each)) for each in (self._heard, sound))
        return None if -1 in {now, then} else (now - then) % len(self._played) / SECOND_BYTES


def _tail(sound: bytes) -> bytes:
    """The last whole samples."""
    whole = len(sound) // 2 * 2
    return sound[whole - TAIL_BYTES : whole]


def test_who_leaves_behind_it_listens_no_more(served: Served) -> None:
    with served.browser() as browser:
        with served.opened(browser, "api/sound") as sound:
            sound.read(SECOND_BYTES)
            wait_until(lambda: _listeners(browser), "the light", SOON_S)
        wait_until(lambda: not _listeners(browser), "no light", SOON_S)


def _listeners(browser: httpx.Client) -> list[str]:
    return list(_state(browser)["listening_in"])


def _state(browser: httpx.Client) -> Any:
    return browser.get("api/state").raise_for_status().json()["state"]
