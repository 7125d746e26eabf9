"""The log-mel frames of whole recordings, from which windows are cut at any frame.

The spec is the audioset reference's at 4 kHz, its lowest 64 of 128 bands: above them nothing is left of half the rate.
`normalize` does to a window's decibels what `device.hearing.features.finish` does, after they were changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from device.errors import RecordingError
from device.hearing.features import computer, finish
from training.data.datasets.annotated_recording import load_audio
from training.data.datasets.manifest_csv import read_manifest
from training.data.split_list import LUNG_LIST, read_list
from training.networks.audioset.mn04 import BANDS
from training.networks.audioset.reference_forms import LUNG_LOG_MEL

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import numpy.typing as npt

    from device.hearing.spec import FeatureSpec
    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.split_list import Part

    Float32 = npt.NDArray[np.float32]

KEPT_BANDS = 64


def _lowest_bands(spec: FeatureSpec, count: int) -> FeatureSpec:
    """The same bands, but the lowest `count` alone: each triangle stands where it stood."""
    highest_mel = 1127.0 * np.log1p(spec.f_max_hz / 700.0) * (count + 1) / (BANDS + 1)
    return replace(spec, n_mels=count, f_max_hz=float(700.0 * np.expm1(highest_mel / 1127.0)))


SPEC = _lowest_bands(LUNG_LOG_MEL, KEPT_BANDS)
"""197 frames x 64 of 2 s at 4 kHz."""

_UNLIMITED = replace(SPEC, top_db=None, normalization="none")


@dataclass(frozen=True, slots=True, eq=False)
class BandFrames:
    """A recording, whom it is of, and its frames.

    Attributes:
        recording: the annotations.
        subject: the patient.
        frames: decibels, float32 (n, `KEPT_BANDS`), at least as many as a window has.
    """

    recording: AnnotatedRecording
    subject: str
    frames: Float32

    @property
    def last_start(self) -> int:
        """The frame at which the last window starts."""
        return len(self.frames) - SPEC.frame_count

    def window(self, first_frame: int) -> Float32:
        """A window's decibels: (frames, bands)."""
        return self.frames[first_frame : first_frame + SPEC.frame_count]


def frame_s() -> float:
    """Seconds from a frame to the next."""
    return SPEC.hop / SPEC.sample_rate_hz


def window_s() -> float:
    """Seconds of a window."""
    return SPEC.window_samples / SPEC.sample_rate_hz


def hop_frames(hop_s: float) -> int:
    """Frames from one window of the device to the next."""
    return round(hop_s * SPEC.sample_rate_hz / SPEC.hop)


def normalize(decibels: Float32) -> Float32:
    """What the network reads of windows: (n, frames, bands) -> the same shape."""
    return np.stack([finish(SPEC, window) for window in decibels])


def load_frames(data: Path, part: Part, sets: Collection[str]) -> list[BandFrames]:
    """The frames of some collections' recordings of breath sounds in one part of the committed list, in its order.

    Args:
        data: the folder that holds the collections.
        part: of `lung.csv`.
        sets: the collections.

    Raises:
        RecordingError: a collection or a recording is missing or cannot be read.
    """
    listed = [clip for clip in read_list(LUNG_LIST) if clip.part == part and clip.set in sets]
    known = {
        f"{name}/{one.file.relative_to(data / name).as_posix()}": one
        for name in dict.fromkeys(clip.set for clip in listed)
        for one in read_manifest(data / name)
    }
    missing = next((clip.file for clip in listed if clip.file not in known), None)
    if missing is not None:
        raise RecordingError(f"{missing} of {LUNG_LIST.name} is not below {data}: restore the collection.")
    return [BandFrames(known[clip.file], clip.subject, frames_of(known[clip.file])) for clip in listed]


def frames_of(recording: AnnotatedRecording) -> Float32:
    """Decibels of a recording, padded to one window at least: (n, `KEPT_BANDS`).

    Raises:
        RecordingError: the file is missing, no audio, or empty.
    """
    samples = load_audio(recording, SPEC.sample_rate_hz)
    missing = max(0, SPEC.window_samples - len(samples))
    return computer(_UNLIMITED).frames(np.pad(samples, (0, missing)))
