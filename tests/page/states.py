"""The first screen in every state that people may find it in, and the other pages, each judged in every look."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.page.bedroom import HOUR_S, NAME, OPERATOR
from tests.page.browser import LOOKS
from tests.page.measures import CUT, OUTSIDE, TOO_SMALL

if TYPE_CHECKING:
    from tests.page.browser import Look
    from tests.page.trials import Trial

BROKEN = """<!doctype html><html><head><title>x</title><meta name="viewport" content="width=device-width"></head><body>
<img src="https://elsewhere.example/a.png"><p style="width: 500px">wide</p>
<p style="width: 20px; white-space: nowrap">words that are cut</p>
<button style="width: 8px; height: 8px; padding: 0"></button>
<script>console.error("a script fails"); alert("hello");</script></body></html>"""
ADD_SCRIPT = "document.body.append(Object.assign(document.createElement('script'), { textContent: 'alert(1)' }))"
OPEN_ALL = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
PAUSED_FOR_S = 600

CLIP = """(async () => {
  const player = document.querySelector("audio");
  if (!player) return "no clip";
  const part = await fetch(player.src, { headers: { Range: "bytes=0-99" } });
  const size = (await part.arrayBuffer()).byteLength;
  player.preload = "auto";
  player.load();
  await new Promise((done, failed) => { player.oncanplay = done; player.onerror = failed; });
  player.currentTime = 2;
  await new Promise((done) => { player.onseeked = done; });
  return `${part.status}, ${size} bytes, ${player.duration > 5 ? "over" : "under"} 5 s, at ${player.currentTime} s`;
})()"""
PLAYED = "206, 100 bytes, over 5 s, at 2 s"


def instruments(trial: Trial) -> None:
    """What judges the pages finds the faults of a page that has them."""
    table, table.part = trial.table, "a page with faults"
    complaints = trial.browser.complaints
    complaints.hosts.add(trial.address.split("/")[2])
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
    table.expect("cut is cut", lambda: page.evaluate(CUT), 0.0)
    complaints.clear()
    page.goto(f"{trial.address}login")
    page.evaluate(ADD_SCRIPT)
    refused = "Content Security Policy"
    table.expect("a refusal by the policy is seen", lambda: [each for each in complaints.said if refused in each])
    table.expect("and no dialog opens", lambda: not complaints.dialogs, 0.0)
    context.close()
    complaints.clear()


def opens(trial: Trial) -> None:
    """The first screen opens in each look, and hears."""
    trial.table.part = "it hears"
    context = trial.browser.context(LOOKS[0])
    page = context.new_page()
    trial.log_in(page)
    trial.login = context.storage_state()
    context.close()
    for look in LOOKS:
        trial.screens[look] = trial.browser.context(look, storage_state=trial.login).new_page()
        trial.screens[look].goto(trial.address)
    trial.shown("hears", "It hears")


def follows(trial: Trial) -> None:
    """A cry, seen by a tap, over; lights paused, and not; a microphone that hears nothing; a daemon that hangs."""
    table, room, (first, *_) = trial.table, trial.room.room, trial.screens.values()
    table.part = "an alarm"
    room.cry()
    trial.shown("alarm", "Acknowledge")
    first.tap("#alarms button")
    trial.shown("seen", "acknowledged")
    room.calm()
    trial.shown("over", "Nothing is on")
    table.part = "an alarm that nobody has seen"
    time.sleep(4.0)  # or the next cry would reopen the alarm before
    room.cry()
    trial.expect("it is on", lambda: "Acknowledge" in first.inner_text("#alarms"))
    room.calm()
    trial.shown("unseen", "over, and nobody has seen it yet")
    first.tap("#alarms button")
    trial.expect("and seen", lambda: "Nothing is on" in first.inner_text("#alarms"))
    table.part = "lights and buzzer paused"
    first.tap(f"button[value='{PAUSED_FOR_S}']")
    trial.shown("paused", "Paused until")
    first.tap("button[form=resume]")
    trial.expect("resumed", lambda: "Paused until" not in first.inner_text("body"))
    table.part = "a dead microphone"
    room.card.mute(muted=True)
    trial.shown("deaf", "Hears NOTHING")
    room.card.mute(muted=False)
    trial.expect("it hears again", lambda: "It hears" in first.inner_text("body"), 60.0)
    acknowledge_all(trial)


def acknowledge_all(trial: Trial) -> None:
    """By a program's way."""
    trial.room.page.logged_in(OPERATOR, trial.room.passwords[OPERATOR]).post("api/acknowledge", json={})


