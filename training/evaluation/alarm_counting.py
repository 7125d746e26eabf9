"""What counts as an alarm, when an operating point is chosen as when a model is evaluated.

A caregiver is alerted when an event begins. An onset within the cooldown reopens the event: nobody is alerted anew,
and it is no further alarm. An alarm counts for a clip if the window that decided it touches the clip. Knows no
network and no samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.config.settings import ListenSettings
from device.hearing.decision import Decider
from device.messages import Scores
from training.statistics import confirmed_levels

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from device.hearing.decision import OperatingPoint
    from device.messages import Event
    from training.mixing.scenes import SceneAnnotation

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

HOP_S = ListenSettings().hop_s
"""From one window to the next: the device's default."""

IN_TIME_S = 4.0
"""A cry counts as decided in time if its alarm comes at most this long after its onset."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowScores:
    """A detector's scores of the windows of one scene.

    Attributes:
        starts_s: start of each window (n,).
        ends_s: end of each window (n,).
        probabilities: of the evaluated label in each (n,).
    """

    starts_s: Float64
    ends_s: Float64
    probabilities: Float32

    @classmethod
    def of(cls, scores: Iterable[Scores], label: str) -> WindowScores:
        """From a classifier's scores, in stream order."""
        windows = [(one.start_s, one.end_s, one.probabilities[label]) for one in scores]
        starts_s, ends_s, probabilities = np.array(windows, np.float64).reshape(-1, 3).T
        return cls(starts_s, ends_s, probabilities.astype(np.float32))

    def touching(self, start_s: float, end_s: float) -> Mask:
        """Which windows hold something of a stretch: bool (n,)."""
        touches: Mask = (self.ends_s > start_s) & (self.starts_s < end_s)
        return touches


@dataclass(frozen=True, slots=True)
class DetectedEvent:
    """From when to when a sound was heard, as the device estimates it, in seconds of the stream."""

    onset_s: float
    offset_s: float


@dataclass(frozen=True, slots=True, eq=False)
class SceneAlarms:
    """The alarms of one scene.

    Attributes:
        scene: its annotation.
        alarms_s: when alarms were decided whose deciding window touches the clip, or the stream.
        background_alarms: those in the background before or behind the clip.
    """

    scene: SceneAnnotation
    alarms_s: tuple[float, ...]
    background_alarms: int

    @property
    def found(self) -> bool:
        """Whether an alarm was raised for it."""
        return bool(self.alarms_s)

    @property
    def delay_s(self) -> float | None:
        """From the onset to the first alarm; None without an alarm."""
        return self.alarms_s[0] - self.scene.onset_s if self.alarms_s else None

    @property
    def in_time(self) -> bool:
        """Whether the first alarm came within `IN_TIME_S` of the onset."""
        return self.delay_s is not None and self.delay_s <= IN_TIME_S


def alarm_times(events: Iterable[Event]) -> tuple[float, ...]:
    """When events begin, in seconds of the stream; ends and reopenings are no alarms."""
    return tuple(event.decided_s for event in events if event.phase == "begin")


def heard_events(events: Iterable[Event]) -> tuple[DetectedEvent, ...]:
    """From when to when events lasted, in the order of their ends; one that reopened counts again from there."""
    began_s: dict[str, float] = {}
    heard = []
    for event in events:
        if event.phase == "end":
            onset_s = began_s.pop(event.event_id, event.began_s)
            heard.append(
                DetectedEvent(onset_s, max(onset_s, event.decided_s if event.ended_s is None else event.ended_s))
            )
        else:
            began_s[event.event_id] = event.began_s
    return tuple(heard)


def decide_events(windows: WindowScores, point: OperatingPoint, *, hop_s: float = HOP_S) -> tuple[Event, ...]:
    """The events in the scores of a whole file, by the device's own `Decider`."""
    decider = Decider(event_prefix="evaluation", model="evaluated", label="event", point=point, hop_s=hop_s)
    events: list[Event] = []
    for start_s, end_s, probability in zip(windows.starts_s, windows.ends_s, windows.probabilities, strict=True):
        _, event = decider.push(Scores("evaluated", {"event": float(probability)}, float(start_s), float(end_s)))
        events += [event] if event is not None else []
    if len(windows.ends_s):
        events += decider.finish(float(windows.ends_s[-1]))
    return tuple(events)


def decide_alarms(windows: WindowScores, point: OperatingPoint) -> tuple[float, ...]:
    """When alarms are decided in the scores of a whole file, at `HOP_S`."""
    return alarm_times(decide_events(windows, point))


def count_alarms(scene: SceneAnnotation, windows: WindowScores, alarms_s: Iterable[float]) -> SceneAlarms:
    """Separate alarms that count for a scene's clip from those in its background.

    Args:
        scene: its annotation.
        windows: its windows.
        alarms_s: when alarms were decided, each at the end of a window.
    """
    (counted,), in_background = match_alarms([(scene.start_s, scene.end_s)], windows, alarms_s)
    return SceneAlarms(scene, counted, background_alarms=in_background)


def match_alarms(
    stretches: Sequence[tuple[float, float]], windows: WindowScores, alarms_s: Iterable[float]
) -> tuple[tuple[tuple[float, ...], ...], int]:
    """The alarms that count for each stretch, and how many count for none.

    An alarm counts for the first stretch that the window which decided it touches.

    Args:
        stretches: start and end of each, in seconds, in their order.
        windows: of the whole stream.
        alarms_s: when alarms were decided, each at the end of a window.
    """
    matched: list[list[float]] = [[] for _ in stretches]
    unmatched = 0
    for alarm_s in alarms_s:
        from_s, to_s = deciding_window(windows, alarm_s)
        touched = next(
            (place for place, (start_s, end_s) in enumerate(stretches) if to_s > start_s and from_s < end_s), None
        )
        if touched is None:
            unmatched += 1
        else:
            matched[touched].append(alarm_s)
    return tuple(map(tuple, matched)), unmatched


def deciding_window(windows: WindowScores, alarm_s: float) -> tuple[float, float]:
    """Start and end of the window that decided an alarm."""
    decided = int(np.argmin(np.abs(windows.ends_s - alarm_s)))
    return float(windows.starts_s[decided]), float(windows.ends_s[decided])


def alarm_level(scene: SceneAnnotation, windows: WindowScores, point: OperatingPoint) -> float:
    """Highest threshold at which a window that touches the clip would confirm an event; 0 without such a window."""
    levels = confirmed_levels(
        windows.probabilities.tolist(), needed=point.needed(HOP_S), considered=point.considered(HOP_S)
    )
    return float(max(0.0, levels[windows.touching(scene.start_s, scene.end_s)].max(initial=0.0)))
