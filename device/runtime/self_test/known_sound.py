"""The sound at which each model must raise an alarm: a golden window or sequence of its own bundle, repeated."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.hearing.bundle.reader import read_bundle
from device.hearing.resample import Resampler
from device.messages import AudioBlock
from device.runtime.model_library import bundle_path
from device.runtime.model_loader import trusted_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from device.config.settings import Settings
    from device.hearing.bundle.contents import Bundle
    from device.hearing.bundle.golden_sequences import GoldenSequence
    from device.hearing.listening_model import ListeningLabel, ListeningModel
    from device.runtime.model_loader import OpenModels

    Float32 = npt.NDArray[np.float32]

SLICE_S = 0.1
"""How much of the known sound one step plays."""

LONGEST_SOUND_S = 60.0
"""An operating point that takes a longer sound to confirm is not tested; its network is."""

_ROOM_DBFS = -70.0
_NOISE_SCALE = 3**0.5 / 2**31 * 10 ** (_ROOM_DBFS / 20)  # of uniform int32: its root mean square is 2^31 / sqrt(3)
_SPARE_S = 1.0  # beyond what confirms an onset: delay of the resampler and of a slice


@dataclass(frozen=True, slots=True, eq=False)
class KnownSound:
    """The sound that one model must detect.

    Attributes:
        model: its name.
        label: the label that must raise an alarm; empty if no golden window reaches an alarm threshold, or only a
            sound that is too long: then the network only has to return scores.
        samples: float32 (n,), one window or a sequence of them, to be repeated.
        sample_rate_hz: of the model.
        duration_s: how much sound confirms an onset.
    """

    model: str
    label: str
    samples: Float32
    sample_rate_hz: int
    duration_s: float


def known_sounds(settings: Settings, models: OpenModels) -> tuple[KnownSound, ...]:
    """One for each listening model, in their order; reads the bundles, so do not call it between two windows.

    Raises:
        BundleError: a bundle is missing or damaged, or not signed with the configured key.
    """
    key = trusted_key(settings)
    bundles = {model.name: read_bundle(bundle_path(model.bundle), key=key) for model in settings.listening}
    return tuple(known_sound(bundles[model.name], model) for model in models.listening)


def known_sound(bundle: Bundle, model: ListeningModel) -> KnownSound:
    """The golden window or sequence that is farthest above the threshold of a label with the role `alarm`."""
    window_s = bundle.window_samples / bundle.sample_rate_hz
    candidates = [
        (float(score) - label.point.on, case.samples, label)
        for case in bundle.golden
        for label, score in zip(model.labels, case.probabilities, strict=True)
        if label.role == "alarm" and score >= label.point.on
    ]
    candidates += [
        (confirmed - label.point.on, sequence.samples, label)
        for sequence in bundle.sequences
        for ordinal, label in enumerate(model.labels)
        if label.role == "alarm" and (confirmed := _confirmed(sequence, ordinal, label, bundle)) >= label.point.on
    ]
    for _, samples, label in sorted(candidates, key=lambda candidate: candidate[0], reverse=True):
        duration_s = _duration_s(label, len(samples) / bundle.sample_rate_hz)
        if duration_s <= LONGEST_SOUND_S:
            return KnownSound(model.name, label.name, samples, bundle.sample_rate_hz, duration_s)
    return KnownSound(model.name, "", bundle.golden[-1].samples, bundle.sample_rate_hz, window_s + _SPARE_S)


def _confirmed(sequence: GoldenSequence, ordinal: int, label: ListeningLabel, bundle: Bundle) -> float:
    """The highest threshold that would confirm an onset within a golden sequence."""
    hop_s = bundle.head.hop_s if bundle.head is not None else 0.0
    needed = label.point.needed(hop_s) if hop_s else len(sequence.probabilities)
    scores = sequence.probabilities[:, ordinal]
    return max((float(scores[first : first + needed].min()) for first in range(len(scores) - needed + 1)), default=0.0)


def _duration_s(label: ListeningLabel, sound_s: float) -> float:
    point = label.point
    return sound_s + max(point.confirm_s, point.confirm_of_s) + point.min_length_s + _SPARE_S


def known_sound_blocks(sound: KnownSound, capture_hz: int) -> Iterator[AudioBlock]:
    """The sound over faint room noise, as a microphone at that rate would deliver it, in blocks of `SLICE_S`.

    Without the noise the windows would repeat sample for sample, which the deafness detector takes for a hung driver.
    """
    slice_samples = round(SLICE_S * sound.sample_rate_hz)
    resampler = Resampler(sound.sample_rate_hz, capture_hz)
    rng = random.Random(0)  # numpy's own would be imported now, and the main loop must not wait for a disk
    start_sample = 0
    for number in range(round(sound.duration_s / SLICE_S)):
        indices = np.arange(number * slice_samples, (number + 1) * slice_samples) % len(sound.samples)
        room_noise = np.frombuffer(rng.randbytes(4 * slice_samples), "<i4") * _NOISE_SCALE
        samples = resampler.push(np.clip(sound.samples[indices] + room_noise, -1.0, 1.0).astype(np.float32))
        if len(samples):
            yield AudioBlock(samples, capture_hz, start_sample)
            start_sample += len(samples)
