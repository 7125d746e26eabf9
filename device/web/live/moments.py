"""What was heard at one moment, as the page follows it, and the last minutes of it; knows no socket and no clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from device.runtime.daemon_state import DaemonState
    from device.runtime.sockets.recent_hearing import HeardItem

POLL_S = 0.5
KEPT_S = 600.0
"""How much of the past a page shows that is opened now."""

STALE_AFTER_S = 2.0
"""From this age on a state is not current; the page says so within 3 s of the last one."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One answer of the daemon, or the lack of one.

    Attributes:
        number: counts the moments since this process started, from 1.
        utc_s: when it was asked.
        state: what it answered; None if it did not, or if the answer is too old to be believed.
        problem: why there is no state; empty if there is one.
        peaks: model/label -> the highest score of the windows since the moment before.
    """

    number: int
    utc_s: float
    state: DaemonState | None
    problem: str = ""
    peaks: Mapping[str, float] = field(default_factory=dict)

    @property
    def hears(self) -> bool:
        """Whether a cry would be detected now, as far as is known."""
        return self.state is not None and self.state.hears

    def point(self) -> dict[str, Any]:
        """What the picture of the last minutes draws: number, time, level, scores, whether it heard."""
        state = self.state
        scores = {} if state is None else {f"{label.model}/{label.label}": label.score for label in state.labels}
        scores.update({name: peak for name, peak in self.peaks.items() if scores.get(name) is not None})
        return {
            "n": self.number,
            "t": round(self.utc_s, 1),
            "level": None if state is None or state.level_dbfs is None else round(state.level_dbfs, 1),
            "scores": {name: round(score, 3) for name, score in scores.items() if score is not None},
            "hears": self.hears,
        }


class RecentMoments:
    """The points of the last minutes.

    Args:
        kept: how many.
    """

    def __init__(self, kept: int = round(KEPT_S / POLL_S)) -> None:
        self._points: deque[dict[str, Any]] = deque(maxlen=kept)

    def __repr__(self) -> str:
        return f"RecentMoments({len(self._points)})"

    def add(self, moment: Moment) -> None:
        """Append the newest moment."""
        self._points.append(moment.point())

    def after(self, number: int) -> list[dict[str, Any]]:
        """The points after a number, oldest first; all that are kept for 0."""
        return [point for point in self._points if point["n"] > number]


def surest(items: Iterable[HeardItem]) -> dict[str, float]:
    """model/label -> the highest score of all windows."""
    peaks: dict[str, float] = {}
    for scores in (scores for item in items for scores in item.heard.scores):
        for label, score in scores.probabilities.items():
            name = f"{scores.model}/{label}"
            peaks[name] = max(score, peaks.get(name, 0.0))
    return peaks
