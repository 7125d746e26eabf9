"""Windows to learn from: what a microphone in some room could have heard, and how much of it is a cry.

Training side only, and a function of the generator it is handed: equal seeds, equal windows. What
is done to a cry is done to every other sound too, so that neither level, bandwidth, codec, reverberation,
clipping nor digital silence says "cry". The target is the audible share of the cry in the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]
    Rng = np.random.Generator

SAMPLE_RATE_HZ = 16_000
WINDOW_SAMPLES = 32_000
STEP_SAMPLES = 160
"""Ten milliseconds: how finely it is known where a cry is."""
WINDOW_STEPS = WINDOW_SAMPLES // STEP_SAMPLES

_FILTER_SAMPLES = 49_152
"""A window and the longest tail of a room, for products of spectra."""


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """How often, and how far, a window is changed. Shares are probabilities, 0 to 1.

    Attributes:
        cry_share: windows that hold a cry.
        cut_cry_share: of those, cries of which only a piece is left, as at an onset or an end.
        empty_share: of the others, windows with a background and nothing before it.
        second_share: of the others, windows with a second sound before the background.
        speech_with_cry_share: cries that somebody speaks over.
        speed_range: a sound is played this much faster or slower.
        room_share: sounds that reverberate.
        clean_share: windows with hardly any background, 25 to 50 dB below the sound.
        snr_range_db: signal to background of all others.
        narrow_sound_share: sounds of full bandwidth that lose everything above about 3.7 kHz before
            they are mixed, as the cries that went through a telephone did.
        narrow_share: windows cut to a telephone's band as a whole.
        highpass_share: windows with a high-pass of 50 to 300 Hz.
        lowpass_share: windows with a low-pass of 3.4 to 8 kHz.
        tilt_db_per_octave: largest tilt of the spectrum, either way.
        level_range_dbfs: peak of a window.
        clipped_share: windows driven 3 to 20 dB over full scale.
        gated_share: windows of which an end is digital silence.
        repeated_share: windows that repeat a shorter piece, as a short file does.
        mu_law_share: windows that went through 8-bit companding.
        full_cry_s: seconds of audible cry that make the target 1.
        least_cry_s: seconds of audible cry below which the target is 0.
    """

    cry_share: float = 0.4
    cut_cry_share: float = 0.25
    empty_share: float = 0.2
    second_share: float = 0.25
    speech_with_cry_share: float = 0.12
    speed_range: tuple[float, float] = (0.87, 1.15)
    room_share: float = 0.4
    clean_share: float = 0.35
    snr_range_db: tuple[float, float] = (-2.0, 22.0)
    narrow_sound_share: float = 0.35
    narrow_share: float = 0.12
    highpass_share: float = 0.35
    lowpass_share: float = 0.3
    tilt_db_per_octave: float = 3.0
    level_range_dbfs: tuple[float, float] = (-60.0, 0.0)
    clipped_share: float = 0.08
    gated_share: float = 0.08
    repeated_share: float = 0.05
    mu_law_share: float = 0.05
    full_cry_s: float = 0.5
    least_cry_s: float = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A recording to cut windows from.

    Attributes:
        file: as listed, for those who ask what a sampler may reach.
        samples: float32 (n,) at 16 kHz.
        moments: steps of it that are worth hearing (loud, or crying); windows are cut around them.
        active: where an infant cries, bool (n // STEP_SAMPLES,); None for all other sounds.
        is_narrow: whether nothing is left above 4 kHz.
    """

    file: str
    samples: Float32
    moments: npt.NDArray[np.intp]
    active: Mask | None
    is_narrow: bool


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Sounds that are drawn from together: one kind of sound, or one infant.

    Attributes:
        weight: how often, against other groups.
        sounds: what it holds.
        weights: how often each, summing to 1.
    """

    weight: float
    sounds: tuple[Sound, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """Everything that windows are made of."""

    cries: tuple[Group, ...]
    others: tuple[Group, ...]
    backgrounds: tuple[Group, ...]
    speech: tuple[Group, ...]
    rooms: tuple[Float32, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One window to learn from.

    Attributes:
        samples: float32 (WINDOW_SAMPLES,) in [-1, 1], on the 16-bit grid.
        target: 0 (no cry) to 1 (at least `full_cry_s` of it).
        weight: how much it counts: less where the cry drowns.
    """

    samples: Float32
    target: float
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """A sound cut to the window, and where in it an infant cries (WINDOW_STEPS,)."""

    samples: Float32
    active: Mask
    is_narrow: bool


