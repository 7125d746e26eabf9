"""Augmentation policy: training windows as a microphone in some room could have recorded them, and their targets.

A function of the generator that is passed in: equal seeds, equal windows. What is done to a cry is done to every
other sound too, so that neither level, bandwidth, codec, reverberation, clipping nor digital silence predicts a cry.
The target follows from the seconds of audible cry in the window. The processing itself is in `signal`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.data.clips import SAMPLE_RATE_HZ
from training.mixing.clip_in_background import SNRS_DB, background
from training.mixing.signal import (
    STEP_SAMPLES,
    bin_hz,
    filtered,
    highpass_gain,
    interpolated,
    lowpass_gain,
    mix_at_snr,
    mu_law,
    quantized,
    reverberated,
    synthetic_impulse_response,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]
    Rng = np.random.Generator

WINDOW_SAMPLES = 2 * SAMPLE_RATE_HZ
WINDOW_STEPS = WINDOW_SAMPLES // STEP_SAMPLES

FULL_CRY_S = 0.5
"""A window with this much audible cry counts as a full one, in targets and in figures of windows."""

_WINDOW_HZ = bin_hz(WINDOW_SAMPLES)


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """How often, and how far, a window is changed. Shares are probabilities, 0 to 1.

    Attributes:
        cry_share: windows that hold a cry.
        cut_cry_share: of those, cries of which only a piece is left, as at an onset or an end.
        empty_share: of the others, windows with a background alone.
        second_share: of the others, windows with a second sound over the background.
        speech_with_cry_share: cries that somebody speaks over.
        speed_range: a sound is played this much faster or slower.
        room_share: sounds that reverberate.
        clean_share: windows with hardly any background, 25 to 50 dB below the sound.
        snr_range_db: sound to background of all others: the SNRs that are evaluated, and 2 dB beyond.
        narrow_sound_share: sounds of full bandwidth that lose everything above about 3.7 kHz before
            they are mixed, as cries recorded through a telephone did.
        narrow_share: windows cut to a telephone's band as a whole.
        highpass_share: windows with a high-pass of 50 to 300 Hz.
        lowpass_share: windows with a low-pass of 3.4 to 8 kHz.
        tilt_db_per_octave: largest tilt of the spectrum, either way.
        level_range_dbfs: peak of a window.
        clipped_share: windows driven 3 to 20 dB over full scale.
        gated_share: windows of which an end is digital silence.
        repeated_share: windows that repeat a shorter piece, as a short file does.
        mu_law_share: windows with 8-bit companding.
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
    snr_range_db: tuple[float, float] = (min(SNRS_DB) - 2.0, max(SNRS_DB) + 2.0)
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
    full_cry_s: float = FULL_CRY_S
    least_cry_s: float = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A recording to cut windows from.

    Attributes:
        file: as listed, so that a test can say which recordings a palette reaches.
        samples: float32 (n,) at 16 kHz.
        moments: its loud, or crying, steps; windows are cut around them.
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
        weight: of the group, against other groups.
        sounds: its recordings.
        weights: of each sound within the group, summing to 1.
    """

    weight: float
    sounds: tuple[Sound, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """All sounds that windows are mixed from.

    Attributes:
        cries: a group for each infant.
        others: a group for each kind of sound.
        backgrounds: recordings that may lie under a sound.
        speech: may lie over a cry.
        impulse_responses: of rooms.
    """

    cries: tuple[Group, ...]
    others: tuple[Group, ...]
    backgrounds: tuple[Group, ...]
    speech: tuple[Group, ...]
    impulse_responses: tuple[Float32, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One training window.

    Attributes:
        samples: float32 (WINDOW_SAMPLES,) in [-1, 1], on the 16-bit grid.
        target: 0 (no cry) to 1 (at least `full_cry_s` of it).
        weight: in the loss; lower if the cry is partial or below its background.
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
    layer = _band_limited(rng, layer, settings)
    sound = with_reverberation(rng, layer.samples, palette.impulse_responses, settings)
    if is_cry and rng.random() < settings.speech_with_cry_share:
        sound = mix_at_snr(
            sound, _cut_window(rng, _draw(rng, palette.speech), settings).samples, float(rng.uniform(0, 15))
        )
    snr_db = _snr_db(rng, settings)
    mixed = mix_at_snr(sound, _background(rng, palette), snr_db)
    mixed, active = _gated_or_repeated(rng, through_channel(rng, mixed, settings), layer.active, settings)
    target = target_of(active, settings)
    weight = 0.6 if target > 0 and (snr_db < 0 or target < 1) else 1.0
    return Example(at_recording_level(rng, mixed, settings), target, weight)


def target_of(active: Mask, settings: AugmentSettings) -> float:
    """Target for the steps of a window in which a cry is audible: rises linearly between the two limits."""
    seconds = float(active.sum()) * STEP_SAMPLES / SAMPLE_RATE_HZ
    share = (seconds - settings.least_cry_s) / (settings.full_cry_s - settings.least_cry_s)
    return min(1.0, max(0.0, share))


# --- layers -------------------------------------------------------------------------------------


def _cry_layer(rng: Rng, palette: Palette, settings: AugmentSettings) -> _Layer:
    layer = _cut_window(rng, _draw(rng, palette.cries), settings)
    if rng.random() >= settings.cut_cry_share:
        return layer
    length = int(rng.integers(30, 160))
    start = int(rng.integers(-length // 2, WINDOW_STEPS - length // 2))
    kept = np.zeros(WINDOW_STEPS, np.bool_)
    kept[max(0, start) : start + length] = True
    return _Layer(layer.samples * _gate_envelope(kept), layer.active & kept, layer.is_narrow)


def _other_layer(rng: Rng, palette: Palette, settings: AugmentSettings) -> _Layer:
    if rng.random() < settings.empty_share:
        return _Layer(_background(rng, palette), np.zeros(WINDOW_STEPS, np.bool_), is_narrow=False)
    layer = _cut_window(rng, _draw(rng, palette.others), settings)
    if rng.random() < settings.second_share:
        second = _cut_window(rng, _draw(rng, palette.others), settings)
        return _Layer(
            mix_at_snr(layer.samples, second.samples, float(rng.uniform(-6, 12))), layer.active, is_narrow=False
        )
    return layer


def _draw(rng: Rng, groups: Sequence[Group]) -> Sound:
    weights = np.array([group.weight for group in groups])
    group = groups[int(rng.choice(len(groups), p=weights / weights.sum()))]
    return group.sounds[int(rng.choice(len(group.sounds), p=group.weights))]


def _cut_window(rng: Rng, sound: Sound, settings: AugmentSettings) -> _Layer:
    """A window of a sound, around one of its loud (or crying) moments, at some speed.

    Beyond the ends of the sound there is silence; a sound shorter than the window is sometimes repeated.
    """
    speed = float(rng.uniform(*settings.speed_range))
    first = _anchor(rng, sound) - float(rng.uniform(0, WINDOW_SAMPLES)) * speed
    position: Float64 = first + speed * np.arange(WINDOW_SAMPLES, dtype=np.float64)
    if len(sound.samples) < WINDOW_SAMPLES and rng.random() < 0.3:
        position %= len(sound.samples)
    samples = interpolated(sound.samples, position)
    return _Layer(samples, _active_at(sound, position[STEP_SAMPLES // 2 :: STEP_SAMPLES]), sound.is_narrow)


def _anchor(rng: Rng, sound: Sound) -> float:
    """A sample of the sound that the window should hold: within one of its moments, if it has any."""
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


def _gate_envelope(kept: Mask) -> Float32:
    """1 where kept, 0 elsewhere, with edges of ten milliseconds: (WINDOW_STEPS,) -> (WINDOW_SAMPLES,)."""
    at = (np.arange(WINDOW_SAMPLES) - STEP_SAMPLES / 2) / STEP_SAMPLES
    return np.interp(at, np.arange(WINDOW_STEPS), kept.astype(np.float32)).astype(np.float32)


# --- backgrounds, reverberation, channels ---------------------------------------------------------


def _snr_db(rng: Rng, settings: AugmentSettings) -> float:
    if rng.random() < settings.clean_share:
        return float(rng.uniform(25, 50))
    return float(rng.uniform(*settings.snr_range_db))


def _background(rng: Rng, palette: Palette) -> Float32:
    """Two seconds of a drawn recording, or of a synthesized room tone: (WINDOW_SAMPLES,)."""
    recordings = [_draw(rng, palette.backgrounds).samples] if palette.backgrounds else []
    return background(rng, recordings, WINDOW_SAMPLES)


def with_reverberation(
    rng: Rng, samples: Float32, impulse_responses: Sequence[Float32], settings: AugmentSettings
) -> Float32:
    """Some sounds in a room, measured or synthesized; the others as they are: (n,) -> (n,)."""
    if rng.random() >= settings.room_share:
        return samples
    if impulse_responses and rng.random() < 0.4:
        return reverberated(samples, impulse_responses[int(rng.integers(len(impulse_responses)))])
    return reverberated(samples, synthetic_impulse_response(rng))


def _band_limited(rng: Rng, layer: _Layer, settings: AugmentSettings) -> _Layer:
    if layer.is_narrow or rng.random() >= settings.narrow_sound_share:
        return layer
    samples = filtered(layer.samples, lowpass_gain(_WINDOW_HZ, float(rng.uniform(3400, 4000))))
    return _Layer(samples, layer.active, is_narrow=True)


def through_channel(rng: Rng, samples: Float32, settings: AugmentSettings) -> Float32:
    """Tilt, high-pass, low-pass, telephone: what a microphone and its electronics do to every sound."""
    hz = _WINDOW_HZ if len(samples) == WINDOW_SAMPLES else bin_hz(len(samples))
    tilt = rng.uniform(-1, 1) * settings.tilt_db_per_octave
    gain = 10 ** (tilt * np.clip(np.log2(np.maximum(hz, 1.0) / 1000.0), -4, 3) / 20)
    if rng.random() < settings.narrow_share:
        gain = gain * lowpass_gain(hz, 3400.0) * highpass_gain(hz, 300.0)
    if rng.random() < settings.highpass_share:
        gain = gain * highpass_gain(hz, float(rng.uniform(50, 300)))
    if rng.random() < settings.lowpass_share:
        gain = gain * lowpass_gain(hz, float(rng.uniform(3400, 8000)))
    return filtered(samples, gain)


# --- recording ----------------------------------------------------------------------------------


def _gated_or_repeated(rng: Rng, samples: Float32, active: Mask, settings: AugmentSettings) -> tuple[Float32, Mask]:
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


def at_recording_level(rng: Rng, samples: Float32, settings: AugmentSettings) -> Float32:
    """Scaled to a drawn level, sometimes clipped or companded, in 16 bits."""
    peak_dbfs = rng.uniform(3, 20) if rng.random() < settings.clipped_share else rng.uniform(*settings.level_range_dbfs)
    peak = max(float(np.abs(samples).max()), 1e-9)
    clipped = np.clip(samples * np.float32(10 ** (peak_dbfs / 20) / peak), -1.0, 1.0)
    if rng.random() < settings.mu_law_share:
        clipped = mu_law(clipped)
    return quantized(clipped)
