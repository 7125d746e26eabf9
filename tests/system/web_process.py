"""A real `auricle web` in its own process, of a daemon or of a ward, and browsers of few lines that log in."""

from __future__ import annotations

import contextlib
import http.client
import re
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Self

import httpx

from tests.system.conftest import wait_until
from tests.system.running_daemon import AURICLE

UP_WITHIN_S = 60.0
"""From the start of the process to its first answer, on a machine that runs other tests."""

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class WebProcess:
    """A page; a context manager that kills it at the end, whatever its state. A subclass says which command starts it.

    Args:
        config_path: of the file of its settings; what it prints lies beside it.
        environment: of the process.

    Attributes:
        port: at which it listens on the loopback address.
        address: of the first screen.
        printed_path: what it has printed.
    """

    def __init__(self, config_path: Path, environment: Mapping[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"
        self.config = config_path
        self.printed_path = config_path.with_suffix(".web.out")
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._browsers = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._browsers.close()
        self.kill()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that serves the page."""
        assert self._process is not None
        return self._process

    def command(self) -> list[str]:
        """What starts it."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.printed_path.open("ab") as printed:
            self._process = subprocess.Popen(
                self.command(), env=self._environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed
            )
        wait_until(self.answers, "an answer of the page", UP_WITHIN_S)

    def answers(self) -> bool:
        """Whether it answers at all."""
        asking = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2.0)
        with contextlib.closing(asking), contextlib.suppress(OSError, http.client.HTTPException):
            asking.request("GET", "/login")
            return asking.getresponse().status == 200
        return False

    def kill(self) -> None:
        """Kill it (SIGKILL), even if it is stopped; idempotent."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(20.0)

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `auricle web` with other arguments to its end."""
        command = [str(AURICLE), "web", *arguments]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, timeout=UP_WITHIN_S
        )

    def new_password(self, name: str, *options: str) -> str:
        """Make an account; returns the password that is shown once."""
        made = self.ask(*self.of_accounts("password", name, *options))
        found = re.search(r"password, shown this once: (\S+)", made.stdout)
        assert found is not None, made
        return found[1]

    def of_accounts(self, *action: str) -> list[str]:
        """The arguments of an action on the accounts of this page."""
        return [*action, "--config", str(self.config)]

    def browser(self) -> httpx.Client:
        """A browser that is nobody yet."""
        return self._browsers.enter_context(httpx.Client(base_url=self.address, trust_env=False, timeout=30.0))

    def opened(self) -> httpx.Client:
        """A browser of nobody that has opened the screen; its commands carry the proof that they are of our page."""
        return _with_proof(self.browser())

    def logged_in(self, name: str, password: str) -> httpx.Client:
        """A browser of somebody, whose commands carry the proof that they are of our page."""
        browser = self.browser()
        answer = browser.post("login", data={"name": name, "password": password})
        assert answer.status_code == 303, answer.text
        return _with_proof(browser)


def _with_proof(browser: httpx.Client) -> httpx.Client:
    found = re.search(r'<meta name="csrf" content="(\w+)">', browser.get("").text)
    assert found is not None
    browser.headers["x-csrf-token"] = found[1]
    return browser
