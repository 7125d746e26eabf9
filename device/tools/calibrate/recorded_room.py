"""Hears recordings of a room, as the daemon would, for the measurement of that room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.calibration.sound_stretch import BLOCK_S, StretchRecorder
from device.runtime.stderr_lines import print_notice
from device.sources.recording import Recording

if TYPE_CHECKING:
    from device.calibration.sound_stretch import HeardStretch
    from device.config.settings import Settings
    from device.runtime.model_loader import OpenModels

MOST_S = 24 * 3600.0
"""Of one recording."""


def heard_recording(settings: Settings, models: OpenModels, source: str, *, hears_pips: bool) -> HeardStretch:
    """What is known of a recording.

    Args:
        settings: of the listener.
        models: that listen.
        source: the recording's path.
        hears_pips: whether the signal is listened for.

    Raises:
        RecordingError: it cannot be read to its end.
    """
    channel = settings.recording.channel
    with Recording(source, channel=channel) as recording:
        block_samples = max(1, round(recording.sample_rate_hz * BLOCK_S))
    recorder, listener = StretchRecorder(MOST_S, hears_pips=hears_pips), models.listener(settings, "calibrate")
    with Recording(source, channel=channel, block_samples=block_samples) as recording:
        for block in recording.blocks():
            recorder.push(block, listener.push(block))
        for note in recording.notes:
            print_notice(note)
    recorder.add(listener.finish("end_of_file"))
    return recorder.stretch()
