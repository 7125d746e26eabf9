"""Sounds that nobody recorded and that glide or whistle like a voice: mews, hinges, kettles, violins, toys, beeps.

Each is a source with harmonics whose pitch and strength follow drawn curves. They widen what the network knows of
sounds that are no infant and no scream; none is meant to deceive a listener.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.data.clips import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]
    Rng = np.random.Generator

KINDS = ("mew", "hinge", "kettle", "violin", "toy", "beep", "bark", "siren")


def draw_sound(rng: Rng) -> tuple[str, Float32]:
    """A sound of a drawn kind: its name, and float32 (n,) at 16 kHz with a peak of 0.5; 0.2 to 5 s."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    samples = _MAKERS[kind](rng)
    return kind, (samples * (0.5 / max(float(np.abs(samples).max()), 1e-9))).astype(np.float32)


def _harmonic(rng: Rng, pitch_hz: Float64, *, slope_db: float, count: int = 24) -> Float64:
    """Harmonics of a pitch curve (n,), each `slope_db` weaker an octave, with a formant that wanders -> (n,)."""
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    formant_hz = np.interp(np.linspace(0, 1, len(pitch_hz)), np.linspace(0, 1, 4), rng.uniform(600, 3500, 4))
    total = np.zeros(len(pitch_hz))
    for order in range(1, count + 1):
        hz = order * pitch_hz
        if hz.min() > SAMPLE_RATE_HZ / 2:
            break
        strength = 10 ** (-slope_db * np.log2(order) / 20) * (1 + 4 * np.exp(-(((hz - formant_hz) / 400) ** 2)))
        total += np.where(hz < SAMPLE_RATE_HZ / 2, strength, 0.0) * np.sin(order * phase + rng.uniform(0, 6.3))
    return total


def _curve(rng: Rng, seconds: float, low: float, high: float, points: int) -> Float64:
    """A smooth curve through drawn values between two limits, drawn evenly in the logarithm."""
    at = np.linspace(0, 1, max(2, round(seconds * SAMPLE_RATE_HZ)))
    values = np.log(rng.uniform(low, high, points) if low > 0 else rng.uniform(1, 2, points))
    knots = np.linspace(0, 1, points)
    smooth = np.interp(at, knots, values)
    width = max(1, len(at) // (4 * points))
    return np.exp(np.convolve(np.pad(smooth, width, mode="edge"), np.ones(2 * width + 1) / (2 * width + 1), "valid"))


def _shaped(samples: Float64, rise: float, fall: float) -> Float64:
    """With a rise and a fall that take those shares of its length."""
    at = np.linspace(0, 1, len(samples))
    return samples * np.clip(at / rise, 0, 1) * np.clip((1 - at) / fall, 0, 1)


def _mew(rng: Rng) -> Float64:
    seconds = rng.uniform(0.3, 1.4)
    base = rng.uniform(350, 900)
    pitch = _curve(rng, seconds, 0.7 * base, 1.3 * base, 4)
    return _shaped(_harmonic(rng, pitch, slope_db=rng.uniform(3, 9)), rng.uniform(0.1, 0.4), rng.uniform(0.2, 0.5))


def _hinge(rng: Rng) -> Float64:
    """Stick and slip: pulses at a drifting rate that ring in a door."""
    seconds = rng.uniform(0.5, 3.0)
    rate = _curve(rng, seconds, rng.uniform(40, 200), rng.uniform(250, 900), 6)
    pulses = np.diff(np.floor(np.cumsum(rate) / SAMPLE_RATE_HZ), prepend=0) * rng.uniform(0.3, 1, len(rate))
    ring = np.arange(800) / SAMPLE_RATE_HZ
    tones = sum(
        np.exp(-ring * rng.uniform(80, 400)) * np.sin(2 * np.pi * hz * ring) for hz in rng.uniform(300, 4000, 5)
    )
    return _shaped(np.convolve(pulses, np.asarray(tones))[: len(rate)], 0.2, 0.2)


def _kettle(rng: Rng) -> Float64:
    seconds = rng.uniform(2.0, 5.0)
    pitch = _curve(rng, seconds, 1200, 3200, 3)
    hiss = rng.standard_normal(len(pitch)) * rng.uniform(0.05, 0.5)
    return _shaped(_harmonic(rng, pitch, slope_db=12, count=3) + hiss, 0.5, 0.1)


def _violin(rng: Rng) -> Float64:
    notes = []
    for _ in range(int(rng.integers(1, 5))):
        seconds = rng.uniform(0.3, 1.2)
        at = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        vibrato = 1 + rng.uniform(0.002, 0.02) * np.sin(2 * np.pi * rng.uniform(4, 7) * at)
        notes.append(_shaped(_harmonic(rng, rng.uniform(196, 1200) * vibrato, slope_db=rng.uniform(4, 8)), 0.15, 0.2))
    return np.concatenate(notes)


def _toy(rng: Rng) -> Float64:
    squeaks = []
    for _ in range(int(rng.integers(1, 4))):
        base = rng.uniform(700, 2500)
        pitch = _curve(rng, rng.uniform(0.08, 0.4), base, 1.5 * base, 3)
        squeaks += [
            _shaped(_harmonic(rng, pitch, slope_db=6, count=8), 0.1, 0.3),
            np.zeros(int(rng.integers(800, 6000))),
        ]
    return np.concatenate(squeaks)


def _beep(rng: Rng) -> Float64:
    hz, length = rng.uniform(500, 3500), int(rng.integers(1200, 8000))
    tone = _shaped(_harmonic(rng, np.full(length, hz), slope_db=rng.uniform(6, 20), count=6), 0.02, 0.02)
    return np.tile(np.concatenate([tone, np.zeros(int(rng.integers(800, 9000)))]), int(rng.integers(1, 6)))


def _bark(rng: Rng) -> Float64:
    barks = []
    base = rng.uniform(150, 700)
    for _ in range(int(rng.integers(1, 5))):
        pitch = _curve(rng, rng.uniform(0.1, 0.35), 0.8 * base, 1.4 * base, 3)
        rough = _harmonic(rng, pitch * (1 + 0.05 * rng.standard_normal(len(pitch))), slope_db=4)
        barks += [_shaped(rough, 0.1, 0.5), np.zeros(int(rng.integers(1500, 9000)))]
    return np.concatenate(barks)


def _siren(rng: Rng) -> Float64:
    seconds = rng.uniform(2, 5)
    at = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    wave = np.sin(2 * np.pi * rng.uniform(0.2, 3) * at)
    wave = np.sign(wave) if rng.random() < 0.4 else wave
    return _harmonic(rng, rng.uniform(500, 900) * (1.35 + 0.35 * wave), slope_db=rng.uniform(4, 10), count=8)


_MAKERS: dict[str, Callable[[Rng], Float64]] = {
    "mew": _mew,
    "hinge": _hinge,
    "kettle": _kettle,
    "violin": _violin,
    "toy": _toy,
    "beep": _beep,
    "bark": _bark,
    "siren": _siren,
}
