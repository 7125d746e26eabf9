"""Marks where in a cry clip an infant cries.

A clip that is labelled a cry is silence, a parent's voice and handling noise for half of its length. The
teacher embeds every second of it. A linear classifier is fitted to the embeddings of training clips (cries
against all others), fitted again without the seconds that it rejects, and marks the loud steps that it
accepts. Only the training part is fitted; validation cries are marked by the same classifier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.data.clips import SAMPLE_RATE_HZ
from training.mixing.signal import STEP_SAMPLES, loud_steps
from training.train.linear_classifier import LinearClassifier, fit_classifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from training.data.clips import LoadedClip
    from training.mixing.signal import Float32, Mask
    from training.networks.audioset_teacher import LiteTeacher

_SECOND = SAMPLE_RATE_HZ
_HOP = SAMPLE_RATE_HZ // 10
"""The teacher embeds a second of a cry clip every tenth of a second."""


@dataclass(frozen=True, slots=True)
class MarkingSettings:
    """How cries are marked.

    Attributes:
        ridge: penalty on the classifier's squared weights.
        accepted: probability from which a second counts as a cry.
        below_loudest_db: a step that is quieter than this below the clip's loudest is a pause.
    """

    ridge: float = 1e-3
    accepted: float = 0.5
    below_loudest_db: float = 25.0


def embed_seconds(teacher: LiteTeacher, samples: Float32) -> Float32:
    """Embeddings of the seconds around every tenth of a second: (n,) -> (1 + n // _HOP, EMBEDDING_SIZE)."""
    padded = np.pad(samples, _SECOND // 2)
    starts = range(0, len(samples) + 1, _HOP)
    windows = np.stack([_padded_to_a_second(padded[start : start + _SECOND]) for start in starts])
    return teacher.embed(windows)


def _padded_to_a_second(window: Float32) -> Float32:
    return np.pad(window, (0, _SECOND - len(window)))


def loudest_second(samples: Float32) -> Float32:
    """The second with the most power; a shorter sound is repeated: (n,) -> (_SECOND,)."""
    if len(samples) <= _SECOND:
        return np.resize(samples, _SECOND)
    energy = np.cumsum(np.r_[0.0, samples.astype(np.float64) ** 2])
    start = int(np.argmax(energy[_SECOND::_HOP] - energy[: len(energy) - _SECOND : _HOP])) * _HOP
    return samples[start : start + _SECOND]


def fit_cry_classifier(
    cries: Sequence[Float32], loud: Sequence[Mask], others: Float32, settings: MarkingSettings
) -> LinearClassifier:
    """A classifier of loud seconds of cry clips against other clips, fitted twice.

    Args:
        cries: embeddings of each cry clip, every tenth of a second.
        loud: which of those are loud.
        others: embeddings of other sounds (n, EMBEDDING_SIZE).
        settings: the ridge, and the accepted probability.
    """
    positives = np.concatenate([clip[mask] for clip, mask in zip(cries, loud, strict=True)])
    first = fit_classifier(*_stacked(positives, others), settings.ridge)
    accepted = positives[first(positives) >= settings.accepted]
    return fit_classifier(*_stacked(accepted, others), settings.ridge)


def _stacked(positives: Float32, negatives: Float32) -> tuple[Float32, Float32]:
    targets = np.r_[np.ones(len(positives)), np.zeros(len(negatives))].astype(np.float32)
    return np.concatenate([positives, negatives]), targets


def loud_tenths(samples: Float32, below_loudest_db: float) -> Mask:
    """Whether a loud step lies within a quarter second of each tenth: (n,) -> bool (1 + n // _HOP,)."""
    loud = loud_steps(samples, below_loudest_db)
    centres = np.arange(0, len(samples) + 1, _HOP) // STEP_SAMPLES
    return np.array([bool(loud[max(0, centre - 25) : centre + 25].any()) for centre in centres])


def cry_activity(samples: Float32, probabilities: Float32, settings: MarkingSettings) -> Mask:
    """Where an infant cries: loud steps at a time that the classifier accepts: -> bool (n // STEP_SAMPLES,)."""
    loud = loud_steps(samples, settings.below_loudest_db)
    at = np.arange(len(loud)) * STEP_SAMPLES / _HOP
    accepted = np.interp(at, np.arange(len(probabilities)), probabilities) >= settings.accepted
    # Syllables are joined: a pause of under 150 ms within a cry is part of it.
    spread = np.convolve(loud, np.ones(15), mode="same") > 0 if len(loud) >= 15 else loud
    mask: Mask = accepted & spread
    return mask


def mark_cries(
    teacher: LiteTeacher, train: Sequence[LoadedClip], validation: Iterable[LoadedClip], settings: MarkingSettings
) -> dict[str, Mask]:
    """Where infants cry in the cries of both parts, by file; the classifier is fitted on `train` alone."""
    cries = [clip for clip in train if clip.is_cry]
    embeddings = {clip.listed.file: embed_seconds(teacher, clip.samples) for clip in cries}
    loud = [loud_tenths(clip.samples, settings.below_loudest_db) for clip in cries]
    others = np.stack([loudest_second(clip.samples) for clip in train if not clip.is_cry])
    classifier = fit_cry_classifier(list(embeddings.values()), loud, teacher.embed(others), settings)
    for clip in validation:
        if clip.is_cry:
            embeddings[clip.listed.file] = embed_seconds(teacher, clip.samples)
    sounds = {clip.listed.file: clip.samples for clip in (*train, *validation)}
    return {file: cry_activity(sounds[file], classifier(values), settings) for file, values in embeddings.items()}
