"""Recordings that hold the same sound, and which subjects are to be kept together for that.

Level, codec and bandwidth may differ (`training.splits.near_duplicates`), so hashes would not find them. Recordings
that are stored at less than 7 kHz hold too little of the band that is compared (200 Hz to 3.5 kHz): breath sounds at
4 kHz are alike in what is left, a fifth of all pairs. Of those only equal samples are found.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

from device.errors import RecordingError
from training.data.datasets.annotated_recording import load_audio
from training.splits.near_duplicates import COMPARED_HZ, ComparedClip, NearDuplicate, find_near_duplicates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.datasets.dataset import Dataset
    from training.splits.subject_split import Assignment


LEAST_HZ = 7_000
"""Of recordings whose spectra are compared."""


def shared_sounds(dataset: Dataset, groups: Mapping[str, str]) -> tuple[NearDuplicate, ...]:
    """All pairs of recordings of different groups that share 1.5 s of sound, or all of the shorter one.

    Args:
        dataset: the collection; minutes for hours of recordings.
        groups: file name in the split -> group; recordings of one group are not compared.
    """
    named = {name: one for one in dataset.recordings if (name := dataset.file_name(one)) in groups}
    clips = [
        ComparedClip(name, groups[name], one.duration_s, partial(load_audio, one, COMPARED_HZ))
        for name, one in named.items()
        if one.sample_rate_hz >= LEAST_HZ
    ]
    low = {name: one for name, one in named.items() if one.sample_rate_hz < LEAST_HZ}
    return tuple(sorted([*(find_near_duplicates(clips) if clips else ()), *_equal(low, groups)]))


def _equal(recordings: Mapping[str, AnnotatedRecording], groups: Mapping[str, str]) -> Iterator[NearDuplicate]:
    """Pairs of different groups whose samples are equal: each with the first that holds them."""
    first: dict[bytes, str] = {}
    for name, one in sorted(recordings.items()):
        digest = hashlib.sha256(load_audio(one, one.sample_rate_hz).tobytes()).digest()
        other = first.setdefault(digest, name)
        if groups[other] != groups[name]:
            yield NearDuplicate(other, name, similarity=1.0, waveform=1.0, offset_s=0.0)


def joined_groups(subjects: Mapping[str, str], pairs: Iterable[NearDuplicate]) -> dict[str, str]:
    """Subject -> the group that a split must keep together: the subject itself, or those it shares sounds with."""
    group = {subject: subject for subject in subjects.values()}
    for pair in pairs:
        kept, joined = sorted((group[subjects[pair.file_a]], group[subjects[pair.file_b]]))
        group = {subject: kept if name == joined else name for subject, name in group.items()}
    return group


def across_parts(assignments: Sequence[Assignment], pairs: Iterable[NearDuplicate]) -> list[NearDuplicate]:
    """The pairs of which one recording is in another part than the other."""
    part = {one.file: one.part for one in assignments}
    return [pair for pair in pairs if part.get(pair.file_a) != part.get(pair.file_b)]


def check_sounds(assignments: Sequence[Assignment], pairs: Iterable[NearDuplicate]) -> None:
    """Refuse a split in which the same sound is in two parts.

    Raises:
        RecordingError: some pair is divided.
    """
    divided = across_parts(assignments, pairs)
    if divided:
        first = divided[0]
        raise RecordingError(
            f"{len(divided)} pair(s) of recordings hold the same sound and are in two parts, the first is "
            f"{first.file_a} and {first.file_b}: give both one subject."
        )
