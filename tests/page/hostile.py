"""Names and sentences that would be scripts if a page took them for more than text."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from device.runtime.sockets.status_socket import StatusServer
from tests.page.bedroom import NAME, OPERATOR
from tests.page.browser import LOOKS
from tests.system.operation.running_page import RunningPage
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from device.runtime.daemon_state import DaemonState
    from tests.page.trials import Trial

SCRIPT = "<img src=x onerror=alert(1)>"
FRAGMENTS = "document.querySelectorAll('main img:not([src^=api]), main iframe, main script, [onerror]').length"


def hostile(trial: Trial) -> None:
    """Names of instance, recording, person, browser and label, and a daemon's sentences, are text and no more."""
    table, room = trial.table, trial.room
    table.part = "names that are scripts"
    for command in (("web", "--instance", SCRIPT), ("listen", "--instance", SCRIPT)):
        refused = room.daemon.ask(*command)
        table.expect(f"{command[0]} refuses such an instance", lambda refused=refused: refused.returncode == 2, 0.0)  # type: ignore[misc]
    context = trial.browser.context(LOOKS[1], storage_state=trial.login)
    page = context.new_page()
    _persons(trial, page)
    context.close()
    _browsers(trial)
    _recordings(trial)
    table.expect("no dialog opened", lambda: not trial.browser.complaints.dialogs, 0.0)


def _is_text(trial: Trial, page: Any, where: str) -> None:
    """The page shows the name as it is, and made nothing of it."""
    trial.expect(f"{where}: shown as text", partial(trial.reads, page, SCRIPT))
    trial.expect(f"{where}: nothing but text", lambda: page.evaluate(FRAGMENTS) == 0, 0.0)


def _persons(trial: Trial, page: Any) -> None:
    room = trial.room
    room.room.cry()
    page.goto(trial.address)
    trial.expect("a cry", lambda: "Cry" in page.inner_text("#alarms"))
    room.publish(f"auricle/{NAME}/command/acknowledge", {"person": SCRIPT})
    trial.expect("it was acknowledged", partial(trial.reads, page, "acknowledged"))
    room.room.calm()
    page.goto(f"{trial.address}night")
    _is_text(trial, page, "a person who sends a command over the broker")
    complaints, complaints.expected = trial.browser.complaints, ("Failed to load resource",)
    page.goto(f"{trial.address}night?day=%3Cimg%20src=x%3E")
    trial.expect("a question: shown as text", partial(trial.reads, page, "<img src=x>"))
    complaints.expected = ()


def _browsers(trial: Trial) -> None:
    context = trial.browser.context(LOOKS[1], user_agent=SCRIPT)
    page = context.new_page()
    trial.log_in(page)
    page.goto(f"{trial.address}account")
    _is_text(trial, page, "a browser's name")
    complaints, complaints.expected = trial.browser.complaints, ("Failed to load resource",)
    page.context.clear_cookies()
    page.goto(f"{trial.address}login")
    page.fill("#name", SCRIPT)
    page.fill("#password", SCRIPT)
    page.click("button.big")
    trial.expect("such an account is refused", lambda: page.locator("[role=alert]").count() == 1)
    complaints.expected = ()
    context.close()


def _recordings(trial: Trial) -> None:
    """A daemon that hears a recording of such a name; then one that lies about all that it can."""
    folder = trial.room.folder / "liar"
    folder.mkdir()
    recording = Sounds(folder).endless_cry().rename(folder / f"{SCRIPT}.wav")
    daemon = RunningDaemon(folder, {}, "", command=[str(AURICLE), "listen", "--source", str(recording), "--loop"])
    page_process = RunningPage(daemon)
    with daemon, page_process:
        trial.browser.complaints.hosts.add(page_process.address.split("/")[2])
        daemon.wait_for_a_cry()
        password = page_process.new_password(OPERATOR)
        context = trial.browser.context(LOOKS[1])
        page = context.new_page()
        page.goto(f"{page_process.address}login")
        page.fill("#name", OPERATOR)
        page.fill("#password", password)
        page.click("button.big")
        _is_text(trial, page, "a recording's name")
        page.screenshot(path=str(trial.out / "hostile-recording.png"), full_page=True)
        state = daemon.wait_until(partial(_with_an_alarm, daemon), "an alarm", 30.0)
        daemon.kill()
        with StatusServer(daemon.socket_path, lambda: _lies(state)):
            trial.expect("a label", lambda: SCRIPT.lower() in page.inner_text("#alarms").lower())
            trial.expect("a label: nothing but text", lambda: page.evaluate(FRAGMENTS) == 0, 0.0)
            _is_text(trial, page, "a daemon that lies")
            trial.expect("in the legend too", lambda: SCRIPT in page.inner_text("#legend"))
            page.click("#recent-numbers summary")
            trial.expect("and in the numbers", lambda: SCRIPT in page.inner_text("#recent-table"))
            trial.judge(page, LOOKS[1], "hostile")
        context.close()


def _with_an_alarm(daemon: RunningDaemon) -> DaemonState | None:
    state = daemon.status()
    return state if state is not None and state.alarms else None


def _lies(state: DaemonState) -> DaemonState:
    return replace(
        state,
        source=SCRIPT,
        device=SCRIPT,
        broker="lost",
        broker_reason=SCRIPT,
        journal=SCRIPT,
        labels=tuple(replace(each, model=SCRIPT, label=SCRIPT) for each in state.labels),
        alarms=tuple(replace(each, alarm_id=SCRIPT, model=SCRIPT, name=SCRIPT, detail=SCRIPT) for each in state.alarms),
        age_s=0.0,
    )
