"""What is known of each label that raises alarms: heard, not heard, or unknown. Pure.

Only quiet that was heard ends a sound. After a lost microphone, a gap, a reload or a restart nobody knows, until the
label is detected again or its decisions have been off for its hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.alarms.alarm_record import LostCause
from device.alarms.machine import QUIET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from device.messages import Decision, Event

    Label = tuple[str, str]

_TOLERANCE_S = 1e-6


class SoundStates:
    """Tracks the labels of one configuration.

    Args:
        holds: (model, label) -> seconds for which decisions must be off before the label counts as not heard.
    """

    def __init__(self, holds: Mapping[Label, float]) -> None:
        self._holds = dict(holds)
        self._heard: dict[Label, bool | None] = dict.fromkeys(holds)
        self._unknown = dict.fromkeys(holds, LostCause(0.0))

    def __repr__(self) -> str:
        return f"SoundStates({self._heard!r})"

    @property
    def heard(self) -> dict[Label, bool | None]:
        """(model, label) -> whether it is heard; None if that is unknown."""
        return dict(self._heard)

    def apply_event(self, event: Event) -> None:
        """A sound begins, begins again or ends; events of other labels are ignored."""
        label = event.model, event.label
        if label not in self._heard:
            return
        if event.phase != "end":
            self._heard[label] = True
        elif event.reason == QUIET:
            self._heard[label] = False
        else:
            self._forget(label)

    def apply_decisions(self, decisions: Iterable[Decision]) -> None:
        """Apply decisions in stream order, after the events that came with them."""
        for decision in decisions:
            label = decision.model, decision.label
            if label not in self._heard or self._heard[label] is not None:
                continue
            self._unknown[label] = unknown = self._unknown[label].after(decision)
            if unknown.off_s >= self._holds[label] - _TOLERANCE_S:
                self._heard[label] = False

    def lose_hearing(self) -> None:
        """Nothing is heard at present: a label that was off may be on by now."""
        for label, heard in self._heard.items():
            if not heard:
                self._forget(label)

    def hide(self, labels: Iterable[Label]) -> None:
        """Nobody listens for these labels."""
        for label in labels:
            if self._heard.get(label) is not None:
                self._forget(label)

    def _forget(self, label: Label) -> None:
        self._heard[label], self._unknown[label] = None, LostCause(0.0)
