"""The page beside a real daemon knows every window that it has followed, and says where it has not.

Asked about a moment, it explains it as a replay of the recording that the daemon hears.
"""

from __future__ import annotations

import itertools
import time
from datetime import datetime, timedelta
from signal import SIGCONT, SIGSTOP
from typing import TYPE_CHECKING, Any

import pytest

from tests.programs import program
from tests.system.conftest import wait_until
from tests.system.operation.devtools import Tab, opened_tab
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.system.operation.running_page import RunningPage

pytestmark = pytest.mark.system

CONFIG = "[alarms]\nlongest_pause_s = 3600\n"
PICTURE = "document.getElementById('picture')"
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


def _explained(daemon: RunningDaemon, night: Path, at_s: float) -> list[str]:
    """The rules of the windows of the label cry, as a replay of the recording explains them."""
    lines = daemon.ask("replay", str(night), "--explain", str(at_s)).stdout.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("  cry/cry: "))
    of_label = itertools.takewhile(lambda line: line.startswith("    "), lines[first + 1 :])
    rules = [line.split("  ")[-1].strip() for line in of_label if "window " in line]
    return [lines[first].removeprefix("  cry/cry: "), *rules]


@pytest.mark.parametrize("wanted", ["off", "on"])
def test_the_page_explains_a_moment_as_a_replay_of_the_recording_does(
    daemon: RunningDaemon, served: RunningPage, night: Path, wanted: str
) -> None:
    browser = served.browser()

    def moment() -> Any:
        """One that is over, of a window with a sure score, or of one without any.

        It is a quarter of a second after the window's begin: at the begin itself the milliseconds of the time of day
        decide which windows are counted.
        """
        for window in reversed(_scores(browser)["windows"][:-20]):
            if window["model"] == "cry" and (window["scores"]["cry"] > 0.9) == (wanted == "on"):
                at = datetime.fromisoformat(window["from_utc"]) + timedelta(seconds=HOP_S / 2)
                told = browser.get("api/why", params={"at": at.isoformat()}).json()
                ended = all(label["event"] is None or label["event"]["closed_by"] for label in told["labels"])
                if told["is_known"] and told["labels"] and ended:
                    return told
        return None

    wait_until(moment, f"a moment that is {wanted}", WITHIN_S)
    told = moment()
    (label,) = [each for each in told["labels"] if (each["model"], each["label"]) == ("cry", "cry")]
    expected = _explained(daemon, night, told["at_s"])
    assert [label["verdict"], *(window["rule"] for window in label["windows"])] == expected
    assert (label["event"] is not None) == (wanted == "on")


def test_a_finger_on_the_curve_and_on_the_night_asks_why_there(served: RunningPage, tmp_path: Path) -> None:
    _wait_for_windows(served.browser(), 30)
    (tmp_path / "browser").mkdir()
    with opened_tab(program("chromium"), tmp_path / "browser") as tab:
        tab.look_as(width=390, height=844, is_phone=True, scheme="dark")
        tab.go_to(served.address)
        wait_until(lambda: tab.evaluate(f"{PICTURE}.querySelectorAll('.curve').length > 0"), "a curve", WITHIN_S)
        begin, end = (float(tab.evaluate(f"{PICTURE}.dataset.{name}")) for name in ("from", "until"))
        at_utc_s = _tapped(tab, PICTURE, 290 / 300)
        assert begin + 285 <= at_utc_s <= end + WITHIN_S
        assert "Cry: " in tab.evaluate("document.querySelector('main').innerText")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        tab.go_to(f"{served.address}night?day=2026-01-02")
        lane = "document.querySelector('.lane svg')"
        noon = float(tab.evaluate(f"{lane}.dataset.from"))
        assert _tapped(tab, lane, 0.5) == pytest.approx(noon + 43_200.0, abs=600.0)
        assert "Nothing is known of this moment" in tab.evaluate("document.querySelector('main').innerText")


def _tapped(tab: Tab, element: str, share: float) -> float:
    """Tap an element at a share of its width; the moment that is asked about then, in UTC seconds."""
    tab.evaluate(f"{element}.scrollIntoView({{ block: 'center' }})")
    left, top, width, height = tab.evaluate(
        f"(({{ left, top, width, height }}) => [left, top, width, height])({element}.getBoundingClientRect())"
    )
    tab.touch("touchStart", (left + share * width, top + height / 2))
    tab.touch("touchEnd")
    wait_until(lambda: "/why?at=" in tab.evaluate("location.href"), "the page of a moment", WITHIN_S)
    wait_until(lambda: tab.evaluate("document.readyState") == "complete", "all of it", WITHIN_S)
    return datetime.fromisoformat(tab.evaluate("location.href").partition("?at=")[2]).timestamp()
