"""Loads and decodes the recordings of one part of a committed list.

Each call opens recordings of one part only. Clips listed as `ignore` are never loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.data.datasets.annotated_recording import load_audio
from training.data.datasets.manifest_csv import read_manifest
from training.data.split_list import IMPULSE_RESPONSE_LIST, ListedClip, Part, read_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import numpy.typing as npt

    from training.data.datasets.annotated_recording import AnnotatedRecording

    Float32 = npt.NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
"""Of all sound that is trained, validated and evaluated on, once decoded."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedClip:
    """One listed recording and its sound.

    Attributes:
        listed: its line in the committed list.
        kind: the collection's labels, the most general first, joined by `|`.
        samples: float32 (n,) at 16 kHz.
    """

    listed: ListedClip
    kind: str
    samples: Float32

    @property
    def is_cry(self) -> bool:
        """Whether the list says that an infant cries in it."""
        return self.listed.label == "cry"


def load_clips(data: Path, part: Part, *, listed: Iterable[ListedClip] | None = None) -> tuple[LoadedClip, ...]:
    """All clips of `part` that are trained on or scored, in the list's order.

    Args:
        data: folder that holds the collections, each with its manifest.
        part: `train`, `val` or `test`.
        listed: lines to select from; None for the committed list.

    Raises:
        RecordingError: the list, a manifest or a recording is missing or unreadable.
    """
    wanted = [clip for clip in (read_list() if listed is None else listed) if clip.part == part]
    known = _recordings(data, {clip.set for clip in wanted})
    return tuple(
        LoadedClip(clip, "|".join(known[clip.file].labels), load_audio(known[clip.file], SAMPLE_RATE_HZ))
        for clip in wanted
        if clip.label != "ignore"
    )


def load_impulse_responses(
    data: Path, part: Part, *, keeps: Callable[[str], bool] | None = None
) -> tuple[Float32, ...]:
    """Impulse responses of `part`, each from its direct sound on, of unit energy.

    Args:
        data: folder that holds the collections.
        part: `train`, `val` or `test`.
        keeps: whether the file of a listed name is used; None for all.
    """
    listed = [clip.file for clip in read_list(IMPULSE_RESPONSE_LIST) if clip.part == part]
    wanted = [file for file in listed if keeps is None or keeps(file)]
    known = _recordings(data, {"rir"})
    return tuple(direct(load_audio(known[file], SAMPLE_RATE_HZ)) for file in wanted)


def direct(response: Float32, longest_s: float = 0.9) -> Float32:
    """An impulse response cut to start at its peak, at most `longest_s` long, with unit energy."""
    start = int(np.argmax(np.abs(response)))
    cut = response[start : start + int(longest_s * SAMPLE_RATE_HZ)]
    scaled: Float32 = cut / np.float32(max(float(np.sqrt(np.sum(cut**2))), 1e-9))
    return scaled


def _recordings(data: Path, sets: Iterable[str]) -> dict[str, AnnotatedRecording]:
    """File as listed -> recording, for all recordings of some sets."""
    return {
        f"{name}/{recording.file.relative_to(data / name).as_posix()}": recording
        for name in sorted(sets)
        for recording in read_manifest(data / name)
    }
