"""A room measured by whoever hears it already: begun, looked at and ended by others, while the sound passes.

One thread hands over what was heard; any other thread begins, looks and ends. What passes is measured within
milliseconds, and nothing that fails here reaches whoever hears.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from device.calibration.room_measure import dbfs, signal_is_over
from device.calibration.sound_stretch import StretchRecorder
from device.commands import MAX_ROOM_S

if TYPE_CHECKING:
    from device.calibration.sound_stretch import HeardStretch
    from device.messages import AudioBlock, Heard, NoAudio

WatchedPart = Literal["nothing", "room", "played"]

MOST_PLAYED_S = 300.0


@dataclass(frozen=True, slots=True)
class WatchedMoment:
    """How far a measurement is.

    Attributes:
        part: that is measured now.
        seconds: how long already.
        most_s: how long at most.
        level_dbfs: of the newest second; None for digital silence.
        problem: why there is no sound; empty if there is.
        signal_is_over: the signal was found, and its cry is over.
    """

    part: WatchedPart
    seconds: float = 0.0
    most_s: float = 0.0
    level_dbfs: float | None = None
    problem: str = ""
    signal_is_over: bool = False


class RoomWatch:
    """Measures a room: `begin` its two parts, one after the other, then `end`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._part: WatchedPart = "nothing"
        self._recorder: StretchRecorder | None = None
        self._room: StretchRecorder | None = None
        self._failure = ""

    def __repr__(self) -> str:
        return f"RoomWatch({self._part})"

    def begin(self, part: WatchedPart, seconds: float | None = None) -> None:
        """Measure this part from now on, for so long at most; the room begins a new measurement."""
        is_played = part == "played"
        most_s = MOST_PLAYED_S if is_played else seconds or MAX_ROOM_S
        recorder = StretchRecorder(most_s, hears_pips=is_played)
        with self._lock:
            self._room = self._recorder if is_played and self._part == "room" else self._room if is_played else None
            self._part, self._recorder, self._failure = part, recorder, ""

    def update(self, item: AudioBlock | NoAudio, heard: Heard) -> None:
        """Measure one item of the source; never raises."""
        if self._recorder is None:
            return
        with self._lock:
            try:
                if self._recorder is not None:
                    self._recorder.push(item, heard)
            except Exception as error:  # noqa: BLE001 - whoever hears must hear on
                self._recorder, self._failure = None, f"{type(error).__name__}: {error}"

    def moment(self) -> WatchedMoment:
        """How far it is."""
        with self._lock:
            part, recorder, failure = self._part, self._recorder, self._failure
        if recorder is None:
            return WatchedMoment(part, problem=failure)
        is_over = part == "played" and signal_is_over(recorder.sound)
        level_dbfs = dbfs(recorder.level_power)
        return WatchedMoment(part, recorder.seconds, recorder.most_s, level_dbfs, recorder.problem, is_over)

    def end(self) -> tuple[HeardStretch | None, HeardStretch | None]:
        """End it; the room alone and the room with the signal, as far as they were measured."""
        with self._lock:
            part, recorder, room = self._part, self._recorder, self._room
            self._part, self._recorder, self._room = "nothing", None, None
        if part == "room":
            return _stretch(recorder), None
        return _stretch(room), _stretch(recorder) if part == "played" else None


def _stretch(recorder: StretchRecorder | None) -> HeardStretch | None:
    return None if recorder is None or not recorder.seconds else recorder.stretch()
