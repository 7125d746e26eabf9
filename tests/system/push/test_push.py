"""A real daemon and a real `auricle push`: a cry reaches the phone, and its answer the journal, whatever is killed."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from device.alarms.journal.reading import read_history
from tests.device.push.phone_services import APP_TOKEN, NTFY_TOKEN, TOPIC, USER_KEY, PhoneServices
from tests.system.conftest import wait_until
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def _of_ntfy(phone: PhoneServices) -> list[str]:
    return [message["title"] for message in phone.messages() if "topic" in message]


def test_a_cry_rings_and_the_phone_acknowledges_it_in_the_journal(daemon: RunningDaemon, phone: PhoneServices) -> None:
    with RunningPush(daemon) as push:
        wait_until(lambda: "nursery: cry" in _of_ntfy(phone), "ntfy", WITHIN_S)
        wait_until(lambda: phone.receipts, "an emergency", WITHIN_S)
        first = [message["priority"] for message in phone.messages() if message["title"] == "nursery: cry"]
        assert sorted(map(str, first)) == ["2", "5"]
        phone.acknowledge(next(iter(phone.receipts)), "iphone")
        who = "acknowledged by pushover on iphone ("
        wait_until(lambda: who in daemon.ask("history").stdout, "the history", WITHIN_S)
        wait_until(lambda: phone.cancelled, "the cancelling", WITHIN_S)
        wait_until(lambda: "nursery: cry: acknowledged" in _of_ntfy(phone), "the update", WITHIN_S)
        wait_until(lambda: phone.pings, "a ping", WITHIN_S)
        assert set(phone.pings) == {"/ping/4711-secret"}
        wait_until(lambda: (s := daemon.status()) is not None and s.push == "2 rules, nothing is owed", "the status")
        _nothing_secret_is_seen(daemon, push)


def test_the_button_of_ntfy_acknowledges_it_too(daemon: RunningDaemon, phone: PhoneServices) -> None:
    with RunningPush(daemon):
        wait_until(lambda: "nursery: cry" in _of_ntfy(phone), "ntfy", WITHIN_S)
        phone.press(next(message for message in phone.messages() if message.get("actions")))
        wait_until(lambda: "acknowledged by ntfy (" in daemon.ask("history").stdout, "the history", WITHIN_S)


HEADLINES = {
    "raised": "nursery: cry",
    "reopened": "nursery: cry again",
    "reminded": "nursery: cry: nobody has acknowledged it",
    "latched": "nursery: cry: not acknowledged yet",
    "ended": "nursery: cry: over",
}


def test_killed_again_and_again_it_loses_no_change_and_repeats_only_what_it_did_not_know(
    daemon: RunningDaemon, phone: PhoneServices
) -> None:
    dice = random.Random(7)
    push = RunningPush(daemon)
    kills, deadline_s = 0, time.monotonic() + 32.0
    phone.faults.extend(["reset", 500, "half"])
    while time.monotonic() < deadline_s:
        push.start()
        time.sleep(dice.uniform(0.3, 6.0))
        push.kill()
        kills += 1
    assert kills > 4
    daemon.process.send_signal(signal.SIGTERM)
    daemon.process.wait(20.0)
    journalled = _changes(daemon, "cry")
    assert {"raised", "reminded"} <= {change for _, _, change in journalled}
    with push:
        wait_until(lambda: _owes_nothing_of(daemon, journalled), "the last acceptance", WITHIN_S)
        time.sleep(1.0)
    sent, owed = Counter(_of_ntfy(phone)), Counter(HEADLINES[change] for _, _, change in journalled)
    if not any("1 alarm, " in title for title in sent):  # a busy machine is late, and then one summary is right
        assert sent >= owed
        assert (sent - owed).total() <= kills  # one message may have been under way at each


def _owes_nothing_of(daemon: RunningDaemon, journalled: list[tuple[str, int, str]]) -> bool:
    """Whether all of these were looked at, and every message about them was accepted."""
    path = daemon.log_path.with_name("push.db")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as receipts:
        handled = dict(receipts.execute("SELECT alarm_id, seq FROM handled").fetchall())
        owed = receipts.execute("SELECT count(*) FROM owed").fetchone()[0]
    return owed == 0 and all(handled.get(alarm_id, -1) >= seq for alarm_id, seq, _ in journalled)


def _changes(daemon: RunningDaemon, name: str) -> list[tuple[str, int, str]]:
    journal = daemon.log_path.with_name("alarms.db")
    bodies = [json.loads(written.body) for written in read_history(journal, 0.0)]
    return [(body["alarm_id"], body["seq"], body["change"]) for body in bodies if body["name"] == name]


def _nothing_secret_is_seen(daemon: RunningDaemon, push: RunningPush) -> None:
    """Not in what is printed, logged, journalled or served, nor in any command line or environment."""
    assert push.process is not None
    proc = Path("/proc") / str(push.process.pid)
    seen = [push.printed(), daemon.printed(), daemon.log_path.read_text(), daemon.ask("status", "--json").stdout]
    seen += [daemon.ask("history").stdout, (proc / "cmdline").read_text(), (proc / "environ").read_text()]
    kept = [path.read_bytes().decode("latin-1") for path in daemon.log_path.parent.iterdir() if path.is_file()]
    for secret in (TOPIC, NTFY_TOKEN, APP_TOKEN, USER_KEY, "4711-secret"):
        assert not any(secret in text for text in [*seen, *kept])


def test_a_daemon_whose_push_does_not_run_says_so_and_takes_it_back(daemon: RunningDaemon) -> None:

    def faults() -> set[str] | None:
        state = daemon.status()
        return None if state is None else {fault.kind for fault in state.faults}

    daemon.wait_until(lambda: faults() == {"push"}, "the fault", 90.0)
    assert "FAULT       push" in daemon.ask("status").stdout
    with RunningPush(daemon):
        daemon.wait_until(lambda: faults() == set(), "its end", 40.0)


def test_a_test_message_says_what_happened(daemon: RunningDaemon, phone: PhoneServices) -> None:
    done = daemon.ask("push", "test", "phone", "--config", str(daemon.config_path))
    assert (done.returncode, done.stdout) == (0, "phone: ntfy has accepted a test message; look at the phone\n")
    phone.ntfy_token = NTFY_TOKEN[::-1]
    failed = daemon.ask("push", "test", "--config", str(daemon.config_path))
    assert failed.returncode == 2
    assert failed.stdout == "pager: pushover has accepted a test message; look at the phone\n"
    refused = "127.0.0.1 refuses the token, or this topic needs one (HTTP 401)"
    assert failed.stderr == f"auricle: phone: {refused}\n"
    unknown = daemon.ask("push", "test", "gran", "--config", str(daemon.config_path))
    assert unknown.stderr.endswith('no [[notify]] table is named "gran"; there is phone and pager\n')
