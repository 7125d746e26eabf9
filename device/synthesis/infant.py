"""Synthesizes a crying infant: breath after breath, a phonated expiration and a gasp for air.

The figures are those of healthy infants of the first months: cry bursts of 0.5 to 1.5 s about once
a second or slower, each followed by a short inspiration; pitch 350 to 600 Hz, mostly rising and
falling; dysphonic stretches where the folds vibrate chaotically; subharmonics; hyperphonation, a
jump to more than twice the pitch (O. Wasz-Hoeckert et al., The Infant Cry, 1968; H. Golub and
M. Corwin in Infant Crying, 1985; L. LaGasse et al., Ment. Retard. Dev. Disabil. Res. Rev. 11, 2005;
K. Wermke and W. Mende, Speech Commun. 2009). A vocal tract of 7 to 8 cm puts the resonances of an
open mouth near 1.1 and 3.3 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.synthesis.voice import STEP_S, Phonation, Throat, glide, join, smoothed, speak

if TYPE_CHECKING:
    import numpy.typing as npt

# Pitch over one expiration, relative to the infant's own: (position, factor). The first is the most common.
_MELODIES = (
    ((0.0, 0.72), (0.1, 0.98), (0.35, 1.12), (0.7, 1.02), (0.9, 0.88), (1.0, 0.66)),
    ((0.0, 0.78), (0.07, 1.12), (0.4, 1.08), (0.8, 0.94), (1.0, 0.68)),
    ((0.0, 0.7), (0.12, 1.05), (0.35, 1.1), (0.5, 0.94), (0.65, 1.12), (0.85, 1.0), (1.0, 0.7)),
    ((0.0, 0.74), (0.1, 0.95), (0.5, 1.0), (0.8, 1.18), (0.92, 1.0), (1.0, 0.74)),
)
_MELODY_SHARES = (0.4, 0.25, 0.2, 0.15)
_BANDWIDTHS_HZ = np.array([250.0, 350.0, 450.0, 600.0])


@dataclass(frozen=True, slots=True)
class Infant:
    """One infant: its pitch, the length of its throat as a quarter wave, the resonances of its open mouth."""

    f0_hz: float
    quarter_wave_hz: float
    formants_hz: tuple[float, float, float, float]

    @classmethod
    def random(cls, rng: np.random.Generator) -> Infant:
        """A random infant: a vocal tract of 7.2 to 8.2 cm, closed at the larynx, 350 m/s warm air."""
        quarter_wave_hz = 350.0 / (4 * rng.uniform(0.072, 0.082))
        wander = rng.uniform(0.94, 1.06, 4)
        modes = np.array([1.0, 2.6, 4.6, 6.8])
        first, second, third, fourth = (quarter_wave_hz * modes * wander).tolist()
        return cls(rng.uniform(400.0, 480.0), quarter_wave_hz, (first, second, third, fourth))


def cry(duration_s: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A bout of crying of at most `duration_s`, ending with its last expiration: (samples,), of no particular level."""
    infant = Infant.random(rng)
    breaths = [_expiration(infant, 0.9, 0.8, rng)]
    while True:
        breath = [
            _rest(infant, rng.uniform(0.03, 0.1)),
            _inspiration(infant, rng),
            _rest(infant, rng.uniform(0.04, 0.2)),
            _expiration(infant, rng.uniform(0.6, 1.4), rng.uniform(0.7, 1.1), rng),
        ]
        if (sum(map(len, breaths)) + sum(map(len, breath))) * STEP_S > duration_s:
            return speak(join(breaths), Throat(infant.quarter_wave_hz, _BANDWIDTHS_HZ, tilt=0.6), rng)
        breaths += breath


def _expiration(infant: Infant, duration_s: float, loudness: float, rng: np.random.Generator) -> Phonation:
    """One cry burst: a fast onset, a melody with tremor, an open mouth, a slower decay."""
    steps = round(duration_s / STEP_S)
    rough, chaotic = _dysphonia(steps, rng)
    pitch = _melody(infant, steps, rng) * (1 + (0.006 + 0.03 * chaotic) * rng.standard_normal(steps))
    swell = glide(steps, ((0.0, 0.0), (0.05 / duration_s, 1.0), (0.45, 1.1), (1 - 0.22 / duration_s, 0.85), (1.0, 0.0)))
    shimmer = 1 + (0.04 + 0.15 * chaotic) * rng.standard_normal(steps)
    return Phonation(
        f0_hz=pitch,
        loudness=loudness * swell * np.clip(shimmer, 0.3, None) * (1 - 0.45 * chaotic),
        breath=0.1 + 0.9 * chaotic,
        roughness=rough,
        formants_hz=_mouth(infant, steps, rng),
    )


