"""One stretch of a room as it is heard: what is measured of its sound, and what the models decide about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.calibration.decision_sweep import KeptDecisions
from device.calibration.room_meter import RoomMeter
from device.messages import AudioBlock, Fault

if TYPE_CHECKING:
    from device.calibration.room_meter import MeasuredSound
    from device.messages import Decision, Heard, NoAudio

BLOCK_S = 0.05
"""Blocks are this long at most, so that it is known which windows a fault came before."""


@dataclass(frozen=True, slots=True, eq=False)
class HeardStretch:
    """What is known of a stretch; no sound.

    Attributes:
        sound: its levels.
        steps: decisions about windows that began in it, and faults that ended all events, in order.
        faults: that began in it or lasted in it, and their ends.
        end_s: of the stretch, in seconds of the stream.
    """

    sound: MeasuredSound
    steps: tuple[Decision | Fault, ...]
    faults: tuple[Fault, ...]
    end_s: float


class StretchRecorder:
    """Records a stretch, block by block; bounded, as nothing is kept beyond `most_s`.

    Args:
        most_s: longest stretch.
        hears_pips: whether the signal is listened for.

    Attributes:
        most_s: as given.
        hears_pips: as given.
        problem: why there is no sound at present; empty if there is.
    """

    def __init__(self, most_s: float, *, hears_pips: bool) -> None:
        self.most_s = most_s
        self.hears_pips = hears_pips
        self._meter = RoomMeter(hears_pips=hears_pips)
        self._kept = KeptDecisions()
        self._begin_s: float | None = None
        self._end_s = 0.0
        self.problem = ""

    def __repr__(self) -> str:
        return f"StretchRecorder({self._meter!r})"

    @property
    def seconds(self) -> float:
        """How long it lasts already."""
        return 0.0 if self._begin_s is None else self._end_s - self._begin_s

    @property
    def is_full(self) -> bool:
        """Whether it takes no more."""
        return self.seconds >= self.most_s

    @property
    def level_power(self) -> float:
        """Mean power of the newest second; 0 before the first."""
        return self._meter.newest_power

    @property
    def sound(self) -> MeasuredSound:
        """What was measured so far."""
        return self._meter.result()

    def push(self, item: AudioBlock | NoAudio, heard: Heard) -> None:
        """Record what one item of the source gave."""
        if self.is_full:
            return
        if isinstance(item, AudioBlock):
            if self._begin_s is None:
                self._begin_s = item.start_sample / item.sample_rate_hz
            self._end_s, self.problem = item.end_sample / item.sample_rate_hz, ""
            self._meter.push(item)
        else:
            self.problem = item.reason
        self.add(heard)

    def add(self, heard: Heard) -> None:
        """Record what the listener gave besides, as at the end of the stream."""
        self._kept.add(heard)

    def stretch(self) -> HeardStretch:
        """What is known of it so far."""
        begin_s = self._begin_s or 0.0
        steps = [step for step in self._kept.steps if _begins_s(step) >= begin_s - 1e-6]
        return HeardStretch(self._meter.result(), tuple(steps), tuple(self._kept.faults), self._end_s)


def _begins_s(step: Decision | Fault) -> float:
    """A window that began before the stretch tells of what was before it."""
    return step.at_s if isinstance(step, Fault) else step.start_s
