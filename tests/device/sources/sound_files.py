"""Synthesized sounds, and how recordings of them are heard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import RecordingError
from device.sources.recording import Recording

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

RATE_HZ = 16000


def tone(seconds: float, pitch_hz: float = 440.0, rate_hz: int = RATE_HZ, channels: int = 1) -> Float32:
    """A sine, (n, channels)."""
    mono = 0.4 * np.sin(2 * np.pi * pitch_hz * np.arange(round(seconds * rate_hz)) / rate_hz)
    return np.tile(mono[:, None], (1, channels)).astype(np.float32)


def heard(path: Path, **options: Any) -> tuple[Float32, int, RecordingError | None, tuple[str, ...]]:
    """All samples, their rate, how the recording ended, and its notes."""
    with Recording(path, **options) as recording:
        pieces: list[Float32] = [np.zeros(0, np.float32)]
        failure = None
        try:
            for block in recording.blocks():
                assert block.start_sample == sum(map(len, pieces))
                pieces.append(block.samples)
        except RecordingError as error:
            failure = error
        return np.concatenate(pieces), recording.sample_rate_hz, failure, recording.notes


def whole(path: Path, **options: Any) -> tuple[Float32, int]:
    """The samples of a recording with nothing to say about it."""
    samples, rate_hz, failure, notes = heard(path, **options)
    assert failure is None
    assert notes == ()
    return samples, rate_hz


def pitch_hz(samples: Float32, rate_hz: int) -> float:
    """The strongest frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate_hz / len(samples))