def example(rng: Rng, palette: Palette, settings: AugmentSettings) -> Example:
    """Draw one window."""
    is_cry = rng.random() < settings.cry_share
    layer = _cry_layer(rng, palette, settings) if is_cry else _other_layer(rng, palette, settings)
    layer = _narrowed(rng, layer, settings)
    sound = _in_a_room(rng, layer.samples, palette.rooms, settings)
    if is_cry and rng.random() < settings.speech_with_cry_share:
        sound = at_snr(sound, _cut(rng, _drawn(rng, palette.speech), settings).samples, float(rng.uniform(0, 15)))
    snr_db = _snr_db(rng, settings)
    mixed = at_snr(sound, background(rng, palette), snr_db)
    mixed, active = _interrupted(rng, _through_a_channel(rng, mixed, settings), layer.active, settings)
    target = target_of(active, settings)
    weight = 0.6 if target > 0 and (snr_db < 0 or target < 1) else 1.0
    return Example(_recorded(rng, mixed, settings), target, weight)


def target_of(active: Mask, settings: AugmentSettings) -> float:
    """Target for the steps of a window in which a cry is heard: rises linearly between the two limits."""
    seconds = float(active.sum()) * STEP_SAMPLES / SAMPLE_RATE_HZ
    share = (seconds - settings.least_cry_s) / (settings.full_cry_s - settings.least_cry_s)
    return min(1.0, max(0.0, share))


# --- layers -------------------------------------------------------------------------------------


