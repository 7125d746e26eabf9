"""What another model says a sound is: the verdict of a model that follows a label, for the end of that label's event.

Such a model has labels with the role `verdict`, of which one holds. It scores the windows in which the label that it
follows is on. At the end, the mean of its probabilities over the event names a label, or none: it abstains below the
label's `on`, and where it scored less than the label's `confirm_s`. Knows no audio and no clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from device.hearing.listening_model import ListeningModel
    from device.messages import Event, Scores

MAX_WINDOWS = 1200
"""The newest windows of an event on which its verdict stands: ten minutes at half a second from one to the next."""

_TOLERANCE_S = 1e-6


class EventVerdicts:
    """The verdicts of all models of a listener that give any.

    Args:
        models: of the listener.
    """

    def __init__(self, models: Iterable[ListeningModel]) -> None:
        self._tallies = {model.name: _Tally(model) for model in models if model.gives_verdicts}

    def __repr__(self) -> str:
        return f"EventVerdicts({', '.join(self._tallies) or 'none'})"

    def add(self, scores: Scores, hop_s: float) -> None:
        """Add one window, which stands for `hop_s` seconds."""
        if scores.model in self._tallies:
            self._tallies[scores.model].add(scores, hop_s)

    def told(self, event: Event) -> Event:
        """The event; at its end with its verdict, if a model follows its label and does not abstain."""
        for tally in self._tallies.values():
            if tally.follows != event.label:
                continue
            if event.phase == "begin":
                tally.clear()
            elif event.phase == "end" and event.end_s is not None:
                event = replace(event, verdict=event.verdict or tally.verdict(event.end_s))
        return event


class _Window(NamedTuple):
    """One scored window: its end, the seconds that it stands for, and its probabilities (labels,)."""

    end_s: float
    hop_s: float
    probabilities: npt.NDArray[np.float64]


class _Tally:
    """What one model scored in the windows of the latest event."""

    def __init__(self, model: ListeningModel) -> None:
        self.follows = model.listens_while
        self._labels = [label for label in model.labels if label.role == "verdict"]
        self._windows: deque[_Window] = deque(maxlen=MAX_WINDOWS)

    def clear(self) -> None:
        self._windows.clear()

    def add(self, scores: Scores, hop_s: float) -> None:
        probabilities = np.array([scores.probabilities[label.name] for label in self._labels])
        self._windows.append(_Window(scores.end_s, hop_s, probabilities))

    def verdict(self, end_s: float) -> str | None:
        """The most probable label of the windows up to the last one that holds the sound; None to abstain."""
        heard = [window for window in self._windows if window.end_s <= end_s + _TOLERANCE_S]
        if not heard:
            return None
        mean = np.mean([window.probabilities for window in heard], axis=0)
        best = int(mean.argmax())
        point, seconds = self._labels[best].point, sum(window.hop_s for window in heard)
        is_sure = mean[best] >= point.on and seconds >= point.confirm_s - _TOLERANCE_S
        return self._labels[best].name if is_sure else None
