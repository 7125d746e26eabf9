"""A real `auricle web` in its own process beside a running daemon, and a browser of few lines that logs in."""

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
    from collections.abc import Sequence

    from tests.system.running_daemon import RunningDaemon


class RunningPage:
    """The page of one daemon; a context manager that kills it at the end, whatever its state.

    Args:
        daemon: whose page it is; it need not run.
        wrapper: a command that runs it, as a tracer.
    """

    def __init__(self, daemon: RunningDaemon, wrapper: Sequence[str] = ()) -> None:
        self.daemon = daemon
        self._wrapper = wrapper
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"
        self.printed_path = daemon.config_path.with_suffix(".web.out")
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

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [
            *self._wrapper,
            str(AURICLE),
            "web",
            "--config",
            str(self.daemon.config_path),
            "--listen",
            f"127.0.0.1:{self.port}",
        ]
        with self.printed_path.open("ab") as printed:
            self._process = subprocess.Popen(
                command, env=self.daemon.environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed
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

    def new_password(self, name: str, *options: str) -> str:
        """Make an account; returns the password that is shown once."""
        made = self.daemon.ask("web", "password", name, *options, "--config", str(self.daemon.config_path))
        found = re.search(r"password, shown this once: (\S+)", made.stdout)
        assert found is not None, made
        return found[1]

    def browser(self) -> httpx.Client:
        """A browser that is nobody yet."""
        return self._browsers.enter_context(httpx.Client(base_url=self.address, trust_env=False, timeout=20.0))

    def logged_in(self, name: str, password: str) -> httpx.Client:
        """A browser of somebody, whose commands carry the proof that they are of our page."""
        browser = self.browser()
        answer = browser.post("login", data={"name": name, "password": password})
        assert answer.status_code == 303, answer.text
        found = re.search(r'<meta name="csrf" content="(\w+)">', browser.get("").text)
        assert found is not None
        browser.headers["x-csrf-token"] = found[1]
        return browser
