"""The page beside a real daemon knows every window that it has followed, and says where it has not."""

from __future__ import annotations

import itertools
import time
from signal import SIGCONT, SIGSTOP
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.conftest import wait_until
from tests.system.operation.running_page import RunningPage
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

pytestmark = pytest.mark.system

CONFIG = "[alarms]\nlongest_pause_s = 3600\n"
HOP_S = 0.5
WITHIN_S = 60.0


@pytest.fixture
def night(tmp_path: Path) -> Path:
    sounds = Sounds(tmp_path)
    return sounds.write("night.wav", [sounds.room(4.0), sounds.crying(6.0), sounds.room(8.0)] * 20)


@pytest.fixture
def daemon(tmp_path: Path, night: Path) -> Iterator[RunningDaemon]:
    command = [str(AURICLE), "listen", "--source", str(night)]
    with RunningDaemon(tmp_path, {}, CONFIG, command=command) as daemon:
        daemon.wait_until_it_hears()
        yield daemon


@pytest.fixture
def served(daemon: RunningDaemon) -> Iterator[RunningPage]:
    with RunningPage(daemon) as served:
        yield served


def _scores(browser: httpx.Client) -> Any:
    return browser.get("api/scores", params={"since": "2020-01-01"}).raise_for_status().json()


def _ends_s(told: Any) -> list[float]:
    """Of the cry's windows, in the stream."""
    return [each["end_s"] for each in told["windows"] if each["model"] == "cry"]


def _wait_for_windows(browser: httpx.Client, count: int) -> Any:
    wait_until(lambda: len(_ends_s(_scores(browser))) >= count, f"{count} windows", WITHIN_S)
    return _scores(browser)


def _hold(page: RunningPage, seconds: float) -> None:
    page.process.send_signal(SIGSTOP)
    time.sleep(seconds)
    page.process.send_signal(SIGCONT)


def test_no_window_is_missed_between_two_questions_and_a_longer_silence_is_said(served: RunningPage) -> None:
    browser = served.browser()
    told = _wait_for_windows(browser, 20)
    ends_s = _ends_s(told)
    steps_s = [later - before for before, later in itertools.pairwise(ends_s)]
    assert steps_s == pytest.approx([HOP_S] * len(steps_s), abs=0.001)
    assert (len(told["known"]), told["why_not_now"]) == (1, "")
    assert max(each["scores"]["cry"] for each in told["windows"] if each["model"] == "cry") > 0.5
    _hold(served, 8.0)
    told = _wait_for_windows(browser, len(ends_s) + 12)
    assert len(told["known"]) == 2


def test_a_daemon_that_is_gone_and_comes_back_is_two_stretches(daemon: RunningDaemon, served: RunningPage) -> None:
    browser = served.browser()
    _wait_for_windows(browser, 6)
    daemon.kill()
    wait_until(lambda: _scores(browser)["why_not_now"], "a reason", WITHIN_S)
    assert "no daemon runs" in _scores(browser)["why_not_now"]
    daemon.start()
    wait_until(lambda: len(_scores(browser)["known"]) == 2, "another stretch", WITHIN_S)
    wait_until(lambda: not _scores(browser)["why_not_now"], "no reason any more", WITHIN_S)
