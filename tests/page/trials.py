"""The parts of a trial, and the judgement on one open page that all trials share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.page.bedroom import OPERATOR
from tests.page.browser import WITHIN_S
from tests.page.measures import CUT, OUTSIDE, TOO_SMALL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ha.claims import Table
    from tests.page.bedroom import Bedroom
    from tests.page.browser import Browser, Look


@dataclass(slots=True)
class Trial:
    """The parts, the table of claims, and the pages that stay open.

    Attributes:
        out: folder of the pictures.
        open_for_s: how long many pages are open.
        screens: the first screen, open all the time in each look.
        login: cookies of the operator.
    """

    room: Bedroom
    browser: Browser
    table: Table
    out: Path
    open_for_s: float
    screens: dict[Look, Any] = field(default_factory=dict)
    login: Any = None

    @property
    def address(self) -> str:
        """Of the page, with its slash."""
        return self.room.page.address

    def expect(self, claim: str, holds: Callable[[], object], within_s: float = WITHIN_S) -> None:
        """State a claim; a page that is asked in the middle of being loaded is asked again."""

        def asked() -> object:
            try:
                return holds()
            except Exception as error:
                if "context was destroyed" in str(error):
                    return False
                raise

        self.table.expect(claim, asked, within_s)

    def reads(self, page: Any, words: str) -> bool:
        """Whether a page shows these words."""
        return words in page.inner_text("body")

    def nothing(self, claim: str, found: list[str]) -> None:
        """A claim that nothing was found; what was found stands in the row."""
        self.table.expect(claim + "".join(f"\n    {each}" for each in found), lambda: not found, 0.0)

    def log_in(self, page: Any, name: str = OPERATOR) -> None:
        """Log in by the form."""
        page.goto(f"{self.address}login")
        page.fill("#name", name)
        page.fill("#password", self.room.passwords[name])
        page.click("button.big")
        page.wait_for_selector("#verdict")

    def shown(self, name: str, words: str) -> None:
        """The first screen, open in each look, shows a state by its words; each is judged."""
        for look, page in self.screens.items():
            self.expect(f"{look}: {words}", partial(self.reads, page, words))
        for look, page in self.screens.items():
            self.judge(page, look, name)

    def judge(self, page: Any, look: Look, name: str) -> None:
        """One page in one look: axe finds nothing, nothing is cut, a finger meets what it is to; and its picture."""
        self.nothing(f"{look}, {name}: axe finds nothing", self.browser.faults(page))
        self.nothing(f"{look}, {name}: nothing is wider than the screen", page.evaluate(OUTSIDE))
        self.nothing(f"{look}, {name}: no word is cut", page.evaluate(CUT))
        if look.is_phone:
            self.nothing(f"{look}, {name}: all has room for a finger", page.evaluate(TOO_SMALL))
        page.screenshot(path=str(self.out / f"{name}-{look}.png"), full_page=True)
