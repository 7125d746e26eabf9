"""The page of a ward, which sees the bedroom's daemon through its broker, judged in every look."""

from __future__ import annotations

from functools import partial
from signal import SIGCONT, SIGSTOP
from typing import TYPE_CHECKING, Any

from tests.page.bedroom import NAME
from tests.page.browser import LOOKS
from tests.page.silence import FROZEN
from tests.system.broker.ward_page import WardPage

if TYPE_CHECKING:
    from tests.page.browser import Look
    from tests.page.trials import Trial

Screens = dict["Look", Any]


def ward(trial: Trial) -> None:
    """The bed hears; it cries, and somebody acknowledges it from the ward; the page's process is frozen."""
    trial.table.part = "the page of a ward"
    room, complaints = trial.room.room, trial.browser.complaints
    folder = trial.room.folder / "ward"
    folder.mkdir()
    mqtt = f'host = "127.0.0.1"\nport = {trial.room.broker.port}'
    with WardPage(folder, mqtt, environment=trial.room.clock.environment) as page:
        complaints.hosts.add(page.address.split("/")[2])
        screens: Screens = {look: trial.browser.context(look).new_page() for look in LOOKS}
        for screen in screens.values():
            screen.goto(page.address)
        _shown(trial, screens, "ward-hears", "The bed hears")
        room.cry()
        _shown(trial, screens, "ward-alarm", "Cry")
        next(iter(screens.values())).locator(".owed button", has_text="Cry").tap()
        _shown(trial, screens, "ward-seen", "The bed hears")
        room.calm()
        page.process.send_signal(SIGSTOP)
        for look, screen in screens.items():
            trial.expect(f"{look}: it goes grey", partial(screen.evaluate, FROZEN))
            trial.judge(screen, look, "ward-grey")
        page.process.send_signal(SIGCONT)
        for look, screen in screens.items():
            trial.expect(f"{look}: and recovers", partial(_is_true_again, screen))
            screen.context.close()


def _shown(trial: Trial, screens: Screens, name: str, words: str) -> None:
    """The page of the ward, open in each look, shows a state by its words and names the bed; each is judged."""
    for look, screen in screens.items():
        trial.expect(f"{look}: {words}", partial(_reads, screen, words))
        trial.expect(f"{look}: {name} names the bed", partial(_reads, screen, NAME))
        trial.judge(screen, look, name)


def _reads(screen: Any, words: str) -> bool:
    return words in screen.inner_text("main")


def _is_true_again(screen: Any) -> bool:
    return not screen.evaluate(FROZEN)
