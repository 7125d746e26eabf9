"""Finds the six pips of the signal in a stretch of sound, and so the moment at which it was played. Pure.

For each moment the strengths of the six pitches are taken where the pips would lie. A pip counts if its pitch is ten
times as strong as usual in this stretch, as the pitches 3 % beside it, as the other pips' pitches at that moment, and
as its own at the moments of the others: speech, cries and music raise many pitches at once, or glide, or last. Four of
six are enough, as a small speaker or an echo may swallow one or two. Of 383 recordings of cries, speech, animals and
homes none had more than three.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.calibration.room_meter import STEP_S
from device.synthesis.room_signal import PIP_START_S

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.calibration.room_meter import MeasuredSound

    Float64 = npt.NDArray[np.float64]

COUNTS_FROM = 10.0
NEEDED = 4

_QUIET_SHARE = 0.25
"""The signal may fill most of a stretch; a quarter of it is taken for the room alone."""

_MOST_DB = 30.0
_SMALLEST = 1e-20


@dataclass(frozen=True, slots=True)
class FoundPips:
    """The pips in a stretch.

    Attributes:
        start_s: when the first one begins, after the stretch begins.
        counted: how many of the six stand out.
    """

    start_s: float
    counted: int


def find_pips(sound: MeasuredSound) -> FoundPips | None:
    """Where the pips are clearest; None if they are nowhere."""
    offsets = [round(start_s / STEP_S) for start_s in PIP_START_S]
    moments = len(sound.pip_powers) - max(offsets)
    if moments < 1:
        return None
    powers, beside = np.nan_to_num(sound.pip_powers), np.nan_to_num(sound.beside_powers)
    purity = powers / np.maximum(beside, _SMALLEST)
    over = powers / np.maximum(_usual(powers), _SMALLEST)
    # What each pitch does at the moment of each pip: (moments, moment of pip, pitch).
    seen = np.stack([over[offset : offset + moments] for offset in offsets], axis=1)
    pips = list(enumerate(offsets))
    strengths = np.stack(
        [np.minimum(_strength(seen, pip), purity[offset : offset + moments, pip]) for pip, offset in pips], axis=1
    )
    counted = (strengths >= COUNTS_FROM).sum(axis=1)
    clearness = np.minimum(10 * np.log10(np.maximum(strengths, 1.0)), _MOST_DB).sum(axis=1)
    best = int(np.argmax(np.where(counted >= NEEDED, clearness, -1.0)))
    return FoundPips(best * STEP_S, int(counted[best])) if counted[best] >= NEEDED else None


def _usual(powers: Float64) -> Float64:
    """The mean power that each pitch has in the room alone: (n, 6) -> (6,).

    A quarter of the powers of a steady noise, which are exponentially distributed, lies below 0.288 of their mean.
    """
    usual: Float64 = np.quantile(powers, _QUIET_SHARE, axis=0) / -math.log(1 - _QUIET_SHARE)
    return usual


def _strength(seen: Float64, pip: int) -> Float64:
    """How far a pip stands out of its own pitch at the moments of the others, and of the other pitches at its own."""
    elsewhere = np.median(np.delete(seen[:, :, pip], pip, axis=1), axis=1)
    others = np.median(np.delete(seen[:, pip, :], pip, axis=1), axis=1)
    strength: Float64 = seen[:, pip, pip] / np.maximum(np.maximum(elsewhere, others), 1.0)
    return strength
