"""Finds the hum of the mains in a spectrum: narrow, steady lines at 50 or 60 Hz and their multiples. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.calibration.room_meter import SPECTRUM_STEP_HZ

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.calibration.room_meter import MeasuredSound

MAINS_HZ = (50.0, 60.0)
HARMONICS = 8
STANDS_OUT_DB = 10.0
"""A line is one from so far above the spectrum beside it on; steady noise of ten seconds reaches 6 dB."""

LEAST_SPECTRA = 10
"""Fewer seconds have lines by chance."""

_STRAY_HZ = 1.0
"""How far a line may lie from the multiple: the mains may be 0.4 % off, and a window is 1 Hz wide."""

_BESIDE_HZ = (3.0, 12.0)


@dataclass(frozen=True, slots=True)
class Hum:
    """A hum that was found.

    Attributes:
        mains_hz: 50 or 60.
        power: of its lines together.
        lines_hz: the multiples that stand out.
    """

    mains_hz: float
    power: float
    lines_hz: tuple[float, ...]


def find_hum(sound: MeasuredSound) -> Hum | None:
    """The hum of the mains; None if there is none, or if the stretch is too short to tell.

    Two lines are a hum, or one of the first two multiples alone; 300 Hz, which both mains have, decides nothing.
    """
    if len(sound.band_powers) < LEAST_SPECTRA:
        return None
    found = {mains_hz: _lines(sound.steady_spectrum, mains_hz) for mains_hz in MAINS_HZ}
    mains_hz = max(MAINS_HZ, key=lambda each: sum(found[each].values()))
    lines = found[mains_hz]
    own = [line for line in lines if line % 300.0]
    if not own or (len(own) == 1 and own[0] > 2 * mains_hz):
        return None
    power = sum(_line_power(sound.mean_spectrum, line_hz) for line_hz in lines)
    return Hum(mains_hz, power, tuple(lines))


def _lines(spectrum: npt.NDArray[np.float64], mains_hz: float) -> dict[float, float]:
    """The multiples that stand out of the spectrum -> by how many decibels."""
    multiples = [mains_hz * harmonic for harmonic in range(1, HARMONICS + 1)]
    over = {line_hz: _over_db(spectrum, line_hz) for line_hz in multiples}
    return {line_hz: db for line_hz, db in over.items() if db >= STANDS_OUT_DB}


def _over_db(spectrum: npt.NDArray[np.float64], line_hz: float) -> float:
    """How far the line stands out of what is on both sides of it."""
    near, far = _BESIDE_HZ
    beside = [*_between(spectrum, line_hz - far, line_hz - near), *_between(spectrum, line_hz + near, line_hz + far)]
    highest = float(_between(spectrum, line_hz - _STRAY_HZ, line_hz + _STRAY_HZ).max())
    level = float(np.median(beside))
    return 10 * float(np.log10(highest / level)) if highest > 0 and level > 0 else 0.0


def _line_power(spectrum: npt.NDArray[np.float64], line_hz: float) -> float:
    return float(_between(spectrum, line_hz - _STRAY_HZ, line_hz + _STRAY_HZ).sum())


def _between(spectrum: npt.NDArray[np.float64], low_hz: float, high_hz: float) -> npt.NDArray[np.float64]:
    return spectrum[round(low_hz / SPECTRUM_STEP_HZ) : round(high_hz / SPECTRUM_STEP_HZ) + 1]
