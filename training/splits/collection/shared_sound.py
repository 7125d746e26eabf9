"""Recordings that hold the same sound, and which subjects are to be kept together for that.

Level, codec and bandwidth may differ (`training.splits.near_duplicates`), so hashes would not find them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from device.errors import RecordingError
from training.data.datasets.annotated_recording import load_audio
from training.splits.near_duplicates import COMPARED_HZ, ComparedClip, find_near_duplicates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from training.data.datasets.dataset import Dataset
    from training.splits.near_duplicates import NearDuplicate
    from training.splits.subject_split import Assignment


def shared_sounds(dataset: Dataset, groups: Mapping[str, str]) -> tuple[NearDuplicate, ...]:
    """All pairs of recordings of different groups that share 1.5 s of sound, or all of the shorter one.

    Args:
        dataset: the collection; minutes for hours of recordings.
        groups: file name in the split -> group; recordings of one group are not compared.
    """
    clips = [
        ComparedClip(name, groups[name], one.duration_s, partial(load_audio, one, COMPARED_HZ))
        for one in dataset.recordings
        if (name := dataset.file_name(one)) in groups
    ]
    return find_near_duplicates(clips) if clips else ()


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
