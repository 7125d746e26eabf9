"""Repeats the decisions about scores that were heard once, at every sensitivity that a configuration may set.

The scores are kept, and the sound is not. Deciders of other operating points repeat the decisions, with the same ends
where the microphone went deaf.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from device.hearing.decision import Decider
from device.messages import Decision, Fault, Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.messages import Event, FaultKind, Heard
    from device.runtime.model_loader import ConfiguredPoint

SENSITIVITIES = range(-5, 6)
"""All that a configuration may set."""

_NOT_OF_THE_SOUND: frozenset[FaultKind] = frozenset({"clipping", "gap", "microphone", "coverage", "classifier"})
"""Faults that a recording may have and that end no event."""

LabelKey = tuple[str, str]
"""(model, label)."""


@dataclass(slots=True)
class KeptDecisions:
    """What the listener returned.

    Attributes:
        steps: decisions, with their windows' scores, and ends of all events by a fault, in order.
        events: in order.
        faults: in order.
    """

    steps: list[Decision | Fault] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def add(self, heard: Heard) -> None:
        """Keep what one push gave; of a block no longer than a slice, so that it is known what a fault came before."""
        self.steps += [fault for fault in heard.faults if fault.begins and fault.kind not in _NOT_OF_THE_SOUND]
        self.steps += heard.decisions
        self.events += heard.events
        self.faults += heard.faults


def events_at(
    sensitivity: int, key: LabelKey, point: ConfiguredPoint, steps: Sequence[Decision | Fault], *, hop_s: float
) -> list[Event]:
    """The events of one label that would have been at a sensitivity, but their end with the sound."""
    decider = Decider(
        event_prefix=f"at{sensitivity}", model=key[0], label=key[1], point=point.at(sensitivity), hop_s=hop_s
    )
    return decided_again(decider, steps)


def repeat_decisions(decider: Decider, steps: Sequence[Decision | Fault], duration_s: float) -> list[Event]:
    """The events of a whole file: the scores of this decider's label, and faults that end what is open."""
    return [*decided_again(decider, steps), *decider.finish(duration_s)]


def decided_again(decider: Decider, steps: Sequence[Decision | Fault]) -> list[Event]:
    """The events up to the last step."""
    events: list[Event | None] = []
    for step in steps:
        match step:
            case Fault():
                events.append(decider.close("deaf", step.at_s))
            case Decision() if (step.model, step.label) == (decider.model, decider.label):
                scores = Scores(step.model, {step.label: step.score}, step.start_s, step.end_s)
                events.append(decider.push(scores, trusted=step.trusted)[1])
            case _:
                pass
    return [event for event in events if event is not None]
