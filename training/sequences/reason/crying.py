"""The crying in recordings whose reason a parent noted, as the device hears it: an embedding for each hop.

The device's model of reasons runs while a cry is on. So each recording counts from the first hop that the cry head
takes for a cry to the last one; a recording without one says nothing about reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.features import computer, finish
from training.data.clips import load_clips
from training.data.split_list import read_list
from training.data.tasks import CRY_REASON
from training.networks.audioset.mn04 import EMBEDDING_SIZE
from training.networks.audioset.second_network import HOP_FRAMES, PAST_STEPS, SECOND_FRAMES, SPEC
from training.sequences.sound_kinds import EVENTS, LABELS
from training.train.judging.task_measures import probabilities

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from training.data.split_list import Part

    Float32 = npt.NDArray[np.float32]

COLLECTION = "donateacry"
CRYING = 0.25
"""From this probability on a hop is crying; about the off threshold of the cry model."""


@dataclass(frozen=True, slots=True, eq=False)
class NotedCry:
    """The crying of one recording, and its noted reason.

    Attributes:
        file: as the committed list names it.
        subject: the app installation that recorded it.
        target: 1 for the noted reason among the task's labels (labels,).
        embeddings: of each hop from the first crying one to the last (hops, 384).
    """

    file: str
    subject: str
    target: tuple[float, ...]
    embeddings: Float32


def noted_cries(data: Path, part: Part, backbone: Any, head: Any) -> Iterator[NotedCry]:
    """The cries of one part that are not doubtful and have a reason.

    Args:
        data: folder that holds the collections.
        part: of the committed list of cries.
        backbone: of the fitted cry network, by Keras.
        head: likewise.

    Raises:
        RecordingError: a recording or a manifest cannot be read.
    """
    for file, subject, target, windows in noted_windows(data, part):
        embeddings = np.asarray(backbone.predict(windows[:, -SECOND_FRAMES:], verbose=0), np.float32)
        crying = np.flatnonzero(cry_probability(embeddings, head) >= CRYING)
        if len(crying):
            yield NotedCry(file, subject, target, embeddings[crying[0] : crying[-1] + 1])


def noted_windows(data: Path, part: Part) -> Iterator[tuple[str, str, tuple[float, ...], Float32]]:
    """File, subject, target and windows (hops, frames, bins, 1) of each recording with a reason."""
    listed = [one for one in read_list() if one.set == COLLECTION and not one.doubtful]
    for clip in load_clips(data, part, listed=listed):
        target = CRY_REASON.target_of(clip.kind.split("|"))
        if target is not None:
            yield clip.listed.file, clip.listed.subject, target, windows_of(clip.samples)


def windows_of(samples: Float32) -> Float32:
    """A recording as windows of features, one for each hop: (hops, frames, bins, 1); a short one is repeated."""
    if len(samples) < SPEC.window_samples:
        samples = np.resize(samples, SPEC.window_samples)
    frames = computer(SPEC).frames(samples)
    starts = range(0, len(frames) - SPEC.shape[0] + 1, HOP_FRAMES)
    return np.stack([finish(SPEC, frames[first : first + SPEC.shape[0]])[..., None] for first in starts])


def cry_probability(embeddings: Float32, head: Any) -> npt.NDArray[np.float64]:
    """What the fitted head gives for a cry at each hop (hops,)."""
    past = np.zeros((PAST_STEPS, EMBEDDING_SIZE), np.float32)
    logits = np.asarray(head(np.concatenate([past, embeddings])[None], training=False))[0]
    return probabilities(logits[:, [LABELS.index(EVENTS[0])]], "sigmoid")[:, 0]
