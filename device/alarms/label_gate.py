"""Lets through what the modes of the labels allow: to the alarms, and to all that shows what is heard. Pure.

Stands behind the deciders, whose state goes on whatever the mode is. So a change of mode takes effect at once, in the
middle of a sound:

- A sound that raised an alarm goes on as one until it ends, though its label is only logged, or off, by then.
- A sound that goes on while its label begins to raise alarms raises one at that moment; one that goes on while its
  label is no longer off is logged then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from device.messages import Heard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.messages import Event, LabelMode, Scores

    Label = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sifted:
    """What is let through of what was heard.

    Attributes:
        visible: to whatever shows what is heard.
        alarming: events for the alarms, in stream order; some may be older than this.
    """

    visible: Heard
    alarming: list[Event] = field(default_factory=list)

    @property
    def logged(self) -> list[Event]:
        """Events that are visible and raise or end no alarm."""
        passed = {(event.event_id, event.seq) for event in self.alarming}
        return [event for event in self.visible.events if (event.event_id, event.seq) not in passed]


@dataclass(frozen=True, slots=True)
class _Open:
    """The newest begin, or reopening, of an open event; and how far it was let through."""

    event: Event
    mode: LabelMode


class LabelGate:
    """The gate of one daemon: modes are those of `use`; without any, all is let through."""

    def __init__(self) -> None:
        self._modes: Mapping[str, LabelMode] = {}
        self._open: dict[Label, _Open] = {}

    def __repr__(self) -> str:
        return f"LabelGate({dict(self._modes)!r}, {len(self._open)} open)"

    def is_hidden(self, label: Label) -> bool:
        """Whether nothing of a (model, label) is shown: it is off, and no open event of it was let through."""
        opened = self._open.get(label)
        return self._mode(label) == "off" and (opened is None or opened.mode == "off")

    def use(self, modes: Mapping[str, LabelMode], at_s: float) -> Sifted:
        """Use other modes from now on; returns the open events that they let through at last, as decided now.

        Args:
            modes: label -> mode; a label that is left out raises alarms.
            at_s: now, in the stream.
        """
        self._modes = dict(modes)
        sifted = Sifted(Heard())
        for label, opened in self._open.items():
            mode = self._mode(label)
            reason = f"{opened.event.reason}; it went on when the schedule let it through"
            event = replace(opened.event, decided_s=max(at_s, opened.event.decided_s), reason=reason)
            if opened.mode == "off" and mode != "off":
                sifted.visible.events.append(event)
            if opened.mode != "alarm" and mode == "alarm":
                sifted.alarming.append(event)
            self._open[label] = replace(opened, mode=_further(opened.mode, mode))
        return sifted

    def sift(self, heard: Heard) -> Sifted:
        """Let through what the modes allow of what the listener returned."""
        sifted = Sifted(Heard(faults=heard.faults))
        for event in heard.events:
            mode = self._passed(event)
            if mode == "alarm":
                sifted.alarming.append(event)
            if mode != "off":
                sifted.visible.events.append(event)
        visible = sifted.visible
        visible.decisions.extend(each for each in heard.decisions if not self.is_hidden((each.model, each.label)))
        visible.scores.extend(each for scores in heard.scores if (each := self._shown(scores)) is not None)
        return sifted

    def _passed(self, event: Event) -> LabelMode:
        """How far an event is let through: an end as far as the beginning was."""
        label = event.model, event.label
        if event.phase == "end":
            opened = self._open.pop(label, None)
            return self._mode(label) if opened is None else opened.mode
        self._open[label] = _Open(event, self._mode(label))
        return self._mode(label)

    def _shown(self, scores: Scores) -> Scores | None:
        """The scores without those of hidden labels; None if none is left."""
        if not self._modes:
            return scores
        model, by_label = scores.model, scores.probabilities
        shown = {label: score for label, score in by_label.items() if not self.is_hidden((model, label))}
        return replace(scores, probabilities=shown) if shown else None

    def _mode(self, label: Label) -> LabelMode:
        return self._modes.get(label[1], "alarm")


def _further(one: LabelMode, other: LabelMode) -> LabelMode:
    """The mode that lets more through."""
    return "alarm" if "alarm" in {one, other} else "log" if "log" in {one, other} else "off"
