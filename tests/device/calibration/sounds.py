"""Rooms and signals that are computed, and what the meter makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from device.calibration.room_meter import RoomMeter
from device.messages import AudioBlock
from device.synthesis.room_signal import room_signal

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from device.calibration.room_meter import MeasuredSound

RATE_HZ = 16_000


def blocks(samples: npt.NDArray[np.floating], rate_hz: int = RATE_HZ, size: int = 800) -> Iterator[AudioBlock]:
    for start in range(0, len(samples), size):
        yield AudioBlock(samples[start : start + size].astype(np.float32), rate_hz, start)


def metered(samples: npt.NDArray[np.floating], rate_hz: int = RATE_HZ, size: int = 800) -> MeasuredSound:
    meter = RoomMeter()
    for block in blocks(samples, rate_hz, size):
        meter.push(block)
    return meter.result()


def noise(seconds: float, dbfs: float, seed: int = 0) -> npt.NDArray[np.float64]:
    """White noise of that level."""
    return 10 ** (dbfs / 20) * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))


def tone(seconds: float, hz: float, dbfs: float) -> npt.NDArray[np.float64]:
    """A sine of that level."""
    amplitude = np.sqrt(2) * 10 ** (dbfs / 20)
    return np.asarray(amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ))


def played(room: npt.NDArray[np.float64], at_s: float, gain_db: float) -> npt.NDArray[np.float64]:
    """The room while the signal is played into it."""
    start, mix, signal = round(at_s * RATE_HZ), room.copy(), room_signal()
    end = min(len(mix), start + len(signal))
    mix[start:end] += 10 ** (gain_db / 20) * signal[: end - start]
    return np.clip(mix, -1.0, 1.0)
