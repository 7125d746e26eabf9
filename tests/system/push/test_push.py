"""A real daemon and a real `auricle push`: a cry reaches the phone, and its answer the journal, whatever is killed."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.device.push.phone_services import APP_TOKEN, NTFY_TOKEN, USER_KEY, PhoneServices
from tests.system.conftest import wait_until
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

pytestmark = pytest.mark.system

CONFIG = """
[alarms]
remind_s = 10.0

[[notify]]
address_file = "topic"
token_file = "ntfy-token"

[[notify]]
name = "pager"
service = "pushover"
address_file = "pushover"
token_file = "token"
user_file = "user"
labels = ["cry"]
faults = []

[watcher]
url_file = "watcher"
every_s = 10.0
"""
WITHIN_S = 40.0


class RunningPush:
    """`auricle push` of a daemon, in a process of its own; a context manager."""

    def __init__(self, daemon: RunningDaemon) -> None:
        self._daemon = daemon
        self.printed_path = daemon.config_path.with_name("push.out")
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def start(self) -> None:
        with self.printed_path.open("ab") as printed:
            command = [str(AURICLE), "push", "--config", str(self._daemon.config_path)]
            self.process = subprocess.Popen(
                command, env=self._daemon.environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed
            )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(20.0)

    def printed(self) -> str:
        return self.printed_path.read_text() if self.printed_path.exists() else ""


def _write_secrets(folder: Path, phone: PhoneServices) -> None:
    files = {"topic": phone.ntfy_url, "ntfy-token": NTFY_TOKEN, "pushover": phone.origin, "token": APP_TOKEN}
    for name, secret in (files | {"user": USER_KEY, "watcher": f"{phone.origin}/ping/4711-secret"}).items():
        (folder / name).write_text(f"{secret}\n")
        (folder / name).chmod(0o600)


@pytest.fixture
def phone() -> Iterator[PhoneServices]:
    with PhoneServices() as phone:
        phone.ntfy_token = NTFY_TOKEN
        yield phone


@pytest.fixture
def daemon(tmp_path: Path, phone: PhoneServices) -> Iterator[RunningDaemon]:
    """Hears a cry of 20 s, then a room, and is configured to push."""
    _write_secrets(tmp_path, phone)
    night = Sounds(tmp_path).cry_then_room(20.0, 20.0)
    command = [str(AURICLE), "listen", "--source", str(night), "--loop"]
    with RunningDaemon(tmp_path, {}, CONFIG, command=command) as daemon:
        daemon.wait_until_it_runs()
        yield daemon


def test_a_cry_rings_and_the_phone_acknowledges_it_in_the_journal(daemon: RunningDaemon, phone: PhoneServices) -> None:
    with RunningPush(daemon) as push:
        wait_until(lambda: any(m["title"].endswith("cry") for m in phone.messages() if "topic" in m), "ntfy", WITHIN_S)
        wait_until(lambda: phone.receipts, "pushover", WITHIN_S)
        assert [m["priority"] for m in phone.messages() if m["title"] == "nursery: cry"] == [5, "2"] or [
            m["priority"] for m in phone.messages() if m["title"] == "nursery: cry"
        ] == ["2", 5]
        phone.acknowledge(next(iter(phone.receipts)), "iphone")
        wait_until(
            lambda: "acknowledged by pushover on iphone" in daemon.ask("history").stdout, "the history", WITHIN_S
        )
        wait_until(lambda: phone.cancelled, "the cancelling", WITHIN_S)
        wait_until(
            lambda: any("acknowledged" in m["title"] for m in phone.messages() if "topic" in m), "the update", WITHIN_S
        )
        wait_until(lambda: phone.pings == ["/ping/4711-secret"] * len(phone.pings) != [], "a ping", WITHIN_S)
        state = daemon.status()
        assert state is not None
        assert state.push == "2 rules, nothing is owed"
        assert push.printed().count("error") == 0
