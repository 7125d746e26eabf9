"""A phone's or a desk's browser, driven over Chrome's remote debugging protocol through a pair of pipes."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUIET_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


class Tab:
    """One tab; a command waits for its answer, events are dropped."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = os.fdopen(answers, "rb", closefd=False)
        self._ids = itertools.count(1)
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method: str, **params: Any) -> Any:
        """The result of one command.

        Raises:
            AssertionError: the browser refused it.
        """
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := json.loads(self._line())).get("id") != number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _line(self) -> bytes:
        line = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "the browser ended"
            line += byte
        return bytes(line)

    def look_as(self, *, width: int, height: int, is_phone: bool = False, scheme: str = "light") -> None:
        """Emulate a screen of this size; a phone has touch and no mouse that could hover."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=is_phone
        )
        self.call("Emulation.setTouchEmulationEnabled", enabled=is_phone, maxTouchPoints=5 if is_phone else 1)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, page: Path) -> None:
        """Open a file and wait until its scripts have run."""
        self.go_to(page.as_uri())

    def go_to(self, address: str) -> None:
        """Open an address and wait until its scripts have run."""
        self.call("Page.navigate", url=address)
        self.evaluate(
            "new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))"
        )

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """`touchStart`, `touchMove` with fingers at these places, or `touchEnd` with none."""
        self.call("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y} for x, y in points])

    def mouse(self, kind: str, x: float, y: float) -> None:
        """`mouseMoved`, `mousePressed` or `mouseReleased`."""
        button = "none" if kind == "mouseMoved" else "left"
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Save a PNG of the visible part, or of the whole page."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))


@contextmanager
def opened_tab(browser: str, home: Path) -> Iterator[Tab]:
    """A tab of a new browser, which ends with the block."""
    commands, answers = home / "commands", home / "answers"
    os.mkfifo(commands)
    os.mkfifo(answers)
    # Chrome reads commands from descriptor 3 and answers on 4.
    process = subprocess.Popen(
        [program("sh"), "-c", 'commands=$1 answers=$2; shift 2; exec "$@" 3<"$commands" 4>"$answers"', "sh",
         str(commands), str(answers), browser, *QUIET_FLAGS, f"--user-data-dir={home / 'profile'}",
         "--remote-debugging-pipe"],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    command_end = os.open(commands, os.O_WRONLY)
    answer_end = os.open(answers, os.O_RDONLY)
    try:
        yield Tab(command_end, answer_end)
    finally:
        os.close(command_end)
        os.close(answer_end)
        process.wait(timeout=30)
