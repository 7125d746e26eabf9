"""Mixes one training sequence: seconds of a room in which events and what resembles them sound, with the truth.

A function of the generator that is passed in. What is done to an event is done to every other sound too, so that
neither level, bandwidth, codec, reverberation, clipping nor the edge of a cut predicts an event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from training.data.clips import SAMPLE_RATE_HZ
from training.mixing.augment import AugmentSettings, at_recording_level, through_channel, with_reverberation
from training.mixing.clip_in_background import clip_over
from training.mixing.signal import (
    STEP_SAMPLES,
    bin_hz,
    filtered,
    interpolated,
    loud_power,
    loud_steps,
    lowpass_gain,
    noise,
    step_power,
)
from training.sequences.sound_kinds import EVENTS, LABELS
from training.sequences.synthetic_sounds import draw_sound

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from training.sequences.material import SequenceMaterial, SequenceSound, SoundGroup

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]
    Rng = np.random.Generator

_AUDIBLE_FROM_DB, _AUDIBLE_STEPS = -5.0, 60
_FADE_SAMPLES = SAMPLE_RATE_HZ // 100
_SYNTHETIC_LABELS = {"mew": "cat", "bark": "dog", "violin": "music", "siren": "siren", "beep": "siren"}


@dataclass(frozen=True, slots=True)
class MixtureSettings:
    """How a sequence is mixed. Shares are probabilities, 0 to 1.

    Attributes:
        length_s: of a sequence.
        event_shares: of sequences that hold each of `EVENTS`; they may meet.
        foreground_share: of sequences with another sound in the foreground, and again for each further one.
        synthetic_share: of other sounds in the foreground that are synthesized.
        event_db: level of an event over what lies under it.
        foreground_db: of another sound.
        quiet_share: of sequences with hardly any background: everything lies 25 to 45 dB over it.
        ambient_share: of backgrounds that are continuous recordings.
        joined_share: of backgrounds that are other sounds one after the other; what is left is synthesized noise.
        background_dbfs: level of a background's loud part.
        repeat_share: of events that come again after a pause, as an infant cries on.
        cut_share: of events of which only a piece sounds.
        speed_ranges: a sound of each of `EVENTS` is played this much faster or slower; slow screams stand for men's.
        other_speed_range: a sound that holds no event.
        wander: within a sound of the foreground its speed changes slowly by up to this share, so that one recorded mew
            becomes many of other contours.
        sound_colour_db: largest gain or loss of any of the bands by which sources of one kind differ.
        colour_db: likewise for microphones.
        channel: microphone, room and recorder.
    """

    length_s: float = 12.0
    event_shares: tuple[float, float] = (0.38, 0.3)
    foreground_share: float = 0.55
    synthetic_share: float = 0.12
    event_db: tuple[float, float] = (-3.0, 25.0)
    foreground_db: tuple[float, float] = (-3.0, 30.0)
    quiet_share: float = 0.2
    ambient_share: float = 0.3
    joined_share: float = 0.4
    background_dbfs: tuple[float, float] = (-55.0, -25.0)
    repeat_share: float = 0.5
    cut_share: float = 0.2
    speed_ranges: tuple[tuple[float, float], ...] = ((0.85, 1.18), (0.6, 1.25))
    other_speed_range: tuple[float, float] = (0.7, 1.4)
    wander: float = 0.12
    sound_colour_db: float = 6.0
    colour_db: float = 8.0
    channel: AugmentSettings = field(default_factory=AugmentSettings)


@dataclass(frozen=True, slots=True, eq=False)
class MixedSequence:
    """A sequence and its truth.

    Attributes:
        samples: float32 (n,) at 16 kHz, in [-1, 1], on the grid of 16 bits.
        present: where each of `LABELS` sounds, bool (labels, n // STEP_SAMPLES).
        unknown: where nobody knows, of the same shape.
    """

    samples: Float32
    present: Mask
    unknown: Mask


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """A sound with its truth, (n,) and (labels, n // STEP_SAMPLES)."""

    samples: Float32
    present: Mask
    unknown: Mask


def mix_sequence(rng: Rng, material: SequenceMaterial, settings: MixtureSettings) -> MixedSequence:
    """Draw one sequence."""
    count = round(settings.length_s * 100) * STEP_SAMPLES
    mixed = _background(rng, material, settings, count)
    quiet_db = float(rng.uniform(25, 45)) if rng.random() < settings.quiet_share else 0.0
    if quiet_db:
        mixed = _Layer(mixed.samples * np.float32(10 ** (-25 / 20)), *_nothing(count))
    under = mixed.samples
    layers = [mixed]
    for layer, level_db in _foreground(rng, material, settings, count):
        steps: Mask = np.logical_or.reduce([*layer.present, *layer.unknown])
        place = _placed_over(layer.samples, under, max(level_db, quiet_db) if quiet_db else level_db, steps)
        layers.append(_Layer(place, layer.present, layer.unknown))
    samples: Float32 = np.add.reduce([layer.samples for layer in layers])
    layers = [layers[0], *(_audible(layer, samples - layer.samples) for layer in layers[1:])]
    samples = through_channel(rng, _coloured(rng, samples, settings.colour_db), settings.channel)
    samples = at_recording_level(rng, samples, settings.channel)
    present = np.any([layer.present for layer in layers], axis=0)
    unknown = np.any([layer.unknown for layer in layers], axis=0)
    return MixedSequence(samples, present, unknown)


def _placed_over(samples: Float32, under: Float32, level_db: float, steps: Mask) -> Float32:
    """Scaled to its level over what lies under it where it sounds."""
    sounding = np.repeat(steps if steps.any() else np.ones_like(steps), STEP_SAMPLES)
    here = np.flatnonzero(sounding)
    first, last = int(here[0]), int(here[-1]) + 1
    loudest = loud_power(samples[first:last])
    if loudest <= 0:
        return samples
    scaled = clip_over(samples[first:last], under[first:last], level_db)
    gain = np.sqrt(max(loud_power(scaled), 1e-20) / loudest)
    return samples * np.float32(gain)


def _audible(layer: _Layer, others: Float32) -> _Layer:
    """A sound that lies too far below all others around it is no longer claimed: nobody could hear it."""
    window = np.ones(_AUDIBLE_STEPS)
    own, rest = (np.convolve(step_power(samples), window, mode="same") for samples in (layer.samples, others))
    hidden: Mask = own < rest * 10 ** (_AUDIBLE_FROM_DB / 10)
    return _Layer(layer.samples, layer.present & ~hidden, layer.unknown | (layer.present & hidden))


def _coloured(rng: Rng, samples: Float32, most_db: float) -> Float32:
    """Through a response that wanders smoothly, by up to `most_db` at eight points from 60 Hz to 8 kHz."""
    hz = bin_hz(len(samples))
    points_hz = np.geomspace(60.0, 8000.0, 8)
    at = np.log(np.maximum(hz, 1.0))
    gain_db = np.interp(at, np.log(points_hz), rng.uniform(-1, 1, len(points_hz)) * rng.uniform(0, most_db))
    return filtered(samples, 10 ** (gain_db / 20))


def _nothing(count: int) -> tuple[Mask, Mask]:
    present, unknown = np.zeros((2, len(LABELS), count // STEP_SAMPLES), np.bool_)
    return present, unknown


# --- backgrounds ----------------------------------------------------------------------------------


def _background(rng: Rng, material: SequenceMaterial, settings: MixtureSettings, count: int) -> _Layer:
    draw = rng.random()
    if draw < settings.ambient_share:
        layer = _cut(rng, draw_from(rng, material.backgrounds), settings.other_speed_range, count, wrapped=True)
    elif draw < settings.ambient_share + settings.joined_share:
        layer = _joined(rng, material, settings, count)
    else:
        layer = _Layer(noise(rng, count), *_nothing(count))
    power = 10 ** (rng.uniform(*settings.background_dbfs) / 10)
    gain = np.float32(np.sqrt(power / max(loud_power(layer.samples), 1e-12)))
    tone = noise(rng, count) * np.float32(np.sqrt(power) * 10 ** (rng.uniform(-30, -10) / 20) / 0.1)
    return _Layer(layer.samples * gain + tone, layer.present, layer.unknown)


def _joined(rng: Rng, material: SequenceMaterial, settings: MixtureSettings, count: int) -> _Layer:
    """Other sounds one after the other."""
    samples = np.zeros(count, np.float32)
    present, unknown = _nothing(count)
    at = 0
    while at < count:
        sound = draw_from(rng, material.others)
        length = min(count - at, round(rng.uniform(1.0, 5.0) * 100) * STEP_SAMPLES)
        piece = _cut(rng, sound, settings.other_speed_range, length, wrapped=False)
        level = np.float32(10 ** (rng.uniform(-10, 0) / 20) / np.sqrt(max(loud_power(piece.samples), 1e-9)))
        samples[at : at + length] += _faded(piece.samples) * np.float32(0.1) * level
        steps = slice(at // STEP_SAMPLES, (at + length) // STEP_SAMPLES)
        present[:, steps] |= piece.present
        unknown[:, steps] |= piece.unknown
        at += length
    return _Layer(samples, present, unknown)


# --- the foreground -------------------------------------------------------------------------------


def _foreground(
    rng: Rng, material: SequenceMaterial, settings: MixtureSettings, count: int
) -> list[tuple[_Layer, float]]:
    layers = []
    for ordinal in range(len(EVENTS)):
        if rng.random() < settings.event_shares[ordinal] and material.events[ordinal]:
            layer = _event(rng, material.events[ordinal], settings, ordinal, count)
            layers.append((_in_a_room(rng, layer, material, settings), float(rng.uniform(*settings.event_db))))
    while rng.random() < settings.foreground_share and len(layers) < 4:
        layer = _other(rng, material, settings, count)
        layers.append((_in_a_room(rng, layer, material, settings), float(rng.uniform(*settings.foreground_db))))
    return layers


def _event(rng: Rng, groups: Sequence[SoundGroup], settings: MixtureSettings, ordinal: int, count: int) -> _Layer:
    """An event of one subject, with pauses and further ones of the same subject where it goes on."""
    group, speeds = draw_group(rng, groups), _Speeds(settings.speed_ranges[ordinal], settings.wander)
    layer = _at_a_time(rng, _of_group(rng, group), speeds, count)
    if rng.random() < settings.cut_share:
        return _piece(rng, layer)
    repeats = 0
    while rng.random() < settings.repeat_share and repeats < 3:
        layer = _joined_layers(layer, _at_a_time(rng, _of_group(rng, group), speeds, count))
        repeats += 1
    return layer


def _other(rng: Rng, material: SequenceMaterial, settings: MixtureSettings, count: int) -> _Layer:
    if rng.random() >= settings.synthetic_share:
        speeds = _Speeds(settings.other_speed_range, settings.wander)
        return _at_a_time(rng, draw_from(rng, material.others), speeds, count)
    kind, sound = draw_sound(rng)
    sound = sound[:count]
    samples = np.zeros(count, np.float32)
    start = int(rng.integers(0, count - len(sound) + 1)) // STEP_SAMPLES * STEP_SAMPLES
    samples[start : start + len(sound)] = sound
    present, unknown = _nothing(count)
    if kind in _SYNTHETIC_LABELS:
        present[LABELS.index(_SYNTHETIC_LABELS[kind])] = loud_steps(samples)
    return _Layer(samples, present, unknown)


@dataclass(frozen=True, slots=True)
class _Speeds:
    """How fast a sound is played: drawn from a range, and changed within the sound by up to a share of it."""

    limits: tuple[float, float]
    wander: float

    def draw(self, rng: Rng, count: int) -> Float64:
        """Speeds of `count` samples, through a point every three quarters of a second."""
        points = 2 + count * 4 // (3 * SAMPLE_RATE_HZ)
        changes = rng.uniform(-1, 1, points) * rng.uniform(0, self.wander)
        at = np.linspace(0, points - 1, count)
        return float(rng.uniform(*self.limits)) * (1 + np.interp(at, np.arange(points), changes))


def _at_a_time(rng: Rng, sound: SequenceSound, speeds: _Speeds, count: int) -> _Layer:
    """A sound somewhere in the sequence; it may have begun before, and may end after it."""
    position = np.cumsum(speeds.draw(rng, count))
    moments = np.flatnonzero(sound.present.any(axis=0) if sound.present.any() else sound.loud)
    anchor = float(moments[int(rng.integers(len(moments)))]) * STEP_SAMPLES if len(moments) else 0.0
    return _taken(sound, position + (anchor - position[int(rng.integers(count))]))


def _cut(rng: Rng, sound: SequenceSound, speed_range: tuple[float, float], count: int, *, wrapped: bool) -> _Layer:
    """A stretch of a sound; a shorter one is repeated if `wrapped`."""
    speed = float(rng.uniform(*speed_range))
    room = len(sound.samples) - speed * count
    position = rng.uniform(0, room) if room > 0 else (0.0 if wrapped else rng.uniform(room, 0))
    steps = position + speed * np.arange(count, dtype=np.float64)
    return _taken(sound, steps % len(sound.samples) if wrapped else steps)


def _taken(sound: SequenceSound, position: Float64) -> _Layer:
    """A sound at some positions, with its truth there."""
    count = len(position)
    inside = (position >= 0) & (position < len(sound.samples) - 1)
    samples = np.zeros(count, np.float32)
    samples[inside] = interpolated(sound.samples, position[inside])
    samples = _faded_inside(samples, inside)
    at = np.floor(position[STEP_SAMPLES // 2 :: STEP_SAMPLES] / STEP_SAMPLES).astype(np.intp)
    held = (at >= 0) & (at < len(sound.loud))
    at = np.clip(at, 0, max(len(sound.loud) - 1, 0))
    present, unknown = _nothing(count)
    present[: len(EVENTS)] = sound.present[:, at] & held
    unknown[: len(EVENTS)] = sound.unknown[:, at] & held
    if sound.label is not None:
        present[sound.label] = sound.loud[at] & held
    elif sound.is_unsure:
        unknown[len(EVENTS) :] = held
    return _Layer(samples, present, unknown)


def _piece(rng: Rng, layer: _Layer) -> _Layer:
    """Only a piece of half a second to four seconds, around a moment at which the event sounds."""
    moments = np.flatnonzero(layer.present.any(axis=0))
    if not len(moments):
        return layer
    length = int(rng.integers(50, 400))
    start = int(moments[int(rng.integers(len(moments)))]) - int(rng.integers(length))
    kept = np.zeros(layer.present.shape[1], np.bool_)
    kept[max(0, start) : max(0, start + length)] = True
    gate = np.repeat(kept, STEP_SAMPLES)
    return _Layer(_faded_inside(layer.samples * gate, gate), layer.present & kept, layer.unknown & kept)


def _joined_layers(one: _Layer, other: _Layer) -> _Layer:
    """Both, the second only where the first is silent: nobody cries twice at once."""
    busy = np.repeat(_sounding(one), STEP_SAMPLES)
    gate = np.repeat(~_sounding(one), STEP_SAMPLES)
    samples = np.where(busy, one.samples, _faded_inside(other.samples * gate, gate))
    free = ~_sounding(one)
    return _Layer(samples, one.present | (other.present & free), one.unknown | (other.unknown & free))


def _sounding(layer: _Layer) -> Mask:
    found: Mask = np.abs(layer.samples).reshape(-1, STEP_SAMPLES).max(axis=1) > 0
    return found


def _in_a_room(rng: Rng, layer: _Layer, material: SequenceMaterial, settings: MixtureSettings) -> _Layer:
    samples = layer.samples
    if rng.random() < settings.channel.narrow_sound_share:
        samples = filtered(samples, lowpass_gain(bin_hz(len(samples)), float(rng.uniform(3400, 4000))))
    samples = _coloured(rng, samples, settings.sound_colour_db)
    samples = with_reverberation(rng, samples, material.impulse_responses, settings.channel)
    return _Layer(samples, layer.present, layer.unknown)


def _faded(samples: Float32) -> Float32:
    return _faded_inside(samples, np.ones(len(samples), np.bool_))


def _faded_inside(samples: Float32, inside: Mask) -> Float32:
    """With ends of ten milliseconds that rise and fall where a stretch begins and ends inside."""
    edges = np.flatnonzero(np.diff(inside.astype(np.int8), prepend=0, append=0))
    faded = samples.copy()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        length = min(_FADE_SAMPLES, (end - start) // 2)
        rise = np.linspace(0, 1, length, endpoint=False, dtype=np.float32)
        faded[start : start + length] *= rise
        faded[end - length : end] *= rise[::-1]
    return faded


# --- draws ----------------------------------------------------------------------------------------


def draw_group(rng: Rng, groups: Sequence[SoundGroup]) -> SoundGroup:
    """A group, by the weights of all."""
    weights = np.array([group.weight for group in groups])
    return groups[int(rng.choice(len(groups), p=weights / weights.sum()))]


def draw_from(rng: Rng, groups: Sequence[SoundGroup]) -> SequenceSound:
    """A sound of a drawn group."""
    return _of_group(rng, draw_group(rng, groups))


def _of_group(rng: Rng, group: SoundGroup) -> SequenceSound:
    return group.sounds[int(rng.choice(len(group.sounds), p=group.weights))]
