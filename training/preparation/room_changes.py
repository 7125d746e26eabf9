"""Changes of a window at 16 kHz that holds an alarming sound or none: rooms, backgrounds, channels, levels.

What happens to a scream happens to every other sound too, so that neither level, bandwidth, reverberation nor
background predicts one. Functions as `sound_changes` has them; the processing is that of `training.mixing.signal`. The
partner is a window without the task's labels, and lies under the sound as its background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.data.clips import SAMPLE_RATE_HZ
from training.mixing.clip_in_background import SNRS_DB
from training.mixing.signal import (
    bin_hz,
    filtered,
    highpass_gain,
    interpolated,
    lowpass_gain,
    mix_at_snr,
    noise,
    quantized,
    reverberated,
    synthetic_impulse_response,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    Rng = np.random.Generator
    Partner = Callable[[], Float32]

SPEEDS = (0.87, 1.15)
SNRS_RANGE_DB = (min(SNRS_DB) - 2.0, max(SNRS_DB) + 5.0)
PEAKS_DBFS = (-50.0, 6.0)
"""Of a window; above 0 it is clipped."""

_RECORDED_SHARE = 0.75


def at_another_speed(samples: Float32, _rate_hz: int, rng: Rng, _partner: Partner) -> Float32:
    """Faster or slower, pitch and all; what is then missing at the end is the sound's beginning."""
    position = float(rng.uniform(*SPEEDS)) * np.arange(len(samples), dtype=np.float64)
    return interpolated(samples, position % max(1, len(samples) - 1))


def shifted_into_silence(samples: Float32, _rate_hz: int, rng: Rng, _partner: Partner) -> Float32:
    """Begun later or ended earlier, by up to half of the window, as at an onset; the rest is silence."""
    by = int(rng.integers(-len(samples) // 2, len(samples) // 2 + 1))
    moved = np.roll(samples, by)
    moved[slice(0, by) if by >= 0 else slice(by, None)] = 0.0
    return moved


def in_any_room(samples: Float32, _rate_hz: int, rng: Rng, _partner: Partner) -> Float32:
    """In a synthesized room that decays within 0.1 to 0.9 s."""
    return reverberated(samples, synthetic_impulse_response(rng))


def over_background(samples: Float32, _rate_hz: int, rng: Rng, partner: Partner) -> Float32:
    """Over another sound or, more rarely, a room's tone, at the levels that scenes have."""
    under = partner() if rng.random() < _RECORDED_SHARE else noise(rng, len(samples))
    return mix_at_snr(samples, under, float(rng.uniform(*SNRS_RANGE_DB)))


def through_a_channel(samples: Float32, _rate_hz: int, rng: Rng, _partner: Partner) -> Float32:
    """A tilted spectrum, and often no lows or no highs: a microphone, a telephone, a codec."""
    hz = bin_hz(len(samples))
    octaves = np.clip(np.log2(np.maximum(hz, 1.0) / 1000.0), -4, 3)
    gain = 10 ** (rng.uniform(-3, 3) * octaves / 20)
    if rng.random() < 0.5:
        gain = gain * highpass_gain(hz, float(rng.uniform(50, 300)))
    if rng.random() < 0.5:
        gain = gain * lowpass_gain(hz, float(rng.uniform(3400, SAMPLE_RATE_HZ / 2)))
    return filtered(samples, gain)


def at_another_level(samples: Float32, _rate_hz: int, rng: Rng, _partner: Partner) -> Float32:
    """At a drawn peak, sometimes clipped, in 16 bits."""
    peak = max(float(np.abs(samples).max()), 1e-9)
    return quantized(samples * np.float32(10 ** (rng.uniform(*PEAKS_DBFS) / 20) / peak))
