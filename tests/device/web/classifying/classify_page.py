"""A real page in a process of its own, beside which no daemon runs, to which tests send recordings."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from device.web.access.accounts import Account, write_accounts
from device.web.access.proofs import new_token, token_proof

if TYPE_CHECKING:
    from collections.abc import Callable

SOON_S = 60.0
TOKENS = {"operator": new_token(), "viewer": new_token()}
CONFIG = """
[model.cry]
enabled = false
[model.scream]
enabled = false
[model.tiny]
bundle = "{bundle}"
[web]
classify = {on}
{bounds}
accounts_file = "{accounts}"
"""


def until(what: Callable[[], Any], why: str) -> Any:
    deadline_s = time.monotonic() + SOON_S
    while not (found := what()):
        assert time.monotonic() < deadline_s, why
        time.sleep(0.02)
    return found


class Page:
    """One `auricle web`; a context manager that kills it at the end.

    Args:
        folder: for all that it needs and keeps.
        bundle: the model of its configuration.
        on: whether it hears recordings.
        bounds: lines of [web].
    """

    def __init__(
        self,
        folder: Path,
        bundle: Path,
        *,
        on: bool = True,
        bounds: str = "classify_max_mb = 20\nclassify_max_s = 600",
    ) -> None:
        self.folder, self.uploads = folder, folder / "state" / "auricle" / "nursery" / "web" / "uploads"
        write_accounts(folder / "accounts", [Account(role, role, token_proof(TOKENS[role])) for role in TOKENS])  # type: ignore[arg-type]
        self.config = folder / "nursery.toml"
        self.config.write_text(
            CONFIG.format(bundle=bundle, on=str(on).lower(), bounds=bounds, accounts=folder / "accounts")
        )
        ours = ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET")
        kept = {name: value for name, value in os.environ.items() if name not in ours}
        self.environment = {**kept, "XDG_STATE_HOME": str(folder / "state"), "XDG_RUNTIME_DIR": str(folder / "run")}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def __enter__(self) -> Self:
        words = ["web", "--config", str(self.config), "--listen", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "device", *words], env=self.environment, stdout=subprocess.DEVNULL
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=SOON_S)
        self.client.headers["authorization"] = f"Bearer {TOKENS['operator']}"
        until(self._answers, "the page does not answer")
        return self

    def __exit__(self, *_error: object) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait(SOON_S)

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return self.client.get("/login").status_code == 200
        return False

    def post(self, content: Any = None, query: str = "", **more: Any) -> httpx.Response:
        headers = {"content-type": "audio/wav", **more.pop("headers", {})} if content is not None else {}
        return self.client.post(f"/api/classify{query}", content=content, headers=headers, **more)

    def children(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task")
        found = []
        for task in tasks.iterdir():
            with contextlib.suppress(OSError):  # a thread that has ended meanwhile
                found += [int(pid) for pid in (task / "children").read_text().split()]
        return found

    def is_clean(self) -> bool:
        """Nothing of any recording is left: no file, no process."""
        return not list(self.uploads.glob("**/*")) and not self.children()

    def send_head(self, length: int, query: str = "") -> socket.socket:
        """Begin to send a recording of so many bytes."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=SOON_S)
        head = f"POST /api/classify{query} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {TOKENS['operator']}\r\n"
        connection.sendall(f"{head}content-type: audio/wav\r\ncontent-length: {length}\r\n\r\n".encode())
        return connection
