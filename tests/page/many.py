"""Twenty open pages cost the daemon no window."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from tests.page.browser import LOOKS, WITHIN_S
from tests.page.silence import FRESH
from tests.system.conftest import wait_until

if TYPE_CHECKING:
    from tests.page.trials import Trial

PAGES = 20
LOOK_EVERY_S = 10.0


def twenty_pages(trial: Trial) -> None:
    """Twenty pages are open, and all follow; the daemon scores every window that is due, and drops nothing."""
    table, room = trial.table, trial.room
    table.part = f"{PAGES} open pages, {trial.open_for_s:g} s"
    contexts = [trial.browser.context(look, storage_state=trial.login) for look in LOOKS]
    pages = [contexts[number % len(contexts)].new_page() for number in range(PAGES)]
    for page in pages:
        page.goto(trial.address)
    for page in pages:
        wait_until(partial(page.evaluate, FRESH), "a fresh page", 60.0)
    before, since_s = room.counts(), time.monotonic()
    while time.monotonic() - since_s < trial.open_for_s:
        time.sleep(min(LOOK_EVERY_S, trial.open_for_s))
        for page in pages:
            wait_until(partial(page.evaluate, FRESH), "a fresh page", WITHIN_S)
    table.expect("all pages follow", lambda: len(pages), 0.0)
    room.room.cry()
    trial.expect("a cry is on all of them", lambda: all(trial.reads(page, "Acknowledge") for page in pages))
    room.room.calm()
    after = room.counts()
    scored, due, dropped_s = (late - early for late, early in zip(after, before, strict=True))
    missed = max(0, due - scored)
    table.expect(
        f"of {due:.0f} windows the daemon missed {missed:.0f}", lambda: scored >= due > 0 and not dropped_s, 0.0
    )
    for context in contexts:
        context.close()
