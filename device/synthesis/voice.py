"""Synthesizes a voice by the source-filter model: a larynx drives the resonances of a throat.

The larynx is a sum of harmonics, exact at any pitch, and breath noise; the throat is a cascade of
resonances (G. Fant, Acoustic Theory of Speech Production, 1960; D. H. Klatt, J. Acoust. Soc. Am. 67,
1980). What moves (pitch, loudness, mouth) is a track with a value every 5 ms. Knows neither infants nor
talkers: they compute the tracks.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_Value = TypeVar("_Value", np.float64, np.complex128)

SAMPLE_RATE_HZ = 16_000
STEP_SAMPLES = 80
STEP_S = STEP_SAMPLES / SAMPLE_RATE_HZ

# A frame of noise spans four steps, so that sine-shaped (square root of Hann) frames overlap evenly.
_NOISE_SAMPLES = 4 * STEP_SAMPLES
NOISE_HZ: npt.NDArray[np.float64] = np.linspace(0.0, SAMPLE_RATE_HZ / 2, _NOISE_SAMPLES // 2 + 1)
# Partials fade out below half the rate, where nothing may sound.
_FADE_HZ = (7_000.0, 7_800.0)


@dataclass(frozen=True, slots=True, eq=False)
class Throat:
    """What stays the same in one voice.

    Attributes:
        quarter_wave_hz: first resonance of the throat as a plain tube, closed at the larynx; resonances
            above the m given ones are at odd multiples of it.
        bandwidths_hz: (m,) width of each resonance at half its power.
        tilt: a harmonic n times as high is n ** -tilt as strong, lip radiation included
            (1 is 6 dB per octave, a full voice; 2 is breathy and soft).
    """

    quarter_wave_hz: float
    bandwidths_hz: npt.NDArray[np.float64]
    tilt: float


@dataclass(frozen=True, slots=True, eq=False)
class Phonation:
    """What one voice does, a value every STEP_SAMPLES samples.

    Attributes:
        f0_hz: (n,) pitch.
        loudness: (n,) amplitude of the larynx, 0 is rest.
        breath: (n,) amplitude of the noise of flowing air, beside which a harmonic is 1 at f0.
        roughness: (n,) amplitude of the subharmonics between the harmonics, 0 to 1.
        formants_hz: (n, m) centre of each resonance.
    """

    f0_hz: npt.NDArray[np.float64]
    loudness: npt.NDArray[np.float64]
    breath: npt.NDArray[np.float64]
    roughness: npt.NDArray[np.float64]
    formants_hz: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.f0_hz)


def join(phonations: Sequence[Phonation]) -> Phonation:
    """Phonations one after the other."""
    return Phonation(*(np.concatenate([getattr(p, track.name) for p in phonations]) for track in fields(Phonation)))


def glide(steps: int, points: Sequence[tuple[float, float]], *, smooth_s: float = 0.03) -> npt.NDArray[np.float64]:
    """A track (steps,) through (position in 0 to 1, value) points, its corners rounded over `smooth_s` seconds."""
    positions, values = zip(*points, strict=True)
    return smoothed(np.interp(np.linspace(0.0, 1.0, steps), positions, values), smooth_s)


def smoothed(track: npt.NDArray[np.float64], width_s: float) -> npt.NDArray[np.float64]:
    """The track (n,) averaged by a Hann window of `width_s` seconds; its ends go on beyond the edges."""
    reach = round(width_s / STEP_S / 2)
    if reach == 0:
        return track
    weights = np.hanning(2 * reach + 3)[1:-1]
    return np.convolve(np.pad(track, reach, mode="edge"), weights / weights.sum(), mode="valid")


def speak(phonation: Phonation, throat: Throat, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The sound of a phonation of n steps: (n * STEP_SAMPLES,) at SAMPLE_RATE_HZ, of no particular level."""
    air_gain = np.abs(resonance(NOISE_HZ, phonation.formants_hz, throat))
    air = noise(air_gain * (phonation.loudness * phonation.breath)[:, None], rng)
    # Air flows while the vocal folds are open: the noise pulses with them.
    pulse = 1 + 0.5 * np.cos(2 * np.pi * _cycles(phonation.f0_hz))
    return voiced(phonation, throat) + air * pulse


