"""Signal processing for mixing: levels, noise, impulse responses, filters, companding, 16-bit samples.

Pure functions of samples and of the generator that is passed in. Knows no augmentation policy: how often
and how far a window is changed is decided in `augment`, what lies under a clip in `clip_in_background`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from training.data.clips import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]
    Rng = np.random.Generator

STEP_SAMPLES = SAMPLE_RATE_HZ // 100
"""Ten milliseconds: the resolution of levels, and of the marks that say where an infant cries."""

FULL_SCALE = 32_768
"""Steps of a 16-bit sample from 0 to 1.0, as the device reads them; the largest sample is one step below 1.0."""

LARGEST_SAMPLE = (FULL_SCALE - 1) / FULL_SCALE


# --- levels -------------------------------------------------------------------------------------


def step_power(samples: Float32) -> Float32:
    """Mean square of each step: (n,) -> (n // STEP_SAMPLES,)."""
    whole = samples[: len(samples) // STEP_SAMPLES * STEP_SAMPLES].reshape(-1, STEP_SAMPLES)
    power: Float32 = np.mean(whole * whole, axis=1)
    return power


def loud_steps(samples: Float32, below_loudest_db: float = 20.0) -> Mask:
    """Steps of a sound that are at most `below_loudest_db` below its loudest: (n,) -> bool (n // STEP_SAMPLES,)."""
    power = step_power(samples)
    if not len(power) or power.max() <= 0:
        return np.zeros(len(power), np.bool_)
    loud: Mask = power >= power.max() * 10 ** (-below_loudest_db / 10)
    return loud


def loud_power(samples: Float32) -> float:
    """Mean square over the loud steps; 0 for digital silence."""
    power, loud = step_power(samples), loud_steps(samples)
    return float(power[loud].mean()) if loud.any() else 0.0


def gain_to_snr(signal_power: float, other_power: float, snr_db: float) -> np.float32:
    """Gain that puts another sound `snr_db` below a signal; 1 if either is digital silence.

    Args:
        signal_power: of the signal's loud steps, see `loud_power`.
        other_power: of the other sound's loud steps.
        snr_db: wanted ratio of the two.
    """
    if signal_power <= 0 or other_power <= 0:
        return np.float32(1.0)
    return np.float32(np.sqrt(signal_power / other_power * 10 ** (-snr_db / 10)))


def mix_at_snr(sound: Float32, other: Float32, snr_db: float) -> Float32:
    """Mix another sound under a sound: the powers of their loud steps are `snr_db` apart."""
    return sound + gain_to_snr(loud_power(sound), loud_power(other), snr_db) * other


# --- synthesized sound --------------------------------------------------------------------------


def noise(rng: Rng, count: int) -> Float32:
    """Steady noise between white and brown; a third hums at the mains, a third has a fan's resonance."""
    hz = scipy.fft.rfftfreq(count, 1 / SAMPLE_RATE_HZ)
    shape = np.maximum(hz, 20.0) ** (-rng.uniform(0.0, 2.0) / 2)
    if rng.random() < 1 / 3:
        centre_hz = rng.uniform(80, 1500)
        shape *= 1 + rng.uniform(1, 8) * np.exp(-(((hz - centre_hz) / (0.1 * centre_hz)) ** 2))
    white = rng.standard_normal((len(hz), 2), dtype=np.float32).view(np.complex64)[:, 0]
    samples: Float32 = scipy.fft.irfft(shape.astype(np.float32) * white, count)
    samples /= np.float32(10 * max(float(np.std(samples)), 1e-12))
    return samples + _mains_hum(rng, count) if rng.random() < 1 / 3 else samples


def _mains_hum(rng: Rng, count: int) -> Float32:
    """Eight harmonics of 50 or 60 Hz with falling, random strengths, as a periodic table: (count,)."""
    period = SAMPLE_RATE_HZ // 10  # holds whole cycles of both
    cycle = np.arange(period) / SAMPLE_RATE_HZ * rng.choice([50.0, 60.0])
    orders = np.arange(1, 9)[:, None]
    strengths = rng.uniform(0.0, 0.2) * rng.random((8, 1)) / orders
    return np.resize((strengths * np.sin(2 * np.pi * (orders * cycle + rng.random((8, 1))))).sum(axis=0), count).astype(
        np.float32
    )


def synthetic_impulse_response(rng: Rng, sample_rate_hz: int = SAMPLE_RATE_HZ) -> Float32:
    """Of a room: the direct sound and noise that decays by 60 dB in 0.1 to 0.9 s; unit energy."""
    decay_s = rng.uniform(0.1, 0.9)
    time_s = np.arange(int(min(decay_s, 0.9) * sample_rate_hz)) / sample_rate_hz
    tail = rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / decay_s)
    tail[: int(rng.uniform(0.001, 0.01) * sample_rate_hz)] = 0.0
    tail *= 10 ** (-rng.uniform(-6, 12) / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    scaled: Float32 = (tail / np.sqrt(np.sum(tail**2))).astype(np.float32)
    return scaled


# --- filters ------------------------------------------------------------------------------------


def bin_hz(count: int) -> Float64:
    """Frequencies of the spectrum of `count` samples: (count // 2 + 1,)."""
    return np.arange(count // 2 + 1, dtype=np.float64) * (SAMPLE_RATE_HZ / count)


def lowpass_gain(hz: Float64, corner_hz: float) -> Float64:
    """A steep low-pass (a codec's, a resampler's): the gain at each frequency, (n,) -> (n,)."""
    return 1 / np.sqrt(1 + (hz / corner_hz) ** 32)


def highpass_gain(hz: Float64, corner_hz: float) -> Float64:
    """A second-order Butterworth high-pass: the gain at each frequency, (n,) -> (n,)."""
    return 1 / np.sqrt(1 + (corner_hz / np.maximum(hz, 1e-3)) ** 4)


def filtered(samples: Float32, gain: Float64) -> Float32:
    """Apply a gain per bin, without phase: (n,), gain (n // 2 + 1,) -> (n,)."""
    # scipy's float32 transforms take half the time of numpy's.
    changed: Float32 = scipy.fft.irfft(scipy.fft.rfft(samples) * gain.astype(np.float32), len(samples))
    return changed


def reverberated(samples: Float32, impulse_response: Float32) -> Float32:
    """A sound in the room that an impulse response was measured in, cut to its length: (n,) -> (n,)."""
    size = scipy.fft.next_fast_len(len(samples) + len(impulse_response) - 1, real=True)
    product = scipy.fft.rfft(samples, size) * scipy.fft.rfft(impulse_response, size)
    reverberant: Float32 = scipy.fft.irfft(product, size)[: len(samples)]
    return reverberant


def interpolated(samples: Float32, position: Float64) -> Float32:
    """Samples between samples, on straight lines: (n,) at positions (m,) -> (m,); 0 beyond the ends."""
    below = np.floor(position).astype(np.intp)
    inside = (below >= 0) & (below < len(samples) - 1)
    below = np.where(inside, below, 0)
    part = (position - below).astype(np.float32)
    line = samples[below] + part * (samples[np.minimum(below + 1, len(samples) - 1)] - samples[below])
    return np.where(inside, line, np.float32(0.0))


# --- 16-bit recording ---------------------------------------------------------------------------


def mu_law(samples: Float32) -> Float32:
    """There and back through 8-bit companding (ITU-T G.711, mu = 255): [-1, 1] -> [-1, 1]."""
    companded = np.sign(samples) * np.log1p(255 * np.abs(samples)) / np.log(256.0)
    coarse = np.round(companded * 127) / 127
    restored: Float32 = (np.sign(coarse) * np.expm1(np.abs(coarse) * np.log(256.0)) / 255).astype(np.float32)
    return restored


def quantized(samples: Float32) -> Float32:
    """Rounded to 16 bits; what exceeds full scale is clipped: (n,) -> (n,) in [-1, LARGEST_SAMPLE]."""
    steps = np.clip(np.round(samples * np.float32(FULL_SCALE)), -FULL_SCALE, FULL_SCALE - 1)
    rounded: Float32 = np.divide(steps, np.float32(FULL_SCALE), dtype=np.float32)
    return rounded
