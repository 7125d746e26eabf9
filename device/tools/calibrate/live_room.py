"""Measures a room by a microphone of its own: first as it is, then while the signal is played."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from device.calibration.room_measure import dbfs, signal_is_over
from device.calibration.sound_stretch import StretchRecorder
from device.errors import MicrophoneError
from device.messages import NoAudio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.calibration.sound_stretch import HeardStretch
    from device.config.settings import Settings
    from device.messages import AudioBlock
    from device.runtime.model_loader import OpenModels
    from device.tools.calibrate.progress_line import ProgressLine

PLAYED_S = 180.0
"""How long the signal is waited for."""

SILENT_S = 15.0
"""A microphone that gives no sound for so long is not waited for."""

_LOOKED_EVERY_S = 1.0


class HeardMicrophone(Protocol):
    """What is needed of a microphone."""

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        """Sound, or the reason why there is none, without end."""


class LiveRoom:
    """Hears the two parts of a measurement, one after the other.

    Args:
        settings: of the listener.
        models: that listen.
        microphone: is read to the end of the second part.
        progress: shows how far it is.
    """

    def __init__(
        self, settings: Settings, models: OpenModels, microphone: HeardMicrophone, progress: ProgressLine
    ) -> None:
        self._settings = settings
        self._models = models
        self._blocks = microphone.blocks()
        self._progress = progress

    def room(self, seconds: float) -> HeardStretch | None:
        """The room as it is; what was heard so far after Ctrl-C.

        Raises:
            MicrophoneError: there is no sound.
        """
        return self._heard(StretchRecorder(seconds, hears_pips=False), seconds)

    def played(self) -> HeardStretch | None:
        """The room until the signal is over; what was heard so far after Ctrl-C, or after three minutes.

        Raises:
            MicrophoneError: there is no sound.
        """
        return self._heard(StretchRecorder(PLAYED_S, hears_pips=True), PLAYED_S)

    def _heard(self, recorder: StretchRecorder, seconds: float) -> HeardStretch | None:
        listener, looked_s = self._models.listener(self._settings, "calibrate"), 0.0
        try:
            for item in self._blocks:
                recorder.push(item, listener.push(item))
                _refuse_silence(item, recorder)
                if recorder.seconds >= looked_s + _LOOKED_EVERY_S or recorder.is_full:
                    looked_s = recorder.seconds
                    level_dbfs = dbfs(recorder.level_power)
                    self._progress.show(looked_s, seconds, level_dbfs, recorder.problem)
                    if recorder.is_full or (recorder.hears_pips and signal_is_over(recorder.sound)):
                        break
        except KeyboardInterrupt:
            self._progress.interrupted()
        self._progress.end()
        recorder.add(listener.finish("end_of_file"))
        return recorder.stretch() if recorder.seconds else None


def _refuse_silence(item: AudioBlock | NoAudio, recorder: StretchRecorder) -> None:
    if isinstance(item, NoAudio) and not recorder.seconds and item.at_s - item.since_s >= SILENT_S:
        raise MicrophoneError(f"nothing was heard for {SILENT_S:g} s: {item.reason}")
