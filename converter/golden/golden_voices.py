"""The voices of the golden sequence: an infant who cries and a person who screams, both synthesized.

A network that knows real voices must be sure of them, so that the device's self-test can raise an alarm with them.
The infant is that of `auricle demo`. The scream is a rough voice whose pitch rises fast and falls at its end: between
30 and 150 Hz of roughness set screams apart from other voices (L. Arnal et al., Current Biology 25, 2015, 2051-2056).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr

from device.synthesis import infant
from device.synthesis.voice import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import numpy.typing as npt

    Float64 = npt.NDArray[np.float64]
    Rng = np.random.Generator

_PEAK = 0.4
_PITCH_HZ, _ROUGHNESS_HZ, _ROUGHNESS = 1600.0, 110.0, 0.8
_MOUTH_HZ, _MOUTH_WIDTH_HZ = (1300.0, 2600.0, 3800.0), 500.0
_OCTAVE_DB = 6.0
_HARMONICS = 11
_HIGHEST_HZ = 7_500.0


def cry(seconds: float, sample_rate_hz: int, rng: Rng) -> Float64:
    """Crying of that length, with a peak of 0.4: (n,)."""
    return _at_rate(infant.cry(seconds, rng), seconds, sample_rate_hz)


def scream(seconds: float, sample_rate_hz: int, rng: Rng) -> Float64:
    """One scream of that length, with a peak of 0.4: (n,)."""
    count = round(seconds * SAMPLE_RATE_HZ)
    place, at_s = np.arange(count) / count, np.arange(count) / SAMPLE_RATE_HZ
    rise, fall = 0.5 * np.clip(place / 0.15, 0, 1), 0.35 * np.clip((place - 0.75) / 0.25, 0, 1)
    vibrato = 1 + 0.01 * np.sin(2 * np.pi * 6 * at_s)
    pitch_hz = _PITCH_HZ * (0.5 + rise - fall) * vibrato * (1 + 0.004 * rng.standard_normal(count))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    voice = np.zeros(count)
    for harmonic in range(1, _HARMONICS + 1):
        hz = harmonic * pitch_hz
        mouth = 1 + sum(2 * np.exp(-(((hz - formant_hz) / _MOUTH_WIDTH_HZ) ** 2)) for formant_hz in _MOUTH_HZ)
        strength = 10 ** (-_OCTAVE_DB * np.log2(harmonic) / 20) * mouth
        voice += np.where(hz < _HIGHEST_HZ, strength, 0.0) * np.sin(harmonic * phase)
    rough_hz = _ROUGHNESS_HZ * (1 + 0.2 * rng.standard_normal(count))
    voice *= 1 + _ROUGHNESS * np.sin(2 * np.pi * np.cumsum(rough_hz) / SAMPLE_RATE_HZ)
    voice += 0.045 * np.abs(voice).max() * rng.standard_normal(count)
    return _at_rate(voice * np.clip(place / 0.08, 0, 1) * np.clip((1 - place) / 0.2, 0, 1), seconds, sample_rate_hz)


def _at_rate(voice: Float64, seconds: float, sample_rate_hz: int) -> Float64:
    """With its peak at 0.4, followed by silence up to its length."""
    if sample_rate_hz != SAMPLE_RATE_HZ:
        voice = soxr.resample(voice, SAMPLE_RATE_HZ, sample_rate_hz)
    voice = voice[: round(seconds * sample_rate_hz)]
    held = np.zeros(round(seconds * sample_rate_hz))
    held[: len(voice)] = voice * (_PEAK / np.abs(voice).max())
    return held
