"""How training examples are augmented: which changes, how likely, for which label.

A recipe is drawn from by the generator of one example, so an example's change depends on the seed and its place in
the list alone, whatever process computes it. Changes keep the label; only training examples are changed.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from training.preparation.room_changes import (
    at_another_level,
    at_another_speed,
    in_any_room,
    over_background,
    shifted_into_silence,
    through_a_channel,
)
from training.preparation.sound_changes import (
    frequency_masked,
    in_a_room,
    mixed_with_partner,
    pitch_shifted,
    time_masked,
    time_shifted,
    time_stretched,
    with_noise,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from training.data.examples import Example
    from training.data.tasks import Task

    Float32 = npt.NDArray[np.float32]
    Partner = Callable[[], Float32]
    Change = Callable[[Float32, int, np.random.Generator, Partner], Float32]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Changes that are applied in their order, each with the same probability, at least one of them.

    Attributes:
        name: as run logs say it.
        changes: functions of `sound_changes`.
        probability: of each change.
        partner: the second sound has the same target, or is a "negative" without any label.
    """

    name: str
    changes: tuple[Change, ...]
    probability: float = 0.4
    partner: Literal["alike", "negative"] = "alike"

    def __call__(self, samples: Float32, rate_hz: int, rng: np.random.Generator, partner: Partner) -> Float32:
        """A changed window: (n,) -> (n,); `partner` is called only where a change needs a second window."""
        chosen = rng.random(len(self.changes)) < self.probability
        if not chosen.any():
            chosen[int(rng.integers(len(self.changes)))] = True
        for change, is_chosen in zip(self.changes, chosen, strict=True):
            samples = change(samples, rate_hz, rng, partner) if is_chosen else samples
        return samples


CRACKLE = Recipe(
    "crackle",
    (pitch_shifted, time_stretched, frequency_masked, time_masked, mixed_with_partner, with_noise),
)
"""Crackles are short and broad: pitch and tempo may move, a band or a moment may be missing."""

WHEEZE = Recipe(
    "wheeze",
    (functools.partial(pitch_shifted, semitones=(-0.5, 0.5)), in_a_room, time_masked, mixed_with_partner, with_noise),
)
"""A wheeze is its pitch: it moves by half a semitone at most, and no band is masked."""

EITHER = Recipe("either", (time_masked, mixed_with_partner, with_noise))
"""What harms neither: for breaths with both, and for normal ones, so that a change in itself tells nothing."""

FOUR_CHANGES = Recipe("four", (time_shifted, pitch_shifted, time_stretched, with_noise))
"""The four audio augmentations of the mel-spectrogram CNNs: shift in time, pitch, tempo, noise."""


ALARM = Recipe(
    "alarm",
    (at_another_speed, shifted_into_silence, in_any_room, over_background, through_a_channel, at_another_level),
    probability=0.5,
    partner="negative",
)
"""As a microphone in some room could have recorded it: for screams and cries, and for all that they are told from."""


@dataclass(frozen=True, slots=True)
class LungAugmentation:
    """The recipe for each breath by its labels: callable with an example, as `feature_batch` takes it."""

    labels: tuple[str, ...]

    def __call__(self, example: Example) -> Recipe:
        """Crackle's, wheeze's, or what harms neither."""
        heard = " ".join(label.lower() for label, value in zip(self.labels, example.target, strict=True) if value > 0)
        wheezes = any(word in heard for word in ("wheeze", "rhonchi", "stridor", "both"))
        crackles = any(word in heard for word in ("crackle", "both"))
        if wheezes == crackles:
            return EITHER
        return WHEEZE if wheezes else CRACKLE


def lung_augmentation(task: Task) -> LungAugmentation:
    """The augmentation of breath sounds for a task's labels."""
    return LungAugmentation(task.labels)


def four_augmentations(_example: Example) -> Recipe:
    """The same recipe for every example."""
    return FOUR_CHANGES


def alarm_augmentation(_example: Example) -> Recipe:
    """The same recipe for every example."""
    return ALARM


def example_rng(seed: int, index: int, purpose: int = 0) -> np.random.Generator:
    """The generator of one example for one purpose, by the seed of the run and the example's place in the list."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index, purpose)))