def _cry_layer(rng: Rng, palette: Palette, settings: AugmentSettings) -> _Layer:
    layer = _cut(rng, _drawn(rng, palette.cries), settings)
    if rng.random() >= settings.cut_cry_share:
        return layer
    length = int(rng.integers(30, 160))
    start = int(rng.integers(-length // 2, WINDOW_STEPS - length // 2))
    kept = np.zeros(WINDOW_STEPS, np.bool_)
    kept[max(0, start) : start + length] = True
    return _Layer(layer.samples * _faded(kept), layer.active & kept, layer.is_narrow)


def _other_layer(rng: Rng, palette: Palette, settings: AugmentSettings) -> _Layer:
    if rng.random() < settings.empty_share:
        return _Layer(background(rng, palette), np.zeros(WINDOW_STEPS, np.bool_), is_narrow=False)
    layer = _cut(rng, _drawn(rng, palette.others), settings)
    if rng.random() < settings.second_share:
        second = _cut(rng, _drawn(rng, palette.others), settings)
        return _Layer(at_snr(layer.samples, second.samples, float(rng.uniform(-6, 12))), layer.active, is_narrow=False)
    return layer


def _drawn(rng: Rng, groups: Sequence[Group]) -> Sound:
    weights = np.array([group.weight for group in groups])
    group = groups[int(rng.choice(len(groups), p=weights / weights.sum()))]
    return group.sounds[int(rng.choice(len(group.sounds), p=group.weights))]


def _cut(rng: Rng, sound: Sound, settings: AugmentSettings) -> _Layer:
    """A window of a sound, around one of its loud (or crying) moments, at some speed.

    Beyond the ends of the sound there is nothing; a sound shorter than the window is sometimes repeated.
    """
    speed = float(rng.uniform(*settings.speed_range))
    first = _anchor(rng, sound) - float(rng.uniform(0, WINDOW_SAMPLES)) * speed
    position: Float64 = first + speed * np.arange(WINDOW_SAMPLES, dtype=np.float64)
    if len(sound.samples) < WINDOW_SAMPLES and rng.random() < 0.3:
        position %= len(sound.samples)
    samples = interpolated(sound.samples, position)
    return _Layer(samples, _active_at(sound, position[STEP_SAMPLES // 2 :: STEP_SAMPLES]), sound.is_narrow)


def interpolated(samples: Float32, position: Float64) -> Float32:
    """Samples between samples, on straight lines: (n,) at positions (m,) -> (m,); 0 beyond the ends."""
    below = np.floor(position).astype(np.intp)
    inside = (below >= 0) & (below < len(samples) - 1)
    below = np.where(inside, below, 0)
    part = (position - below).astype(np.float32)
    line = samples[below] + part * (samples[np.minimum(below + 1, len(samples) - 1)] - samples[below])
    return np.where(inside, line, np.float32(0.0))


def _anchor(rng: Rng, sound: Sound) -> float:
    """A sample of the sound that the window should hold."""
    if not len(sound.moments):
        return float(rng.uniform(0, len(sound.samples)))
    return float(sound.moments[int(rng.integers(len(sound.moments)))]) * STEP_SAMPLES


def _active_at(sound: Sound, position: Float64) -> Mask:
    """Whether an infant cries at some samples of a sound."""
    if sound.active is None or not len(sound.active):
        return np.zeros(len(position), np.bool_)
    step = np.floor(position / STEP_SAMPLES).astype(np.intp)
    inside = (step >= 0) & (step < len(sound.active))
    return inside & sound.active[np.clip(step, 0, len(sound.active) - 1)]


def loud_steps(samples: Float32, below_loudest_db: float = 20.0) -> Mask:
    """Steps of a sound that are at most so far below its loudest: (n,) -> bool (n // STEP_SAMPLES,)."""
    power = step_power(samples)
    if not len(power) or power.max() <= 0:
        return np.zeros(len(power), np.bool_)
    loud: Mask = power >= power.max() * 10 ** (-below_loudest_db / 10)
    return loud


def step_power(samples: Float32) -> Float32:
    """Mean square of each step: (n,) -> (n // STEP_SAMPLES,)."""
    whole = samples[: len(samples) // STEP_SAMPLES * STEP_SAMPLES].reshape(-1, STEP_SAMPLES)
    power: Float32 = np.mean(whole * whole, axis=1)
    return power


def _faded(kept: Mask) -> Float32:
    """1 where kept, 0 elsewhere, with edges of ten milliseconds: (WINDOW_STEPS,) -> (WINDOW_SAMPLES,)."""
    at = (np.arange(WINDOW_SAMPLES) - STEP_SAMPLES / 2) / STEP_SAMPLES
    return np.interp(at, np.arange(WINDOW_STEPS), kept.astype(np.float32)).astype(np.float32)


# --- rooms, backgrounds, channels -----------------------------------------------------------------


def _snr_db(rng: Rng, settings: AugmentSettings) -> float:
    if rng.random() < settings.clean_share:
        return float(rng.uniform(25, 50))
    return float(rng.uniform(*settings.snr_range_db))


def at_snr(sound: Float32, other: Float32, snr_db: float) -> Float32:
    """Mix another sound under a sound: the powers of their loud steps are `snr_db` apart."""
    wanted, present = loud_power(sound), loud_power(other)
    if wanted <= 0 or present <= 0:
        return sound + other
    gain = np.float32(np.sqrt(wanted / present * 10 ** (-snr_db / 10)))
    return sound + gain * other


def loud_power(samples: Float32) -> float:
    """Mean square over the loud steps; 0 for digital silence."""
    power, loud = step_power(samples), loud_steps(samples)
    return float(power[loud].mean()) if loud.any() else 0.0


def background(rng: Rng, palette: Palette) -> Float32:
    """Two seconds of some room, or of some noise: (WINDOW_SAMPLES,)."""
    if not palette.backgrounds or rng.random() < 0.35:
        return noise(rng, WINDOW_SAMPLES)
    sound = _drawn(rng, palette.backgrounds).samples
    start = int(rng.integers(0, max(1, len(sound) - WINDOW_SAMPLES + 1)))
    return np.resize(sound[start : start + WINDOW_SAMPLES], WINDOW_SAMPLES)


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
    return samples + _hum(rng, count) if rng.random() < 1 / 3 else samples


def _hum(rng: Rng, count: int) -> Float32:
    """Eight harmonics of 50 or 60 Hz with falling, random strengths, as a periodic table: (count,)."""
    period = SAMPLE_RATE_HZ // 10  # holds whole cycles of both
    cycle = np.arange(period) / SAMPLE_RATE_HZ * rng.choice([50.0, 60.0])
    orders = np.arange(1, 9)[:, None]
    strengths = rng.uniform(0.0, 0.2) * rng.random((8, 1)) / orders
    return np.resize((strengths * np.sin(2 * np.pi * (orders * cycle + rng.random((8, 1))))).sum(axis=0), count).astype(
        np.float32
    )


def room(rng: Rng) -> Float32:
    """A made-up room: the direct sound and noise that decays by 60 dB in 0.1 to 0.9 s; unit energy."""
    decay_s = rng.uniform(0.1, 0.9)
    time_s = np.arange(int(min(decay_s, 0.9) * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / decay_s)
    tail[: int(rng.uniform(0.001, 0.01) * SAMPLE_RATE_HZ)] = 0.0
    tail *= 10 ** (-rng.uniform(-6, 12) / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    scaled: Float32 = (tail / np.sqrt(np.sum(tail**2))).astype(np.float32)
    return scaled


def _in_a_room(rng: Rng, samples: Float32, rooms: Sequence[Float32], settings: AugmentSettings) -> Float32:
    if rng.random() >= settings.room_share:
        return samples
    response = rooms[int(rng.integers(len(rooms)))] if rooms and rng.random() < 0.4 else room(rng)
    product = scipy.fft.rfft(samples, _FILTER_SAMPLES) * scipy.fft.rfft(response, _FILTER_SAMPLES)
    reverberant: Float32 = scipy.fft.irfft(product, _FILTER_SAMPLES)[:WINDOW_SAMPLES]
    return reverberant


def _narrowed(rng: Rng, layer: _Layer, settings: AugmentSettings) -> _Layer:
    if layer.is_narrow or rng.random() >= settings.narrow_sound_share:
        return layer
    samples = filtered(layer.samples, lowpass_gain(float(rng.uniform(3400, 4000))))
    return _Layer(samples, layer.active, is_narrow=True)


def _through_a_channel(rng: Rng, samples: Float32, settings: AugmentSettings) -> Float32:
    """Tilt, high-pass, low-pass, telephone: what a microphone and its electronics do to everything."""
    hz = _window_hz()
    tilt = rng.uniform(-1, 1) * settings.tilt_db_per_octave
    gain = 10 ** (tilt * np.clip(np.log2(np.maximum(hz, 1.0) / 1000.0), -4, 3) / 20)
    if rng.random() < settings.narrow_share:
        gain = gain * lowpass_gain(3400.0) * highpass_gain(300.0)
    if rng.random() < settings.highpass_share:
        gain = gain * highpass_gain(float(rng.uniform(50, 300)))
    if rng.random() < settings.lowpass_share:
        gain = gain * lowpass_gain(float(rng.uniform(3400, 8000)))
    return filtered(samples, gain)


def _window_hz() -> Float64:
    return np.arange(WINDOW_SAMPLES // 2 + 1, dtype=np.float64) * (SAMPLE_RATE_HZ / WINDOW_SAMPLES)


def lowpass_gain(corner_hz: float) -> Float64:
    """A steep low-pass (a codec's, a resampler's) over the bins of a window."""
    return 1 / np.sqrt(1 + (_window_hz() / corner_hz) ** 32)


def highpass_gain(corner_hz: float) -> Float64:
    """A second-order Butterworth high-pass over the bins of a window."""
    return 1 / np.sqrt(1 + (corner_hz / np.maximum(_window_hz(), 1e-3)) ** 4)


def filtered(samples: Float32, gain: Float64) -> Float32:
    """Apply a gain per bin, without phase: (WINDOW_SAMPLES,) -> (WINDOW_SAMPLES,)."""
    # scipy's float32 transforms take half the time of numpy's.
    changed: Float32 = scipy.fft.irfft(scipy.fft.rfft(samples) * gain.astype(np.float32), WINDOW_SAMPLES)
    return changed


# --- recording ----------------------------------------------------------------------------------


def _interrupted(rng: Rng, samples: Float32, active: Mask, settings: AugmentSettings) -> tuple[Float32, Mask]:
    """Digital silence at an end, or a short piece repeated."""
    if rng.random() < settings.gated_share:
        kept = np.ones(WINDOW_STEPS, np.bool_)
        length = int(rng.integers(20, 130))
        kept[slice(0, length) if rng.random() < 0.5 else slice(WINDOW_STEPS - length, None)] = False
        return samples * np.repeat(kept, STEP_SAMPLES), active & kept
    if rng.random() < settings.repeated_share:
        length = int(rng.integers(40, WINDOW_STEPS))
        return np.resize(samples[: length * STEP_SAMPLES], WINDOW_SAMPLES), np.resize(active[:length], WINDOW_STEPS)
    return samples, active


def _recorded(rng: Rng, samples: Float32, settings: AugmentSettings) -> Float32:
    """Some level, some clipping, companding, 16 bits."""
    peak_dbfs = rng.uniform(3, 20) if rng.random() < settings.clipped_share else rng.uniform(*settings.level_range_dbfs)
    peak = max(float(np.abs(samples).max()), 1e-9)
    clipped = np.clip(samples * np.float32(10 ** (peak_dbfs / 20) / peak), -1.0, 1.0)
    if rng.random() < settings.mu_law_share:
        clipped = mu_law(clipped)
    quantized: Float32 = np.round(clipped * np.float32(32_767)) / np.float32(32_768)
    return quantized


def mu_law(samples: Float32) -> Float32:
    """There and back through 8-bit companding (ITU-T G.711, mu = 255): [-1, 1] -> [-1, 1]."""
    companded = np.sign(samples) * np.log1p(255 * np.abs(samples)) / np.log(256.0)
    coarse = np.round(companded * 127) / 127
    restored: Float32 = (np.sign(coarse) * np.expm1(np.abs(coarse) * np.log(256.0)) / 255).astype(np.float32)
    return restored
