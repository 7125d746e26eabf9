"""Sounds of living and deaf microphones, and what the detector finds in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.hearing.deafness.detector import DeafnessDetector
from device.messages import AudioBlock

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.messages import Fault

    Float32 = npt.NDArray[np.float32]

RATE_HZ = 16000
LOW_RATE_HZ = 2000
"""For tests of hours: the laws hold at any rate."""
CAPTURE_RATES_HZ = [8000, 16000, 44100, 48000]
"""Those of microphones."""
at_each_rate = pytest.mark.parametrize("rate_hz", CAPTURE_RATES_HZ)


def white(seconds: float, rms: float = 0.01, *, rate_hz: int = RATE_HZ, seed: int = 0) -> Float32:
    """White noise."""
    return np.random.default_rng(seed).normal(0, rms, round(seconds * rate_hz)).astype(np.float32)


def room(seconds: float, rms: float = 0.003, *, rate_hz: int = RATE_HZ, seed: int = 0) -> Float32:
    """Room tone: noise whose level fluctuates by 1 dB, as that of air, houses and streets does."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, rms, round(seconds * rate_hz))
    breaths_db = rng.normal(0, 1.0, int(seconds * 5) + 2)
    times = np.arange(len(noise)) / rate_hz * 5
    return (noise * 10 ** (np.interp(times, np.arange(len(breaths_db)), breaths_db) / 20)).astype(np.float32)


def in_16_bits(samples: Float32) -> Float32:
    """The samples as a 16-bit sound card delivers them."""
    return (np.clip(np.round(samples * 2**15), -(2**15), 2**15 - 1) / 2**15).astype(np.float32)


def feed(detector: DeafnessDetector, samples: Float32, *, start: int = 0, rate_hz: int = RATE_HZ) -> list[Fault]:
    """Push half-second blocks."""
    faults: list[Fault] = []
    step = rate_hz // 2
    for offset in range(0, len(samples), step):
        faults += detector.push(AudioBlock(samples[offset : offset + step], rate_hz, start + offset))
    return faults


def faults_of(*parts: Float32, rate_hz: int = RATE_HZ, gates_to_zero: bool = False) -> list[Fault]:
    """The faults found in these sounds, one after the other."""
    detector = DeafnessDetector(rate_hz, gates_to_zero=gates_to_zero)
    return feed(detector, np.concatenate(parts), rate_hz=rate_hz)


def suspect_s(detector: DeafnessDetector) -> float | None:
    """Since when the newest samples are suspected; a call, because mypy remembers a property's value."""
    return detector.suspect_since_s


def kinds(faults: list[Fault]) -> list[tuple[str, bool]]:
    """(kind, begins) of each."""
    return [(fault.kind, fault.begins) for fault in faults]


def deaf(kind: str, seconds: float, rate_hz: int) -> Float32:
    """The samples of a microphone with this fault."""
    count = round(seconds * rate_hz)
    if kind == "silence":
        return np.zeros(count, np.float32)
    if kind == "stuck":
        return np.full(count, -0.25, np.float32)
    if kind == "dc":
        return in_16_bits(0.2 + white(seconds, 2**-15, rate_hz=rate_hz, seed=3))
    return np.resize(white(0.064, rate_hz=rate_hz, seed=4), count)
