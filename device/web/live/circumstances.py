"""What decides beside the scores whether people are told: the schedule, a pause, a daemon that is deaf. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from device.alarms.label_modes import mode_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.messages import LabelMode, ModeCause
    from device.web.live.moments import Moment

MOST_KEPT = 2000


@dataclass(frozen=True, slots=True)
class LabelCircumstances:
    """Of one label: its mode, why, and its sensitivity in steps."""

    model: str
    label: str
    mode: LabelMode
    cause: ModeCause
    sensitivity: int


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Of one moment.

    Attributes:
        hears: a cry would have been detected.
        paused: lights and buzzer were silent.
        labels: that were decided about; none if the daemon said nothing.
    """

    hears: bool
    paused: bool
    labels: tuple[LabelCircumstances, ...]

    @classmethod
    def of(cls, moment: Moment) -> Self:
        """What a moment tells of them."""
        state = moment.state
        if state is None:
            return cls(hears=False, paused=False, labels=())
        labels = (
            LabelCircumstances(each.model, each.label, each.mode, each.mode_cause, each.sensitivity)
            for each in state.labels
        )
        return cls(moment.hears, state.paused, tuple(labels))

    def sentences(self) -> Iterator[str]:
        """What was other than usual, for people."""
        if self.labels and not self.hears:
            yield "it did not hear then: a cry would not have been detected"
        for each in self.labels:
            if each.mode != "alarm":
                yield f"{each.model}/{each.label} {mode_words(each.mode, each.cause)}: it raised no alarm"
            if each.sensitivity:
                yield f"{each.model}/{each.label} was set to a sensitivity of {each.sensitivity:+d}"
        if self.paused:
            yield "signals were paused: the buzzer was silent, and nothing else changed"


class CircumstanceRecord:
    """Keeps the newest changes."""

    def __init__(self) -> None:
        self._changes: deque[tuple[float, Circumstances]] = deque(maxlen=MOST_KEPT)

    def __repr__(self) -> str:
        return f"CircumstanceRecord({len(self._changes)} changes)"

    def add(self, utc_s: float, circumstances: Circumstances) -> None:
        """Keep them if they are other than before."""
        if not self._changes or self._changes[-1][1] != circumstances:
            self._changes.append((utc_s, circumstances))

    def at(self, utc_s: float) -> Circumstances | None:
        """Those of a time of day; None before the first that is kept."""
        before = (found for since_utc_s, found in reversed(self._changes) if since_utc_s <= utc_s)
        return next(before, None)
