"""Stretches whose scores and sound are written down."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from device.calibration.sensitivity_rows import PlayedCry
from device.calibration.sound_stretch import HeardStretch
from device.hearing.decision import OperatingPoint
from device.messages import Decision
from device.runtime.model_loader import ConfiguredPoint
from tests.device.calibration.sounds import metered

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

HOP_S = 0.5
KEY = ("cry", "cry")
POINT = ConfiguredPoint(
    0, OperatingPoint(0.5, 0.25, confirm_s=1.0, confirm_of_s=1.5, min_length_s=0.0, hold_s=2.0, cooldown_s=3.0)
)


def decisions(scores: Sequence[float], key: tuple[str, str] = KEY, start_s: float = 0.0) -> tuple[Decision, ...]:
    """One window of 2 s each half second."""
    return tuple(
        Decision(*key, "off", "", score, start_s + HOP_S * n, start_s + HOP_S * n + 2.0)
        for n, score in enumerate(scores)
    )


def stretch(scores: Sequence[float], samples: npt.NDArray[np.floating] | None = None) -> HeardStretch:
    sound = metered(np.zeros(16_000) if samples is None else samples)
    return HeardStretch(replace(sound), decisions(scores), (), max(2.0 + HOP_S * len(scores), sound.heard_s))


CRY = PlayedCry(20.0, 34.0)