def voiced(phonation: Phonation, throat: Throat) -> npt.NDArray[np.float64]:
    """The harmonics and subharmonics of a phonation, without breath: (n * STEP_SAMPLES,)."""
    half_cycles = 0.5 * _cycles(phonation.f0_hz)
    turn = np.exp(2j * np.pi * half_cycles)
    partial = np.ones_like(turn)
    sound = np.zeros(len(turn))
    is_rough = bool(phonation.roughness.any())
    # Partials of half the pitch: the even ones are the harmonics, the odd ones the subharmonics.
    for half in range(1, int(2 * _FADE_HZ[1] / phonation.f0_hz.min()) + 1):
        partial = partial * turn
        if half % 2 == 0 or is_rough:
            sound += (_interpolated(_strength(half / 2, phonation, throat)) * partial).real
    return sound


def noise(gain: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """White noise of deviation 1 shaped by an amplitude gain (n, len(NOISE_HZ)) per step: (n * STEP_SAMPLES,)."""
    spectrum = rng.standard_normal((*gain.shape, 2)) @ np.array([1, 1j])
    frames = np.fft.irfft(spectrum * gain * np.sqrt(_NOISE_SAMPLES / 2), _NOISE_SAMPLES)  # (n, 4 steps)
    # sin ** 2 of a half period, at a quarter's overlap, adds up to 2.
    window = np.sin(np.pi * (np.arange(_NOISE_SAMPLES) + 0.5) / _NOISE_SAMPLES) / np.sqrt(2)
    quarters = (frames * window).reshape(len(gain), 4, STEP_SAMPLES)
    sound = np.zeros((len(gain) + 3, STEP_SAMPLES))
    for quarter in range(4):
        sound[quarter : quarter + len(gain)] += quarters[:, quarter]
    return sound[2 : len(gain) + 2].ravel()


def resonance(
    frequency_hz: npt.NDArray[np.float64],
    formants_hz: npt.NDArray[np.float64],
    throat: Throat,
) -> npt.NDArray[np.complex128]:
    """Response of the cascade of resonances, 1 at 0 Hz: frequencies (k,) or (n, k), formants (n, m) -> (n, k).

    What the resonances above the m-th add is Fant's higher pole correction: exp(r (f / f1) ** 2), where r is
    the rest of the series 1 + 1/9 + 1/25 + ... = pi ** 2 / 8 after m terms.
    """
    odd = 2 * np.arange(formants_hz.shape[1]) + 1
    rest = np.pi**2 / 8 - np.sum(1.0 / odd**2)
    above = np.exp(rest * (frequency_hz / throat.quarter_wave_hz) ** 2)
    response = np.broadcast_to(above, (len(formants_hz), frequency_hz.shape[-1])).astype(np.complex128)
    for formant_hz, bandwidth_hz in zip(formants_hz.T, throat.bandwidths_hz, strict=True):
        pole = (formant_hz**2 + (bandwidth_hz / 2) ** 2)[:, None]
        response *= pole / (pole - frequency_hz**2 + 1j * bandwidth_hz * frequency_hz)
    return response


def _strength(harmonic: float, phonation: Phonation, throat: Throat) -> npt.NDArray[np.complex128]:
    """Complex amplitude (n,) of one partial; a subharmonic is one at n and a half."""
    frequency_hz = harmonic * phonation.f0_hz
    level = phonation.loudness * harmonic**-throat.tilt
    if harmonic % 1:
        level = level * phonation.roughness
    level = level * np.clip((_FADE_HZ[1] - frequency_hz) / (_FADE_HZ[1] - _FADE_HZ[0]), 0.0, 1.0)
    strength: npt.NDArray[np.complex128] = level * resonance(frequency_hz[:, None], phonation.formants_hz, throat)[:, 0]
    return strength


def _cycles(f0_hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Number of closures of the vocal folds until each sample."""
    return np.cumsum(_interpolated(f0_hz)) / SAMPLE_RATE_HZ


def _interpolated(track: npt.NDArray[_Value]) -> npt.NDArray[_Value]:
    """A track (n,) interpolated linearly to samples (n * STEP_SAMPLES,)."""
    ahead = np.append(track[1:], track[-1:])
    fraction = np.arange(STEP_SAMPLES) / STEP_SAMPLES
    return (track[:, None] + (ahead - track)[:, None] * fraction).ravel()
