"""The page by keyboard alone, and what a screen reader reads out by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.page.bedroom import OPERATOR
from tests.page.browser import LOOKS
from tests.page.measures import FOCUSED, LISTEN
from tests.page.silence import FRESH
from tests.system.conftest import wait_until

if TYPE_CHECKING:
    from tests.page.trials import Trial

MOST_STOPS = 60
QUIET_S = 20.0
"""How long nothing happens, and nothing is read out."""


def keyboard(trial: Trial) -> None:
    """Log in, acknowledge, pause, resume, open the night and why, by keys; one always sees where one is."""
    table, room = trial.table, trial.room
    table.part = "keyboard alone"
    context = trial.browser.context(LOOKS[3])
    page = context.new_page()
    page.goto(f"{trial.address}login")
    _to(page, "INPUT name")
    page.keyboard.type(OPERATOR)
    page.keyboard.press("Tab")
    page.keyboard.type(room.passwords[OPERATOR])
    page.keyboard.press("Enter")
    trial.expect("logs in", lambda: trial.reads(page, "It hears"))
    wait_until(lambda: page.evaluate(FRESH), "a fresh page")
    room.room.cry()
    trial.expect("a cry", lambda: trial.reads(page, "Acknowledge"))
    page.reload()
    wait_until(lambda: page.evaluate(FRESH), "a fresh page")
    stops = _walk(page)
    trial.nothing("where the focus is, one sees", _unseen(stops))
    names = [each["name"] for each in stops]
    first = ("Skip", "Now", "Night", "Account", "Acknowledge", "Why")
    table.expect("in the order of the page", lambda: all(map(_has, names, first)), 0.0)
    _to(page, "SUMMARY Why")
    page.keyboard.press("Enter")
    trial.expect("why is open", lambda: page.locator("#alarms details[open]").count() == 1)
    _to(page, "BUTTON Acknowledge", backwards=True)
    page.keyboard.press("Enter")
    trial.expect("acknowledged", lambda: trial.reads(page, "acknowledged"))
    trial.expect("why is still open", lambda: page.locator("#alarms details[open]").count() == 1, 0.0)
    table.expect("the focus is not lost", lambda: page.evaluate("document.activeElement.id") == "alarms", 0.0)
    room.room.calm()
    _to(page, "BUTTON Pause 10 min")
    page.keyboard.press("Enter")
    trial.expect("paused", lambda: trial.reads(page, "Paused until"))
    _to(page, "BUTTON Resume", backwards=True)
    page.keyboard.press("Space")
    trial.expect("resumed", lambda: not trial.reads(page, "Paused until"))
    trial.expect("the focus is not lost", lambda: page.evaluate("document.activeElement.id") == "signals-part")
    _night(trial, page)
    context.close()


def _night(trial: Trial, page: Any) -> None:
    _to(page, "A Night")
    page.keyboard.press("Enter")
    trial.expect("the night", lambda: trial.reads(page, "Noon to noon"))
    page.wait_for_load_state("load")
    trial.nothing("one sees the focus there", _unseen(_walk(page)))
    _to(page, "SUMMARY 0")
    page.keyboard.press("Enter")
    _to(page, "A Why at")
    page.keyboard.press("Enter")
    trial.expect("why, window by window", lambda: page.inner_text("h1").startswith("Why, or why not, at"))
    page.wait_for_load_state("load")
    trial.nothing("one sees the focus there too", _unseen(_walk(page)))
    _to(page, "BUTTON Why?")
    page.keyboard.press("Enter")
    trial.expect("and of another moment", lambda: "local=" in page.evaluate("location.href"))


def _unseen(stops: list[dict[str, Any]]) -> list[str]:
    return [str(stop) for stop in stops if not (stop["outlined"] and stop["visible"])]


def _has(name: str, part: str) -> bool:
    return part in name


def _walk(page: Any) -> list[dict[str, Any]]:
    """All stops of the tabulator from the beginning of the page to its end."""
    page.evaluate("document.activeElement.blur(), getSelection().removeAllRanges(), scrollTo(0, 0)")
    page.evaluate("document.body.tabIndex = -1, document.body.focus(), document.body.removeAttribute('tabindex')")
    stops: list[dict[str, Any]] = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop is None or (len(stops) > 2 and stop["name"].startswith("A Skip")):
            break
        stops.append(stop)
    return stops


def _to(page: Any, name: str, *, backwards: bool = False) -> None:
    """Press the tabulator until something of this name has the focus."""
    for _ in range(MOST_STOPS):
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
        stop = page.evaluate(FOCUSED)
        if stop is not None and stop["name"].startswith(name):
            return
    raise AssertionError(f"the tabulator never reaches {name!r}")


def read_out(trial: Trial) -> None:
    """A screen reader reads an alarm and its end, and nothing while nothing happens."""
    table, room, (page, *_) = trial.table, trial.room, trial.screens.values()
    table.part = "read out by itself"
    trial.expect("nothing is on", lambda: trial.reads(page, "Nothing is on"), 60.0)
    page.evaluate(LISTEN)
    time.sleep(QUIET_S)
    trial.nothing(f"nothing in {QUIET_S:g} s of a quiet room", _said(page))
    room.room.cry()
    trial.expect("a cry", lambda: any("Cry" in each for each in _said(page)))
    time.sleep(QUIET_S)
    table.expect("once, however long it lasts", lambda: len(_said(page)) == 1, 0.0)
    page.tap("#alarms button")
    trial.expect("that it was acknowledged", lambda: any("acknowledged" in each for each in _said(page)))
    room.room.calm()
    trial.expect("that it is over", lambda: any("over" in each for each in _said(page)))
    table.expect("and no more than that", lambda: len(_said(page)) <= 4, 0.0)
    before = len(_said(page))
    room.stop_daemon()
    trial.expect("that the page is old", lambda: len(_said(page)) > before)
    time.sleep(QUIET_S / 2)
    room.go_on_daemon()
    table.expect("with its reason, and not every second", lambda: len(_said(page)) - before <= 3, 0.0)
    trial.expect("it hears again", lambda: trial.reads(page, "It hears"))


def _said(page: Any) -> list[str]:
    return [each for each in page.evaluate("window.announced") if each]
