"""A real `auricle web --ward` in its own process, and browsers of few lines."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import subprocess
from typing import TYPE_CHECKING, Any, Self

import httpx

from tests.system.broker.telling import until
from tests.system.running_daemon import AURICLE, private

if TYPE_CHECKING:
    from pathlib import Path

WITHIN_S = 60.0


class WardPage:
    """The page of a ward; a context manager that kills it at the end.

    Args:
        folder: of its file and its state.
        mqtt: the lines of the table [mqtt].
        name: of the ward.
        options: of its command line.
    """

    def __init__(self, folder: Path, mqtt: str, *, name: str = "north", options: tuple[str, ...] = ()) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.config = folder / f"{name}.toml"
        self.config.write_text(f'[mqtt]\n{mqtt}\n[web]\nlisten = "127.0.0.1:{self.port}"\n')
        self.printed_path = folder / f"{name}.web.out"
        self._environment = private(folder, {})
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._browsers = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._browsers.close()
        self.kill()

    @property
    def address(self) -> str:
        """Of the screen."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Of the page."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [str(AURICLE), "web", "--ward", str(self.config), *self._options]
        with self.printed_path.open("ab") as printed:
            self._process = subprocess.Popen(
                command, env=self._environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed
            )
        until(self._answers, f"an answer of the page: {self.printed_path.read_text()}", WITHIN_S)

    def _answers(self) -> bool:
        asking = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2.0)
        with contextlib.closing(asking), contextlib.suppress(OSError, http.client.HTTPException):
            asking.request("GET", "/login")
            return asking.getresponse().status == 200
        return False

    def kill(self) -> None:
        """SIGKILL; idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20.0)

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `auricle web` with other arguments to its end."""
        command = [str(AURICLE), "web", *arguments]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, timeout=WITHIN_S
        )

    def new_password(self, name: str, *options: str) -> str:
        """Make an account; returns its password."""
        made = self.ask("password", name, *options, "--config", str(self.config))
        found = re.search(r"password, shown this once: (\S+)", made.stdout)
        assert found is not None, made
        return found[1]

    def browser(self) -> httpx.Client:
        """A browser that is nobody yet."""
        return self._browsers.enter_context(httpx.Client(base_url=self.address, trust_env=False, timeout=30.0))

    def opened(self, name: str = "", password: str = "") -> httpx.Client:
        """A browser that has opened the screen, of somebody where a name is given; its commands carry their proof."""
        browser = self.browser()
        if name:
            assert browser.post("login", data={"name": name, "password": password}).status_code == 303
        found = re.search(r'<meta name="csrf" content="(\w+)">', browser.get("").text)
        assert found is not None
        browser.headers["x-csrf-token"] = found[1]
        return browser


def state_of(browser: httpx.Client) -> dict[str, Any]:
    """What the page knows of the ward."""
    found: dict[str, Any] = browser.get("api/state").json()
    return found


def bed_of(browser: httpx.Client, name: str = "anna") -> dict[str, Any]:
    """What the page knows of a bed; empty if it does not know it."""
    return next((bed for bed in state_of(browser)["beds"] if bed["name"] == name), {})


def moments_of(browser: httpx.Client, most: int) -> list[dict[str, Any]]:
    """So many of the next moments, as a page that is open receives them."""
    found: list[dict[str, Any]] = []
    with browser.stream("GET", "live") as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
            if len(found) == most:
                break
    return found
