"""The sound that is played: a room, then cry after cry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr

from device.demo.scene import SEED, bedside

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

MODEL_HZ = 16000
BLOCK_S = 0.05
QUIET_S = 60.0
"""Of a room, before the first cry: what the alarm path costs when there is no alarm."""

CRY_S, ROOM_S = 2.5, 2.5


def sounds(rate_hz: int) -> tuple[Float32, Float32]:
    """(a room, a cry and the room): float32 (n,) each at the microphone's rate."""
    scene = bedside(np.random.default_rng(SEED)).samples
    room = scene[46 * MODEL_HZ : 60 * MODEL_HZ]
    cry = scene[28 * MODEL_HZ : 41 * MODEL_HZ]
    cycle = np.concatenate([cry[: round(CRY_S * MODEL_HZ)], room[: round(ROOM_S * MODEL_HZ)]])
    return _at(room, rate_hz), _at(cycle, rate_hz)


def _at(samples: Float32, rate_hz: int) -> Float32:
    return samples if rate_hz == MODEL_HZ else soxr.resample(samples, MODEL_HZ, rate_hz).astype(np.float32)


def cut(sound: Float32, first: int, count: int) -> Float32:
    """`count` samples of a sound that is repeated, from `first` on."""
    return sound[np.arange(first, first + count) % len(sound)]
