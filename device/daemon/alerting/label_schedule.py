"""What each label does now, by the hour or by what a command set; and what that lets through of what is heard.

What a command sets is kept in the journal and holds over restarts and reloads, until it is set to `auto`, or the
configuration takes the switch away.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, get_args

from device.alarms.label_gate import LabelGate
from device.alarms.label_modes import ALWAYS, mode_words, modes_at
from device.commands import Outcome
from device.messages import ModeSwitch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from device.alarms.label_gate import Sifted
    from device.alarms.label_modes import ModeNow
    from device.commands import SetMode
    from device.config.alerting.schedule_settings import ScheduleSettings
    from device.daemon.delivery.channels import AlarmJournal
    from device.messages import Heard

SWITCHES = "mode_switches"
"""Key of the journal note that makes them outlive a restart."""


class ScheduleChange(NamedTuple):
    """Labels do something else from now on: what that lets through, and a sentence for each of them."""

    sifted: Sifted
    sentences: tuple[str, ...]


class LabelSchedule:
    """The schedule of one daemon.

    Args:
        settings: for each label that is scheduled.
        week_minute: minutes since local midnight of Monday; None while the time of day is uncertain.
    """

    def __init__(self, settings: Iterable[ScheduleSettings], *, week_minute: Callable[[], int | None]) -> None:
        self._week_minute = week_minute
        self._settings = tuple(settings)
        self._switches: dict[str, ModeSwitch] = {}
        self._modes: dict[str, ModeNow] = {}
        self._gate = LabelGate()

    def __repr__(self) -> str:
        return f"LabelSchedule({self._modes!r})"

    @property
    def modes(self) -> Mapping[str, ModeNow]:
        """Label -> what it does, of all that are scheduled, as of the last step."""
        return self._modes

    def hidden(self, labels: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Those of these (model, label) of which nothing is shown."""
        return frozenset(label for label in labels if self._gate.is_hidden(label))

    def configure(self, settings: Iterable[ScheduleSettings]) -> None:
        """Use another configuration from the next step on."""
        self._settings = tuple(settings)

    def sift(self, heard: Heard) -> Sifted:
        """What the modes let through of what the listener returned."""
        return self._gate.sift(heard)

    def step(self, at_s: float) -> ScheduleChange | None:
        """Look at the hour; what has changed, None if nothing has.

        Args:
            at_s: second of the stream that is captured now.
        """
        if not self._settings and not self._modes:
            return None
        before, self._modes = self._modes, modes_at(self._week_minute(), self._settings, self._switches)
        if self._modes == before:
            return None
        sifted = self._gate.use({label: now.mode for label, now in self._modes.items()}, at_s)
        return ScheduleChange(sifted, tuple(_sentences(before, self._modes)))

    def set(self, command: SetMode, journal: AlarmJournal) -> Outcome:
        """Set a switch, and note it in the journal; it takes effect at the next step."""
        label, mode = command.label, command.mode
        if not any(each.name == label and each.switch for each in self._settings):
            known = " and ".join(each.name for each in self._settings if each.switch)
            there = f"there is one for {known}" if known else "there is none: set switch = true in [schedule.LABEL]"
            return Outcome(False, f"{command.by} sets {label!a} to {mode}, which has no switch; {there}")
        self._switches[label] = mode
        journal.set_note(SWITCHES, json.dumps(self._switches))
        until = "" if mode == "auto" else ", until it is set to auto"
        return Outcome(True, f"{command.by} sets {label} to {mode}{until}")

    def restore(self, note: str | None) -> None:
        """Apply what the journal noted; what was set since the start is kept, and a malformed note is ignored."""
        self._switches = {**_read(note), **self._switches}


def _sentences(before: Mapping[str, ModeNow], after: Mapping[str, ModeNow]) -> Iterator[str]:
    for label in {**before, **after}:
        now = after.get(label, ALWAYS)
        if now.mode != before.get(label, ALWAYS).mode:
            yield f"from now on {label} {mode_words(now.mode, now.cause)}"


def _read(note: str | None) -> dict[str, ModeSwitch]:
    try:
        members = json.loads(note or "{}")
    except ValueError:
        return {}
    switches: tuple[ModeSwitch, ...] = get_args(ModeSwitch)
    found = members.items() if isinstance(members, dict) else ()
    return {label: switch for label, value in found for switch in switches if value == switch}
