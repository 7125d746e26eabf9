"""The room around the cot: its tone, its reverberation, and a knock at its door."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from device.synthesis.voice import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import numpy.typing as npt

_RT60_S = 0.35
_HUM_HZ = 50.0


def tone(samples: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Room tone (samples,) of root mean square 1: noise of 3 dB per octave above 40 Hz, and a faint mains hum."""
    spectrum = rng.standard_normal((samples // 2 + 1, 2)) @ np.array([1, 1j])
    frequency_hz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(frequency_hz, 40.0)), samples)
    seconds = np.arange(samples) / SAMPLE_RATE_HZ
    hum = sum(level * np.sin(2 * np.pi * _HUM_HZ * n * seconds) for n, level in ((1, 1.0), (2, 0.5), (3, 0.3)))
    murmur: npt.NDArray[np.float64] = pink / np.sqrt(np.mean(pink**2)) + 0.2 * hum
    return murmur * np.mean(murmur**2) ** -0.5


def impulse_response(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Direct sound, six early reflections off walls and furniture, and a diffuse tail that falls 60 dB in 0.35 s."""
    samples = round(1.2 * _RT60_S * SAMPLE_RATE_HZ)
    seconds = np.arange(samples) / SAMPLE_RATE_HZ
    decay = 10.0 ** (-3.0 * seconds / _RT60_S)
    response = 0.025 * rng.standard_normal(samples) * decay
    response[: round(0.006 * SAMPLE_RATE_HZ)] = 0.0
    reflections = rng.integers(round(0.002 * SAMPLE_RATE_HZ), round(0.025 * SAMPLE_RATE_HZ), 6)
    response[reflections] += rng.choice([-1, 1], 6) * 0.25 * decay[reflections]
    response[0] = 1.0
    return response


def reverberated(sound: npt.NDArray[np.float64], response: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The sound (n,) convolved with the room's impulse response, cut to (n,)."""
    length = 1 << (len(sound) + len(response) - 2).bit_length()
    return np.fft.irfft(np.fft.rfft(sound, length) * np.fft.rfft(response, length), length)[: len(sound)]


def knock(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Three or four knuckle knocks on a wooden door: (samples,), of no particular level."""
    gaps_s = rng.uniform(0.23, 0.29) + rng.uniform(-0.012, 0.012, rng.integers(3, 5))
    starts = np.round((np.cumsum(gaps_s) - gaps_s[0]) * SAMPLE_RATE_HZ).astype(int)
    ringing = _door(rng)
    sound = np.zeros(starts[-1] + len(ringing))
    for start in starts:
        strike = rng.uniform(0.7, 1.0) * (1 + 0.15 * rng.standard_normal(ringing.shape[1]))
        sound[start : start + len(ringing)] += ringing @ strike
    return sound


def _door(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The ringing of each bending mode of a door leaf that a knuckle strikes: (samples, modes).

    The modes of a plate lie as densely at high as at low frequencies (above 3 kHz, where they are faint, fewer stand
    for them all). Flesh hardly excites those above 1.5 kHz and wood damps them sooner; they lie so densely, and die
    within some 30 ms, that a knock is a thud and no note.
    """
    frequency_hz = np.concatenate([rng.uniform(90.0, 3_000.0, 720), rng.uniform(3_000.0, 7_500.0, 300)])
    decay_s = 0.028 * (200.0 / frequency_hz) ** 0.6 * rng.uniform(0.7, 1.3, len(frequency_hz))
    softness = np.maximum(frequency_hz / 250.0, 1.0) * np.sqrt(1.0 + (frequency_hz / 1_500.0) ** 4)
    level = rng.standard_normal(len(frequency_hz)) / softness
    seconds = np.arange(round(0.2 * SAMPLE_RATE_HZ))[:, None] / SAMPLE_RATE_HZ
    contact = 1.0 - np.exp(-seconds / 0.001)
    swinging = np.sin(2 * np.pi * frequency_hz * seconds)
    ringing: npt.NDArray[np.float64] = contact * level * np.exp(-seconds / decay_s) * swinging
    return ringing
