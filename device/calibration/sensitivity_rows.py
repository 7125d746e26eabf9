"""What each sensitivity of a label would have made of the room alone and of the cry that was played. Pure.

A near alert of a sensitivity is an alert of the next one, whose scores need half the odds, that is none of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from device.calibration.decision_sweep import SENSITIVITIES, events_at
from device.messages import Decision
from device.poisson_interval import poisson_interval
from device.report.spans import fold

if TYPE_CHECKING:
    from device.calibration.decision_sweep import LabelKey
    from device.calibration.sound_stretch import HeardStretch
    from device.report.spans import Span
    from device.runtime.model_loader import ConfiguredPoint

CryFate = Literal["found", "missed", "on before"]

DECIDED_WITHIN_S = 2.0
"""After the end of the cry: its last windows are decided then."""


class PlayedCry(NamedTuple):
    """When the cry was played, in seconds of the stream."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class SensitivityRow:
    """One sensitivity of one label.

    Attributes:
        sensitivity: -5 to 5.
        on: the score that a window must reach.
        alerts: that the room alone would have raised.
        near: alerts that the next sensitivity would have raised besides.
        cry: what would have become of the played cry; None if none was played, or this label is not of it.
        delay_s: from the start of the cry to the alert; None if it was not found.
    """

    sensitivity: int
    on: float
    alerts: int
    near: int
    cry: CryFate | None = None
    delay_s: float | None = None

    def at_most_an_hour(self, hours: float) -> float:
        """Upper end of the 95 % interval of the alerts an hour."""
        return poisson_interval(self.alerts, hours)[1]


@dataclass(frozen=True, slots=True)
class MeasuredLabel:
    """One label that raises alerts.

    Attributes:
        model: its name.
        label: its name.
        configured: sensitivity as configured.
        highest: score of the room alone; None if nothing was scored.
        cry_highest: score while the cry was played; None if none was played, or this label is not of it.
        rows: of all sensitivities, ascending.
    """

    model: str
    label: str
    configured: int
    highest: float | None
    cry_highest: float | None
    rows: tuple[SensitivityRow, ...]

    def row(self, sensitivity: int) -> SensitivityRow:
        """The row of a sensitivity."""
        return next(row for row in self.rows if row.sensitivity == sensitivity)

    @property
    def now(self) -> SensitivityRow:
        """The row of what is configured."""
        return self.row(self.configured)

    @property
    def finding(self) -> tuple[int, ...]:
        """The sensitivities that find the played cry."""
        return tuple(row.sensitivity for row in self.rows if row.cry == "found")

    @property
    def recommended(self) -> int:
        """The sensitivity to configure: of those that find the cry, the one whose room is quietest.

        Of equals the one nearest to what is configured. Without a played cry that any finds, only what raises an alert
        in the room itself is a reason to change.
        """
        rows = [row for row in self.rows if row.cry == "found"] or list(self.rows)
        if not self.finding and not self.now.alerts:
            return self.configured
        best = min(rows, key=lambda row: (row.alerts, row.near > 0, abs(row.sensitivity - self.configured)))
        return best.sensitivity


def measured_label(
    key: LabelKey,
    point: ConfiguredPoint,
    room: HeardStretch | None,
    played: tuple[HeardStretch, PlayedCry] | None,
    *,
    hop_s: float,
) -> MeasuredLabel:
    """Decide again about one label, at every sensitivity.

    Args:
        key: (model, label).
        point: its operating point.
        room: the room alone, if it was heard.
        played: the stretch with the signal, and when the cry was in it; None if this label is not of it.
        hop_s: from one window to the next.
    """
    alone = {step: _room_spans(step, key, point, room, hop_s) for step in [*SENSITIVITIES, SENSITIVITIES[-1] + 1]}
    rows = []
    for step in SENSITIVITIES:
        fate, delay_s = (None, None) if played is None else _cry_fate(step, key, point, *played, hop_s)
        near = [span for span in alone[step + 1] if not any(_overlap(span, other) for other in alone[step])]
        rows.append(SensitivityRow(step, point.at(step).on, _alerts(alone[step]), _alerts(near), fate, delay_s))
    return MeasuredLabel(
        *key,
        configured=point.sensitivity,
        highest=None if room is None else _highest(key, room, 0.0, float("inf")),
        cry_highest=None if played is None else _highest(key, played[0], played[1].start_s, played[1].end_s),
        rows=tuple(rows),
    )


def _room_spans(
    step: int, key: LabelKey, point: ConfiguredPoint, room: HeardStretch | None, hop_s: float
) -> list[Span]:
    return [] if room is None else fold(events_at(step, key, point, room.steps, hop_s=hop_s), room.end_s)


def _cry_fate(
    step: int, key: LabelKey, point: ConfiguredPoint, played: HeardStretch, cry: PlayedCry, hop_s: float
) -> tuple[CryFate, float | None]:
    """An alert that was on before the cry begins says nothing about the cry."""
    spans = fold(events_at(step, key, point, played.steps, hop_s=hop_s), played.end_s)
    if any(span.decided_s < cry.start_s and span.end_s > cry.start_s for span in spans):
        return "on before", None
    decided = [span.decided_s for span in spans if cry.start_s <= span.decided_s <= cry.end_s + DECIDED_WITHIN_S]
    return ("found", decided[0] - cry.start_s) if decided else ("missed", None)


def _highest(key: LabelKey, stretch: HeardStretch, from_s: float, until_s: float) -> float | None:
    scores = [
        step.score
        for step in stretch.steps
        if isinstance(step, Decision) and (step.model, step.label) == key
        if step.end_s > from_s and step.start_s < until_s
    ]
    return max(scores, default=None)


def _alerts(spans: list[Span]) -> int:
    """A sound that begins again within the cooldown is no further alert."""
    return len({span.event_id for span in spans})


def _overlap(span: Span, other: Span) -> bool:
    return span.start_s <= other.end_s and span.end_s >= other.start_s