def remembers(trial: Trial) -> None:
    """The night, the nights before, a moment of it, and the pages of account, room and errors, in each look."""
    for look in LOOKS:
        trial.table.part = f"other pages, {look}"
        context = trial.browser.context(look, storage_state=trial.login)
        page = context.new_page()
        _night(trial, page, look)
        _moments(trial, page, look)
        for address, words in (("account", "Where you are logged in"), ("room", "The room as it is")):
            page.goto(f"{trial.address}{address}")
            trial.expect(f"{address}: {words}", partial(trial.reads, page, words))
            trial.judge(page, look, address)
        _errors(trial, page, look)
        context.close()
        _strangers(trial, look)


def _night(trial: Trial, page: Any, look: Look) -> None:
    page.goto(f"{trial.address}night")
    trial.expect("the night has its alarms", lambda: page.locator(".story").count() >= 3)
    trial.judge(page, look, "night")
    page.evaluate(OPEN_ALL)
    page.locator("audio").first.scroll_into_view_if_needed()
    trial.judge(page, look, "night-opened")
    trial.expect("a clip plays, and a part of it can be asked for", lambda: page.evaluate(CLIP) == PLAYED, 0.0)
    page.click("nav.days a")
    trial.expect("the night before", lambda: "Nothing was on" in page.inner_text("main"))
    trial.judge(page, look, "night-before")


def _moments(trial: Trial, page: Any, look: Look) -> None:
    page.goto(f"{trial.address}night")
    page.click(".story summary")
    page.click(".story[open] a.wide")
    trial.expect("why there was an alert", lambda: page.inner_text("h1").startswith("Why, or why not, at"))
    page.evaluate(OPEN_ALL)
    trial.judge(page, look, "why-then")
    page.goto(trial.address)
    page.click("#recent-numbers summary")
    trial.expect("the last minutes in numbers", lambda: page.locator("#recent-table tbody tr").count() >= 1)
    trial.judge(page, look, "numbers")
    page.click("text=Why not now?")
    trial.expect("why there is none", lambda: "no alert" in page.inner_text("main"), 0.0)
    page.evaluate(OPEN_ALL)
    trial.judge(page, look, "why-now")
    page.goto(f"{trial.address}why?at=2020-01-01T00:00:00Z")
    trial.expect("nothing is known", lambda: "Nothing is known of this moment" in page.inner_text("main"))
    trial.judge(page, look, "why-unknown")


def _errors(trial: Trial, page: Any, look: Look) -> None:
    complaints, complaints.expected = trial.browser.complaints, ("Failed to load resource",)
    for address, name in (("nowhere", "missing"), ("night?day=tomorrow", "no-day"), ("why?local=soon", "no-time")):
        page.goto(f"{trial.address}{address}")
        trial.expect(f"{address} is refused in words", lambda: page.locator("h1").count() == 1)
        trial.judge(page, look, f"error-{name}")
    complaints.expected = ()


def _strangers(trial: Trial, look: Look) -> None:
    complaints, complaints.expected = trial.browser.complaints, ("Failed to load resource",)
    context = trial.browser.context(look)
    page = context.new_page()
    page.goto(f"{trial.address}night")
    trial.expect("nobody sees a night without a login", lambda: page.locator("#password").count() == 1)
    trial.judge(page, look, "login")
    page.fill("#name", OPERATOR)
    page.fill("#password", "not this one")
    page.click("button.big")
    trial.expect("a wrong password is refused in words", lambda: page.locator("[role=alert]").count() == 1)
    trial.judge(page, look, "login-refused")
    context.close()
    complaints.expected = ()


def past_night(trial: Trial) -> None:
    """Hours ago, by the clock of the daemon: a cry that was seen, one that was not, and a dead microphone."""
    room, daemon, table = trial.room, trial.room.daemon, trial.table
    table.part = "the hours before"
    for hours, what in ((7, "cry"), (4, "mute"), (2, "cry")):
        room.clock.step(-hours * HOUR_S)
        daemon.kill()
        daemon.start()
        daemon.wait_until_it_hears()
        before = len(daemon.lines())
        if what == "cry":
            room.room.cry()
            daemon.wait_for_a_cry(after=before)
        else:
            room.room.card.mute(muted=True)
            daemon.wait_until(lambda: (state := daemon.status()) and state.faults, "a fault", 60.0)
        acknowledge_by_name(trial, "Nora")
        room.room.card.mute(muted=False)
        room.room.calm()
        daemon.wait_until(lambda: (state := daemon.status()) and not state.alarms, "quiet", 60.0)
        time.sleep(4.0)  # the clip's end
    history = ("history", "--config", str(daemon.config_path))
    room.page.kill()
    room.clock.step(0)
    daemon.kill()
    daemon.start()
    daemon.wait_until_it_hears()
    room.remember_hours(8)
    room.page.start()
    table.expect("they are in the journal", lambda: daemon.ask(*history).stdout.count("Nora") >= 3, 20.0)


def acknowledge_by_name(trial: Trial, person: str) -> None:
    """As somebody who sends a command over the broker."""
    trial.room.publish(f"auricle/{NAME}/command/acknowledge", {"person": person})
