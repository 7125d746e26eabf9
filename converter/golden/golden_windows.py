"""The golden windows that a model must reproduce on every machine: six sounds, made from one seed, and a sequence.

A tone and a click lie over noise 40 dB below them. Without it, a tone's far FFT bins would hold rounding
errors of the FFT itself, and their logarithms would differ from one machine to the next; of a click in
digital silence some cepstra hardly vary, and standardizing them makes rounding errors large: 0.0025
between x86-64 and ARM. Silence is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from converter.golden.golden_voices import cry, scream
from device.hearing.bundle.golden_sequences import GoldenSequence, sequence_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]

SEED = 20_240_501
SEQUENCE = "cry-begins"
"""Name of the golden sequence."""

_TELLING = ("noise", "cry-like")  # every bin holds energy; bands near the floor beside loud ones
_CASES_WITH_FEATURES = 2

_MORE_WINDOWS = 4  # than the past holds: rows are moved out of it too
_MOST_WINDOWS = 16
_FAINT_NOISE = 0.003  # RMS; -40 dB under a tone of amplitude 0.4
_CRY_F0_HZ = 450.0  # infants cry between 350 and 550 Hz
_CRY_GLIDE_HZ = 80.0
_CRY_S = 0.9  # one expiration
_PAUSE_S = 0.3


def golden_sounds(sample_rate_hz: int, window_samples: int) -> dict[str, Float32]:
    """One window of each sound by name: float32 (window_samples,), whole int16 steps in [-1, 1)."""
    rng = np.random.default_rng(SEED)
    seconds = np.arange(window_samples) / sample_rate_hz
    return {name: _as_int16(sound(seconds, rng)) for name, sound in _SOUNDS.items()}


def cases_with_features(names: Collection[str]) -> list[str]:
    """Of these golden sounds, the two whose features a bundle keeps, in their order.

    Features are most of a golden case's bytes. Those of two sounds show that a machine computes the same ones; the
    scores of every sound show that they lead to the same decision.
    """
    kept = sorted(names, key=lambda name: name not in _TELLING)[:_CASES_WITH_FEATURES]
    return [name for name in names if name in kept]


def golden_sequence(sample_rate_hz: int, window_samples: int, hop_samples: int, past_steps: int) -> GoldenSequence:
    """Windows that follow one another, more than a past of so many steps holds, without labels.

    Faint noise for a quarter of it, an infant who cries up to two thirds, then a person who screams.
    """
    count = min(past_steps + _MORE_WINDOWS, _MOST_WINDOWS)
    rng = np.random.default_rng(SEED)
    samples = sequence_samples(window_samples, hop_samples, count)
    begin, middle = samples // 4, 2 * samples // 3
    voices = (
        np.zeros(begin),
        cry((middle - begin) / sample_rate_hz, sample_rate_hz, rng),
        scream((samples - middle) / sample_rate_hz, sample_rate_hz, rng),
    )
    sound = np.concatenate(voices) + rng.normal(0.0, _FAINT_NOISE, samples)
    return GoldenSequence(SEQUENCE, _as_int16(sound), np.zeros((count, 0), np.float32))


def _silence(seconds: Float64, _: np.random.Generator) -> Float64:
    return np.zeros(len(seconds))


def _noise(seconds: Float64, rng: np.random.Generator) -> Float64:
    return rng.normal(0.0, 0.1, len(seconds))


def _sine(seconds: Float64, rng: np.random.Generator) -> Float64:
    return 0.4 * np.sin(2 * np.pi * 1000.0 * seconds) + rng.normal(0.0, _FAINT_NOISE, len(seconds))


def _click(seconds: Float64, rng: np.random.Generator) -> Float64:
    click = rng.normal(0.0, _FAINT_NOISE, len(seconds))
    click[len(seconds) // 2] = 0.9
    return click


def _clipping(seconds: Float64, rng: np.random.Generator) -> Float64:
    return 4.0 * np.sin(2 * np.pi * 300.0 * seconds) + rng.normal(0.0, 0.5, len(seconds))


def _cry(seconds: Float64, rng: np.random.Generator) -> Float64:
    """Harmonics of a gliding f0, shaped by a formant near 1.2 kHz, in expirations with pauses."""
    breath = seconds % (_CRY_S + _PAUSE_S)
    f0_hz = _CRY_F0_HZ + _CRY_GLIDE_HZ * np.sin(np.pi * np.clip(breath / _CRY_S, 0, 1))
    phase = 2 * np.pi * np.cumsum(f0_hz) * (seconds[1] - seconds[0])
    nyquist_hz = 0.5 / (seconds[1] - seconds[0])
    voice = np.zeros(len(seconds))
    for harmonic in range(1, 1 + int(0.9 * nyquist_hz / (_CRY_F0_HZ + _CRY_GLIDE_HZ))):
        gain = 1 / (1 + ((harmonic * _CRY_F0_HZ - 1200.0) / 600.0) ** 2)
        voice += gain * np.sin(harmonic * phase)
    envelope = np.where(breath < _CRY_S, np.sin(np.pi * np.clip(breath / _CRY_S, 0, 1)) ** 0.5, 0.0)
    return 0.15 * voice * envelope + rng.normal(0.0, _FAINT_NOISE, len(seconds))


def _as_int16(samples: Float64) -> Float32:
    return (np.clip(np.rint(samples * 32768), -32768, 32767) / 32768).astype(np.float32)


_SOUNDS: dict[str, Callable[[Float64, np.random.Generator], Float64]] = {
    "silence": _silence,
    "noise": _noise,
    "sine": _sine,
    "click": _click,
    "clipping": _clipping,
    "cry-like": _cry,
}
