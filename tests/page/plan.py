"""All trials in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.page.hostile import hostile
from tests.page.keyboard import keyboard, read_out
from tests.page.many import twenty_pages
from tests.page.silence import full_disk, silence, stepped_clock
from tests.page.states import follows, instruments, opens, past_night, remembers
from tests.page.ward import ward

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.page.trials import Trial

TRIALS = (
    instruments,
    past_night,
    opens,
    follows,
    remembers,
    keyboard,
    read_out,
    ward,
    silence,
    stepped_clock,
    hostile,
    twenty_pages,
    full_disk,
)


def try_all(trial: Trial, only: Sequence[str] = ()) -> None:
    """One trial after the other; `only` names some, beside those that open the pages."""
    for each in TRIALS:
        if not only or each.__name__ in {"instruments", "opens", *only}:
            each(trial)
    complains_of_nothing(trial)


def complains_of_nothing(trial: Trial) -> None:
    """No page loaded from elsewhere, opened a dialog, or was refused anything."""
    table, table.part = trial.table, "all the time"
    trial.nothing("no page complains, and none loads from elsewhere", trial.browser.complaints.all())
    table.expect("requests were seen", lambda: len(trial.browser.complaints.requested), 0.0)
