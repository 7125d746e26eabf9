"""The signal that a room is measured with: six pips, then the demo's infant who cries.

Each pip is a short tone of a pitch of its own, at irregular times. Where their order is found in a recording, the
moment of the cry after them is known to some hundredths of a second, however softly they arrive. The pips lie where the
small speaker of a phone still plays.
"""

from __future__ import annotations

import functools
import io
import wave

import numpy as np
import numpy.typing as npt

from device.synthesis.infant import cry
from device.synthesis.voice import SAMPLE_RATE_HZ

PIP_HZ = (700.0, 950.0, 1300.0, 1750.0, 2350.0, 3150.0)
"""Pitch of each pip; no one is a harmonic of another."""

PIP_START_S = (0.0, 0.5, 0.9, 1.6, 2.1, 3.0)
"""When each begins, after the first."""

PIP_S = 0.3
LEAD_S = 1.0
"""Silence before the first pip: a player that has just started may swallow some of it."""

CRY_START_S = 5.0
"""When the cry begins, after the first pip."""

CRY_END_S = 18.945
"""When it ends, after the first pip: with a whole breath."""

_CRY_S = 14.0  # at most

DEMO_SEED = 20_240_229
"""Of the scene of `auricle demo`, whose infant this is."""

_CRY_OF_SCENE = 2  # of the five generators that the scene draws from, the one of its infant
_EDGE_S = 0.02
_TAIL_S = 1.0
_PIP_PEAK = 0.25
_CRY_PEAK = 0.9
_FULL_SCALE_16_BIT = 32_767


@functools.cache
def room_signal() -> npt.NDArray[np.float32]:
    """The whole signal: float32 (n,) in [-1, 1] at SAMPLE_RATE_HZ; the same at each call."""
    crying = demo_cry()
    samples = np.zeros(round((LEAD_S + CRY_START_S + _TAIL_S) * SAMPLE_RATE_HZ) + len(crying))
    for start_s, hz in zip(PIP_START_S, PIP_HZ, strict=True):
        _put(samples, LEAD_S + start_s, _PIP_PEAK * _pip(hz))
    _put(samples, LEAD_S + CRY_START_S, crying * (_CRY_PEAK / np.abs(crying).max()))
    return samples.astype(np.float32)


def demo_cry() -> npt.NDArray[np.float64]:
    """The cry of the demo's scene, before its room: (n,), of no particular level."""
    return cry(_CRY_S, np.random.default_rng(DEMO_SEED).spawn(5)[_CRY_OF_SCENE])


def signal_wav() -> bytes:
    """The signal as a WAV file of 16 bits, mono."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(np.round(room_signal() * _FULL_SCALE_16_BIT).astype("<i2").tobytes())
    return content.getvalue()


def _pip(hz: float) -> npt.NDArray[np.float64]:
    """A tone of amplitude 1 whose edges are half a cosine: (PIP_S * SAMPLE_RATE_HZ,)."""
    seconds = np.arange(round(PIP_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    edge = np.clip(np.minimum(seconds, PIP_S - seconds) / _EDGE_S, 0.0, 1.0)
    return np.sin(2 * np.pi * hz * seconds) * (0.5 - 0.5 * np.cos(np.pi * edge))


def _put(samples: npt.NDArray[np.float64], start_s: float, sound: npt.NDArray[np.float64]) -> None:
    start = round(start_s * SAMPLE_RATE_HZ)
    samples[start : start + len(sound)] += sound
