"""Which sounds training windows are drawn from, and how often each: cries by infant, other sounds by kind.

Sounds that resemble an infant are drawn more often than their share of the recordings, and hard negatives, which a
first network mistook for a cry (`mined`), more often still.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from training.data.clips import SAMPLE_RATE_HZ
from training.mixing.augment import Group, Palette, Sound
from training.mixing.signal import STEP_SAMPLES, loud_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from training.data.clips import LoadedClip
    from training.mixing.signal import Float32, Mask

KIND_WEIGHTS: Mapping[str, float] = {
    "baby_laugh": 8.0,
    "cat": 8.0,
    "laughing": 6.0,
    "rooster": 4.0,
    "crow": 4.0,
    "siren": 4.0,
    "sheep": 4.0,
    "hen": 3.0,
    "dog": 3.0,
    "cow": 3.0,
    "pig": 3.0,
    "chirping_birds": 3.0,
    "door_wood_creaks": 3.0,
    "clock_alarm": 2.0,
    "coughing": 2.0,
    "sneezing": 2.0,
    "frog": 2.0,
    "scream": 10.0,
    "scream_like": 5.0,
    "no_scream": 6.0,
    "speech": 3.0,
    "speech|child": 8.0,
    "speech|adult": 5.0,
    "speech|wakeword": 5.0,
    "speech|angry": 3.0,
    "speech|fearful": 4.0,
    "speech|happy": 4.0,
    "snoring": 2.0,
    "other_sound": 3.0,
    "music": 8.0,
    "ambient": 16.0,
}
"""How often a kind is drawn; one that is not listed weighs 1."""

SET_WEIGHTS: Mapping[str, float] = {"esc50": 3.0}
"""How often an infant of a set is drawn; ESC-50's are few, and each has another microphone."""

MINED_WEIGHT = 12.0
"""Added to the weight of a hard negative, in proportion to the probability of a cry that a network gave it."""

UNSURE_SETS = frozenset({"scream_mg", "scream_audioset"})
"""Nobody has checked all of these by ear: what a network mistakes for a cry may be one, and is not drawn more often."""

_STEADY_KINDS = ("rain", "wind", "vacuum_cleaner", "washing_machine", "engine", "sea_waves", "train", "airplane")
_NARROW_HZ = 4200.0
_NARROW_POWER = 1e-4


def build_palette(
    clips: Sequence[LoadedClip],
    active: Mapping[str, Mask],
    impulse_responses: Sequence[Float32],
    mined: Mapping[str, float],
) -> Palette:
    """Group the clips of one part.

    Args:
        clips: cries and others of one part.
        active: where in each cry an infant cries, by file; a cry without an audible step is left out.
        impulse_responses: of rooms, float32 (n,) each.
        mined: for other clips, by file, the highest probability of a cry that a network gave them (0 to 1).
    """
    others = [clip for clip in clips if not clip.is_cry]
    return Palette(
        cries=_infants([clip for clip in clips if clip.is_cry], active),
        others=_kinds(others, mined, KIND_WEIGHTS),
        backgrounds=_kinds([clip for clip in others if _is_background(clip)], {}, {"ambient": 16.0, "music": 2.0}),
        speech=_kinds([clip for clip in others if clip.listed.set == "speech"], {}, {}),
        impulse_responses=tuple(impulse_responses),
    )


def _infants(cries: Sequence[LoadedClip], active: Mapping[str, Mask]) -> tuple[Group, ...]:
    audible = [clip for clip in cries if clip.listed.file in active and active[clip.listed.file].any()]
    grouped = _grouped(audible, [clip.listed.subject for clip in audible])
    return tuple(
        _group(SET_WEIGHTS.get(clips[0].listed.set, 1.0) * len(clips) ** 0.5, clips, [1.0] * len(clips), active)
        for clips in grouped.values()
    )


def _kinds(
    clips: Sequence[LoadedClip], mined: Mapping[str, float], kind_weights: Mapping[str, float]
) -> tuple[Group, ...]:
    grouped = _grouped(clips, [_kind(clip) for clip in clips])
    return tuple(
        _group(
            kind_weights.get(kind, 1.0),
            held,
            [_length_weight(clip) + _mined_weight(clip, mined) for clip in held],
            {},
        )
        for kind, held in grouped.items()
    )


def _grouped(clips: Iterable[LoadedClip], keys: Sequence[str]) -> dict[str, list[LoadedClip]]:
    pairs = sorted(zip(keys, clips, strict=True), key=lambda pair: (pair[0], pair[1].listed.file))
    return {key: [clip for _, clip in held] for key, held in itertools.groupby(pairs, key=lambda pair: pair[0])}


def _group(weight: float, clips: Sequence[LoadedClip], weights: Sequence[float], active: Mapping[str, Mask]) -> Group:
    total = sum(weights)
    sounds = tuple(_sound(clip, active.get(clip.listed.file)) for clip in clips)
    return Group(weight, sounds, tuple(value / total for value in weights))


def _sound(clip: LoadedClip, active: Mask | None) -> Sound:
    if active is not None and len(active) != len(clip.samples) // STEP_SAMPLES:
        raise ValueError(f"{clip.listed.file}: {len(active)} steps of activity, its sound has others: teach again.")
    moments = np.flatnonzero(loud_steps(clip.samples) if active is None else active)
    return Sound(clip.listed.file, clip.samples, moments, active, is_narrow(clip.samples))


def is_narrow(samples: Float32) -> bool:
    """Whether hardly any power lies above 4.2 kHz, as in a recording through a telephone."""
    first = samples[: 10 * SAMPLE_RATE_HZ]
    power: npt.NDArray[np.float64] = np.abs(np.fft.rfft(first)) ** 2
    hz = np.fft.rfftfreq(len(first), 1 / SAMPLE_RATE_HZ)
    return bool(power[hz > _NARROW_HZ].sum() < _NARROW_POWER * power.sum())


def _kind(clip: LoadedClip) -> str:
    """Ambient loops are one kind, music another; the kind of all other sounds is the name in their collection."""
    return clip.kind.split("|")[0] if clip.listed.set == "ambient" else clip.kind


def _length_weight(clip: LoadedClip) -> float:
    """Long recordings are drawn more often: 1 for up to ten seconds, rising with the square root."""
    return max(1.0, math.sqrt(len(clip.samples) / (10 * SAMPLE_RATE_HZ)))


def _mined_weight(clip: LoadedClip, mined: Mapping[str, float]) -> float:
    return 0.0 if clip.listed.set in UNSURE_SETS else MINED_WEIGHT * mined.get(clip.listed.file, 0.0)


def _is_background(clip: LoadedClip) -> bool:
    return clip.listed.set == "ambient" or clip.kind in _STEADY_KINDS