def _melody(infant: Infant, steps: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Pitch (steps,) in Hz: one of the melodies, a tremor of 5 to 8 Hz, now and then a jump into hyperphonation."""
    shape = _MELODIES[rng.choice(len(_MELODIES), p=_MELODY_SHARES)]
    pitch = infant.f0_hz * rng.lognormal(0.0, 0.07) * glide(steps, shape, smooth_s=0.09)
    seconds = np.arange(steps) * STEP_S
    wave = np.sin(2 * np.pi * (rng.uniform(5, 8) * seconds + rng.uniform()))
    waxing = smoothed(rng.standard_normal(steps), 0.4) / 0.15
    drift = smoothed(rng.standard_normal(steps), 0.08) / 0.3
    tremor = 1 + 0.012 * waxing * wave + 0.018 * drift
    if rng.uniform() < 0.12:
        start = rng.uniform(0.15, 0.6)
        end = start + rng.uniform(0.2, 0.35)
        jump = glide(steps, ((0, 0), (start, 0), (start, 1), (end, 1), (end, 0), (1, 0)), smooth_s=0.02)
        pitch = pitch * (1 + rng.uniform(1.0, 1.3) * jump)
    wavering: npt.NDArray[np.float64] = pitch * tremor
    return wavering


def _dysphonia(steps: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Strength of subharmonics and of chaotic vibration of the vocal folds, both (steps,) from 0 to 1."""
    rough, chaotic = np.zeros(steps), np.zeros(steps)
    for track, chance in ((rough, 0.4), (chaotic, 0.45)):
        if rng.uniform() < chance:
            start, length = rng.uniform(0.1, 0.6), rng.uniform(0.15, 0.4)
            track[round(start * steps) : round((start + length) * steps)] = rng.uniform(0.4, 0.9)
    return smoothed(rough, 0.04), smoothed(chaotic, 0.06)


def _mouth(infant: Infant, steps: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Resonances (steps, 4): the mouth opens at the onset and closes at the end, which lowers the first most."""
    opening = glide(steps, ((0.0, 0.55), (0.15, 1.0), (0.75, rng.uniform(0.85, 1.05)), (1.0, 0.65)), smooth_s=0.06)
    follows = np.array([1.0, 0.3, 0.15, 0.1])
    wander = rng.uniform(0.95, 1.05, 4)
    return np.array(infant.formants_hz) * wander * (1 + follows * (opening[:, None] - 1))


def _inspiration(infant: Infant, rng: np.random.Generator) -> Phonation:
    """A gasp: rushing air, often with a thin, high, rising voice in it."""
    steps = round(rng.uniform(0.12, 0.28) / STEP_S)
    swell = glide(steps, ((0.0, 0.0), (0.3, 0.8), (0.7, 1.0), (1.0, 0.0)), smooth_s=0.04)
    rise = glide(steps, ((0.0, 1.3), (1.0, rng.uniform(1.5, 1.9))))
    return Phonation(
        f0_hz=infant.f0_hz * rise * (1 + 0.01 * rng.standard_normal(steps)),
        loudness=rng.uniform(0.1, 0.22) * swell,
        breath=np.full(steps, rng.uniform(0.5, 1.2)),
        roughness=np.zeros(steps),
        formants_hz=_mouth(infant, steps, rng) * 0.9,
    )


def _rest(infant: Infant, duration_s: float) -> Phonation:
    """No sound; the mouth stays half open."""
    steps = round(duration_s / STEP_S)
    silent = np.zeros(steps)
    formants_hz = np.tile(np.array(infant.formants_hz) * 0.8, (steps, 1))
    return Phonation(np.full(steps, infant.f0_hz), silent, silent, silent, formants_hz)
