"""A page that no longer hears from the daemon says so within 3 s, whatever has stopped, and recovers."""

from __future__ import annotations

import time
from functools import partial
from signal import SIGCONT, SIGSTOP
from typing import TYPE_CHECKING, Any

from tests.page.browser import WITHIN_S
from tests.system.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.page.trials import Trial

SAYS_SO_S = 3.0
BUSY_S = 0.7
"""What a machine of two cores with four open pages may add to it."""

FROZEN = "getComputedStyle(document.querySelector('.frozen')).visibility === 'visible'"
FRESH = f"document.body.dataset.beat !== undefined && !({FROZEN})"
HIDDEN = "Number(getComputedStyle(document.getElementById('verdict')).opacity) < 0.01"
NETWORK = ("Failed to load resource",)


def silence(trial: Trial) -> None:
    """Daemon and page's process are frozen and killed, one after the other, while pages are open."""
    room, complaints = trial.room, trial.browser.complaints
    complaints.expected = NETWORK
    _stops(trial, "the daemon is frozen", room.stop_daemon, room.go_on_daemon, "does not answer", picture="grey")
    _stops(trial, "the daemon is killed", room.daemon.kill, room.daemon.start, "no daemon runs", picture="gone")
    process = room.page.process
    _stops(
        trial,
        "the page's process is frozen",
        lambda: process.send_signal(SIGSTOP),
        lambda: process.send_signal(SIGCONT),
        "may be down",
    )
    _stops(trial, "the page's process is killed", room.page.kill, room.page.start, "may be down", picture="cut-off")
    complaints.expected = ()


def _stops(
    trial: Trial, part: str, stop: Callable[[], object], go_on: Callable[[], object], why: str, *, picture: str = ""
) -> None:
    table, table.part = trial.table, part
    first = next(iter(trial.screens.values()))
    for page in trial.screens.values():
        wait_until(partial(page.evaluate, FRESH), "a fresh page", 60.0)
    began_s = time.monotonic()
    stop()
    wait_until(lambda: first.evaluate(FROZEN), "a grey page")
    took_s = time.monotonic() - began_s
    table.expect(f"within {SAYS_SO_S:g} s the page says so: {took_s:.2f} s", lambda: took_s <= SAYS_SO_S + BUSY_S, 0.0)
    for look, page in trial.screens.items():
        trial.expect(f"{look}: it is grey", partial(page.evaluate, FROZEN))
        trial.expect(f"{look}: its verdict is gone", partial(page.evaluate, HIDDEN))
        trial.expect(f"{look}: it says why", partial(_says, page, why))
        if picture:
            trial.judge(page, look, picture)
    go_on()
    for look, page in trial.screens.items():
        trial.expect(f"{look}: it recovers", partial(page.evaluate, FRESH), 60.0)
        trial.expect(f"{look}: it hears", partial(trial.reads, page, "It hears"), 2 * WITHIN_S)


def _says(page: Any, why: str) -> bool:
    return why in page.inner_text(".frozen")


def stepped_clock(trial: Trial) -> None:
    """The clock of the machine, then that of the phone, is stepped by an hour while pages are open."""
    table, room = trial.table, trial.room
    first = next(iter(trial.screens.values()))
    for part, step_s in (("the machine's clock goes on by an hour", 3600), ("and back again", 0)):
        table.part = part
        room.clock.step(step_s)
        table.stays("no page goes grey", lambda: first.evaluate(f"!({FROZEN})"), 6.0)
        trial.expect("it hears", lambda: trial.reads(first, "It hears"))
    table.part = "the phone's clock is stepped"
    context = trial.browser.context(next(iter(trial.screens)), storage_state=trial.login)
    page = context.new_page()
    page.goto(trial.address)
    wait_until(lambda: page.evaluate(FRESH), "a fresh page")
    for claim, shift_ms in (("an hour back", -3_600_000), ("two hours on", 7_200_000)):
        page.evaluate("ms => { const now = Date.now.bind(Date); Date.now = () => now() + ms; }", shift_ms)
        table.stays(f"{claim}: no page goes grey", lambda: page.evaluate(f"!({FROZEN})"), 6.0)
        room.stop_daemon()
        trial.expect(f"{claim}: a frozen daemon shows", lambda: page.evaluate(FROZEN), SAYS_SO_S + BUSY_S)
        trial.expect(f"{claim}: and why", partial(_says, page, "does not answer"))
        room.go_on_daemon()
        trial.expect(f"{claim}: it recovers", lambda: page.evaluate(FRESH))
    context.close()


def full_disk(trial: Trial) -> None:
    """The disk of the journal fills up while the daemon runs; then a daemon starts that can keep no journal at all."""
    table, room = trial.table, trial.room
    first = next(iter(trial.screens.values()))
    table.part = "the journal's disk is full"
    room.disk.fill()
    room.room.cry()
    trial.expect("a cry is shown", lambda: "Cry" in first.inner_text("#alarms"))
    trial.expect("it is kept, in the place that the journal has", lambda: "NO" not in first.inner_text("#facts"), 0.0)
    first.tap("#alarms button")
    trial.expect("it can be acknowledged", lambda: trial.reads(first, "acknowledged"))
    _night_has_it(trial)
    room.room.calm()
    trial.expect("it is over", lambda: trial.reads(first, "Nothing is on"), 60.0)
    table.part = "a new journal on a full disk"
    room.daemon.kill()
    room.disk.lose_journal()
    room.daemon.start()
    trial.expect("the page says that alarms are not kept", lambda: "NO" in first.inner_text("#facts"), 60.0)
    room.room.cry()
    trial.expect("a cry is shown all the same", lambda: "Cry" in first.inner_text("#alarms"), 60.0)
    trial.shown("full", "NO: ")
    room.room.calm()
    room.disk.clear()
    table.part = "there is room again"
    trial.expect("alarms are kept", lambda: "NO: " not in first.inner_text("#facts"), 120.0)


def _night_has_it(trial: Trial) -> None:
    context = trial.browser.context(next(iter(trial.screens)), storage_state=trial.login)
    page = context.new_page()
    page.goto(f"{trial.address}night")
    trial.expect("the night has it too", lambda: page.locator(".story").count() >= 1)
    context.close()
