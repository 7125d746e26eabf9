"""The sound that each model must raise an alarm at: a golden window out of its own bundle, over and over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.hearing.bundle.reader import read_bundle
from device.hearing.resample import Resampler
from device.messages import AudioBlock
from device.runtime.model_library import bundle_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from device.config.settings import Settings
    from device.hearing.bundle.contents import Bundle
    from device.hearing.listening_model import ListeningLabel, ListeningModel
    from device.runtime.model_loader import OpenModels

    Float32 = npt.NDArray[np.float32]

SLICE_S = 0.1
"""Of the known sound in one step."""

LONGEST_SOUND_S = 60.0
"""An operating point that no shorter sound confirms is not tried; its network is."""

_ROOM_DBFS = -70.0
_SPARE_S = 1.0  # beyond what confirms an onset: what a resampler and a slice hold back


@dataclass(frozen=True, slots=True, eq=False)
class KnownSound:
    """What one model must hear.

    Attributes:
        model: its name.
        label: of which it must raise an alarm; empty where no sound at hand reaches the label's threshold, or one
            would have to be too long: the network must answer then, and no more.
        samples: float32 (n,), one window of sound, over and over.
        sample_rate_hz: of the model.
        lasts_s: how much of it confirms an onset.
    """

    model: str
    label: str
    samples: Float32
    sample_rate_hz: int
    lasts_s: float


def known_sounds(settings: Settings, models: OpenModels) -> tuple[KnownSound, ...]:
    """One for each model that listens, in their order; reads the bundles, so not for the main loop's turns.

    Raises:
        BundleError: a bundle is no longer there.
    """
    bundles = {said.name: read_bundle(bundle_path(said.bundle)) for said in settings.listening}
    return tuple(known_sound(bundles[model.name], model) for model in models.listening)


def known_sound(bundle: Bundle, model: ListeningModel) -> KnownSound:
    """The golden window that is farthest above the threshold of a label that is an alarm."""
    window_s = bundle.window_samples / bundle.sample_rate_hz
    found = [
        (float(score) - label.point.on, case.samples, label)
        for case in bundle.golden
        for label, score in zip(model.labels, case.probabilities, strict=True)
        if label.role == "alarm" and score >= label.point.on and _lasts_s(label, window_s) <= LONGEST_SOUND_S
    ]
    if not found:
        return KnownSound(model.name, "", bundle.golden[-1].samples, bundle.sample_rate_hz, window_s + _SPARE_S)
    _, samples, label = max(found, key=lambda one: one[0])
    return KnownSound(model.name, label.name, samples, bundle.sample_rate_hz, _lasts_s(label, window_s))


def _lasts_s(label: ListeningLabel, window_s: float) -> float:
    point = label.point
    return window_s + max(point.confirm_s, point.confirm_of_s) + point.min_length_s + _SPARE_S


def known_sound_blocks(sound: KnownSound, capture_hz: int) -> Iterator[AudioBlock]:
    """The sound, and a room's murmur under it, as a microphone of that rate would give it.

    Without the murmur the windows would be equal, sample for sample, which is a sign of a driver that hangs.
    """
    slice_samples = round(SLICE_S * sound.sample_rate_hz)
    resampler = Resampler(sound.sample_rate_hz, capture_hz)
    rng = np.random.default_rng(0)
    given = 0
    for number in range(round(sound.lasts_s / SLICE_S)):
        places = np.arange(number * slice_samples, (number + 1) * slice_samples) % len(sound.samples)
        murmur = rng.standard_normal(slice_samples) * 10 ** (_ROOM_DBFS / 20)
        samples = resampler.push(np.clip(sound.samples[places] + murmur, -1.0, 1.0).astype(np.float32))
        if len(samples):
            yield AudioBlock(samples, capture_hz, given)
            given += len(samples)
