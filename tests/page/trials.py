"""The trials: each changes what stands behind the page, and states what the browser must show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.page.bedroom import OPERATOR
from tests.page.browser import LOOKS
from tests.page.measures import OUTSIDE, TOO_SMALL

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ha.claims import Table
    from tests.page.bedroom import Bedroom
    from tests.page.browser import Browser, Look

BROKEN = """<!doctype html><html><head><title>x</title>
<meta name="viewport" content="width=device-width"></head><body><img src="https://elsewhere.example/a.png">
<p style="width: 500px">wide</p><button style="width: 8px; height: 8px; padding: 0"></button>
<script>console.error("a script fails"); alert("hello");</script></body></html>"""


@dataclass(slots=True)
class Trial:
    """The parts, the table of claims, and the pages that stay open.

    Attributes:
        out: folder of the pictures.
        open_for_s: how long many pages are open.
        screens: the first screen, open all the time in each look.
    """

    room: Bedroom
    browser: Browser
    table: Table
    out: Path
    open_for_s: float
    screens: dict[Look, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Of the page, with its slash."""
        return self.room.page.address

    def log_in(self, page: Any, name: str = OPERATOR) -> None:
        """Log in by the form."""
        page.goto(f"{self.address}login")
        page.fill("#name", name)
        page.fill("#password", self.room.passwords[name])
        page.click("button.big")
        page.wait_for_selector("#verdict")


def instruments(trial: Trial) -> None:
    """What judges the pages finds the faults of a page that has them."""
    table, table.part = trial.table, "a page with faults"
    complaints, complaints.host = trial.browser.complaints, trial.address.split("/")[2]
    context = trial.browser.context(LOOKS[0])
    page = context.new_page()
    page.set_content(BROKEN)
    found = " ".join(trial.browser.faults(page))
    table.expect("axe finds its faults", lambda: all(rule in found for rule in ("image-alt", "button-name")), 0.0)
    table.expect("a request to another host is seen", lambda: complaints.elsewhere, 0.0)
    table.expect("a dialog is seen", lambda: complaints.dialogs, 0.0)
    table.expect("what the console says is seen", lambda: complaints.said, 0.0)
    table.expect("too wide is too wide", lambda: page.evaluate(OUTSIDE), 0.0)
    table.expect("too small is too small", lambda: page.evaluate(TOO_SMALL), 0.0)
    complaints.clear()
    page.goto(f"{trial.address}login")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), { textContent: 'alert(1)' }))")
    refused = "Content Security Policy"
    table.expect("a refusal by the policy is seen", lambda: [each for each in complaints.said if refused in each])
    table.expect("and no dialog opens", lambda: not complaints.dialogs, 0.0)
    context.close()
    complaints.clear()


def opens(trial: Trial) -> None:
    """The first screen opens in each look."""
    table, table.part = trial.table, "it hears"
    context = trial.browser.context(LOOKS[0])
    page = context.new_page()
    trial.log_in(page)
    login = context.storage_state()
    context.close()
    for look in LOOKS:
        trial.screens[look] = trial.browser.context(look, storage_state=login).new_page()
        trial.screens[look].goto(trial.address)
    shown(trial, "hears", "It hears")


def shown(trial: Trial, name: str, words: str) -> None:
    """The first screen, open in each look, shows a state: by its words, to axe, within its screen, to a finger."""
    for look, page in trial.screens.items():
        trial.table.expect(f"{look}: {words}", lambda page=page: words in page.inner_text("body"))  # type: ignore[misc]
        judge(trial, page, look, name)


def judge(trial: Trial, page: Any, look: Look, name: str) -> None:
    """One page in one look: axe finds nothing, nothing is cut, a finger meets what it is meant to; and its picture."""
    nothing(trial, f"{look}: axe finds nothing", trial.browser.faults(page))
    nothing(trial, f"{look}: nothing is wider than the screen", page.evaluate(OUTSIDE))
    if look.is_phone:
        nothing(trial, f"{look}: all has room for a finger", page.evaluate(TOO_SMALL))
    page.screenshot(path=str(trial.out / f"{name}-{look}.png"), full_page=True)


def nothing(trial: Trial, claim: str, found: list[str]) -> None:
    """A claim that nothing was found; what was found stands in the row."""
    trial.table.expect(claim + "".join(f"\n    {each}" for each in found), lambda: not found, 0.0)


def complains_of_nothing(trial: Trial) -> None:
    """No page loaded from elsewhere, opened a dialog, or was refused anything."""
    table, table.part = trial.table, "all the time"
    nothing(trial, "no page complains, and none loads from elsewhere", trial.browser.complaints.all())
    table.expect("requests were seen", lambda: len(trial.browser.complaints.requested), 0.0)


def try_all(trial: Trial) -> None:
    """All trials, one after the other."""
    instruments(trial)
    opens(trial)
    complains_of_nothing(trial)
