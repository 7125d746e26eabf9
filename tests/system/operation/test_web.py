"""The page beside a real daemon: whose commands the journal names, and a page that never looks fresh when it is not.

The process of the page is killed, hung and flooded, while the daemon loses no window and no alarm.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from signal import SIGCONT, SIGSTOP
from typing import TYPE_CHECKING

import pytest

from tests.programs import program
from tests.system.conftest import wait_until
from tests.system.operation.devtools import Tab, opened_tab
from tests.system.operation.page_flooder import flood
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.system.operation.running_page import RunningPage

pytestmark = pytest.mark.system

SAYS_SO_WITHIN_S = 3.0
BUSY_S = 0.7
"""What a machine that runs other tests may add to it."""

CONFIG = """
[web]
classify = true
[alarms]
longest_pause_s = 3600
latch = "high"
"""
FROZEN = "getComputedStyle(document.querySelector('.frozen')).visibility === 'visible'"
GREY = "getComputedStyle(document.querySelector('main')).filter"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    """Hears 4 s of a cry and 8 s of a room, over and over, as from a microphone: it would drop what it cannot do."""
    sounds = Sounds(tmp_path)
    night = sounds.write("night.wav", [sounds.room(2.0), sounds.crying(4.0), sounds.room(8.0)] * 10)
    command = [str(AURICLE), "listen", "--source", str(night), "--loop", "--shed"]
    with RunningDaemon(tmp_path, {}, CONFIG, command=command) as daemon:
        daemon.wait_until_it_hears()
        yield daemon


def _counts(daemon: RunningDaemon) -> tuple[int, int, float]:
    state = daemon.status()
    assert state is not None
    return state.windows_scored, state.windows_due, state.dropped_s


def test_people_log_in_and_their_commands_are_in_the_journal_with_their_names(
    daemon: RunningDaemon, served: RunningPage
) -> None:
    anna = served.logged_in("anna", served.new_password("anna"))
    ben = served.logged_in("ben", served.new_password("ben", "--role", "viewer"))
    daemon.wait_for_a_cry()
    wait_until(lambda: anna.get("api/state").json()["state"]["alarms"], "an alarm on the page")
    assert ben.post("api/acknowledge", json={}).status_code == 403
    told = anna.post("api/acknowledge", json={}).json()
    assert told == {"done": True, "sentence": "acknowledged: cry (cry)"}
    assert anna.post("api/pause", json={"duration_s": 1800}).json()["sentence"].startswith("nothing sounds until ")
    assert anna.get("api/state").json()["state"]["instance"] == "nursery"
    wait_until(lambda: len(ben.get("api/history").json()["commands"]) == 2, "both commands in the journal")
    past = ben.get("api/history").json()
    assert [note["by"].partition(" (")[0] for note in past["commands"]] == ["anna", "anna"]
    assert [note["command"] for note in past["commands"]] == ["acknowledge", "pause"]
    causes = [change["cause"] for change in past["changes"] if change["change"] == "acknowledged"]
    assert causes[0].startswith("acknowledged by anna (")
    assert "acknowledged by anna (" in daemon.ask("history").stdout
    wait_until(lambda: "Paused until" in ben.get("").text, "the pause on the page")


def test_a_page_says_within_3_s_that_the_daemon_is_hung_or_the_page_is_gone_and_recovers(
    daemon: RunningDaemon, served: RunningPage, tmp_path: Path
) -> None:
    (tmp_path / "browser").mkdir()
    with opened_tab(program("chromium"), tmp_path / "browser") as tab:
        tab.look_as(width=390, height=844, is_phone=True, scheme="dark")
        tab.go_to(served.address)
        _until(tab, "document.body.dataset.beat !== undefined", "the first beat")
        assert tab.evaluate(GREY) == "none"
        assert not tab.evaluate(FROZEN)

        daemon.process.send_signal(SIGSTOP)
        _frozen_in_time(tab)
        assert tab.evaluate(GREY) == "grayscale(1)"
        assert float(tab.evaluate("getComputedStyle(document.getElementById('verdict')).opacity")) < 0.01
        _until(tab, "document.getElementById('frozen-why').textContent.includes('does not answer')", "the reason")
        daemon.process.send_signal(SIGCONT)
        _until(tab, f"!({FROZEN})", "life after the hang")

        served.process.send_signal(SIGSTOP)
        _frozen_in_time(tab)
        served.kill()
        served.start()
        _until(tab, f"!({FROZEN})", "life after the page's restart")

        daemon.kill()
        _frozen_in_time(tab)
        _until(tab, "document.getElementById('frozen-why').textContent.includes('no daemon runs')", "the reason")


def test_the_daemon_loses_nothing_while_its_page_is_hung_killed_and_flooded(
    daemon: RunningDaemon, served: RunningPage
) -> None:
    before_scored, before_due, _ = _counts(daemon)
    with _readers(served, 8):
        served.process.send_signal(SIGSTOP)
        time.sleep(2.0)
        served.process.send_signal(SIGCONT)
        wait_until(served.answers, "an answer after the hang")
        served.kill()
        served.start()
        assert sum(flood(served.port, 6.0).values()) > 0
        wait_until(served.answers, "an answer after the flood")
    scored, due, dropped_s = _counts(daemon)
    assert scored - before_scored == due - before_due > 10
    assert dropped_s == 0.0
    began = [line for line in daemon.events() if line["phase"] in {"begin", "reopen"}]
    assert began
    past = served.browser().get("api/history").json()
    wait_until(lambda: len(_raised(served.browser())) >= len(began), "every alarm in the journal")
    assert past["is_complete"]


def test_the_daemon_loses_nothing_while_its_page_hears_a_recording(
    daemon: RunningDaemon, served: RunningPage, tmp_path: Path
) -> None:
    before_scored, before_due, _ = _counts(daemon)
    browser = served.browser()
    for _ in range(3):
        recording = (tmp_path / "night.wav").read_bytes()
        answer = browser.post("api/classify", content=recording, headers={"content-type": "audio/wav"})
        assert any(event["phase"] == "begin" for event in answer.json()["events"]), answer.text[:300]
    scored, due, dropped_s = _counts(daemon)
    assert scored - before_scored == due - before_due > 0
    assert dropped_s == 0.0


def _raised(browser: httpx.Client) -> list[str]:
    changes = browser.get("api/history").json()["changes"]
    return [change["change"] for change in changes if change["change"] in {"raised", "reopened"}]


def _until(tab: Tab, script: str, what: str) -> None:
    wait_until(lambda: tab.evaluate(script), what)


def _frozen_in_time(tab: Tab) -> None:
    began_s = time.monotonic()
    _until(tab, FROZEN, "the page's saying that it is old")
    assert time.monotonic() - began_s <= SAYS_SO_WITHIN_S + BUSY_S


@contextlib.contextmanager
def _readers(served: RunningPage, count: int) -> Iterator[None]:
    """Pages that are open, and open again whatever becomes of them."""
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", served.port), 5.0) as reader:
                reader.sendall(b"GET /live HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
                while not ended.is_set() and reader.recv(65536):
                    pass
            ended.wait(0.5)

    threads = [threading.Thread(target=read) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(30.0)
