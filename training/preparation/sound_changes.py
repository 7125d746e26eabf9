"""Changes of a window of sound that keep its label: noise, masks, pitch, tempo, rooms, a second sound.

Each takes a window (n,), its rate, a generator and a function that gives a second window of the same target, and
returns a window of the same length and level. Pitch and tempo come from librosa. The library audiomentations was
tried and rejected: it refuses soxr 1.0, which the device's resampler needs, and it draws from global generators, so
that no run repeats. Knows no policy: how often and how far is decided in `recipes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from training.mixing.signal import reverberated, synthetic_impulse_response
from training.preparation.loudness import at_level_of, rms

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    Rng = np.random.Generator
    Partner = Callable[[], Float32]

_FADE_S = 0.005
_PHASE_WINDOW_S = 0.064


def with_noise(
    samples: Float32, _rate_hz: int, rng: Rng, _partner: Partner, *, snr_db: tuple[float, float] = (15.0, 35.0)
) -> Float32:
    """White Gaussian noise at a drawn ratio to the window's level."""
    level = rms(samples) * 10 ** (-rng.uniform(*snr_db) / 20)
    noise = rng.standard_normal(len(samples)) * level
    return at_level_of(samples, (samples + noise).astype(np.float32))


def time_masked(
    samples: Float32, rate_hz: int, rng: Rng, _partner: Partner, *, share: tuple[float, float] = (0.03, 0.15)
) -> Float32:
    """A drawn stretch is silenced, with edges of 5 ms."""
    length = int(rng.uniform(*share) * len(samples))
    start = int(rng.integers(0, max(1, len(samples) - length)))
    position = np.arange(len(samples), dtype=np.float64)
    outside = np.maximum(start - position, position - (start + length))
    gain = np.clip(outside / max(1.0, _FADE_S * rate_hz), 0.0, 1.0)
    return at_level_of(samples, (samples * gain).astype(np.float32))


def frequency_masked(
    samples: Float32, _rate_hz: int, rng: Rng, _partner: Partner, *, share: tuple[float, float] = (0.03, 0.12)
) -> Float32:
    """A drawn band, as a share of all frequencies, is removed: a mask of the spectrogram that the device could hear."""
    spectrum = scipy.fft.rfft(samples.astype(np.float64))
    width = int(rng.uniform(*share) * len(spectrum))
    start = int(rng.integers(0, max(1, len(spectrum) - width)))
    kept = spectrum.copy()
    kept[start : start + width] = 0.0
    changed = scipy.fft.irfft(kept, len(samples)).astype(np.float32)
    # A pure tone within the band would leave nothing but rounding, which no gain makes a sound.
    return at_level_of(samples, changed) if rms(changed) > 0.05 * rms(samples) else samples


def pitch_shifted(
    samples: Float32, rate_hz: int, rng: Rng, _partner: Partner, *, semitones: tuple[float, float] = (-2.0, 2.0)
) -> Float32:
    """Higher or lower by a drawn interval, as long as before."""
    import librosa

    steps = float(rng.uniform(*semitones))
    shifted = librosa.effects.pitch_shift(samples, sr=rate_hz, n_steps=steps, n_fft=_phase_window(samples, rate_hz))
    return at_level_of(samples, np.asarray(shifted, np.float32))


def time_stretched(
    samples: Float32, rate_hz: int, rng: Rng, _partner: Partner, *, factor: tuple[float, float] = (0.85, 1.15)
) -> Float32:
    """Faster or slower by a drawn factor at the same pitch; cut or repeated to the window's length."""
    import librosa

    rate = float(rng.uniform(*factor))
    stretched = librosa.effects.time_stretch(samples, rate=rate, n_fft=_phase_window(samples, rate_hz))
    return at_level_of(samples, np.resize(np.asarray(stretched, np.float32), len(samples)))


def in_a_room(samples: Float32, rate_hz: int, rng: Rng, _partner: Partner) -> Float32:
    """In a small synthesized room, most of it direct sound."""
    response = synthetic_impulse_response(rng, rate_hz)
    wet = np.float32(rng.uniform(0.1, 0.4))
    room = at_level_of(samples, reverberated(samples, response))
    return at_level_of(samples, (1 - wet) * samples + wet * room)


def mixed_with_partner(
    samples: Float32, _rate_hz: int, rng: Rng, partner: Partner, *, weight: tuple[float, float] = (0.6, 0.9)
) -> Float32:
    """MixUp of sounds that have the same target, so the target stays: the first one prevails."""
    share = np.float32(rng.uniform(*weight))
    mixed = share * samples + (1 - share) * at_level_of(samples, partner())
    return at_level_of(samples, mixed.astype(np.float32))


def time_shifted(samples: Float32, _rate_hz: int, rng: Rng, _partner: Partner) -> Float32:
    """Begun at a drawn moment; what stood before it follows at the end."""
    return np.roll(samples, int(rng.integers(0, max(1, len(samples)))))


def _phase_window(samples: Float32, rate_hz: int) -> int:
    """FFT size of the phase vocoder: a power of two near 64 ms, no longer than the window."""
    longest = max(16, min(len(samples), round(_PHASE_WINDOW_S * rate_hz)))
    return 1 << (longest.bit_length() - 1)
