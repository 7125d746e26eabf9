"""Which recordings of the cry list may share a source, and so belong to one group.

Consecutive Freesound uploads of one class and one ambient sound in several packs are one group, and so are groups
that share a sound by `near_duplicates`. Knows nothing of parts.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.splits.near_duplicates import NearDuplicate

KEPT_OUT = "kept out"


# A Freesound id that follows another of the same class this closely comes from the same upload session:
# the same animal, the same baby, the same microphone.
_CONSECUTIVE_UPLOADS = 10

# hard_neg's other_sound is numbered by what it holds; its first 50 clips are an infant's cries.
_CRIES_IN_OTHER_SOUND = 50

# One sound under several names in the ambient packs, after numbers and punctuation are removed.
_AMBIENT_SYNONYMS: Mapping[str, str] = {
    "air plane": "airplane",
    "airplane inflight": "airplane",
    "coffee": "cafe",
    "coffee shop": "cafe",
    "purring cat": "cat purring",
    "screeching seagulls": "seagulls",
    "stream water": "water stream",
    "cave drops": "drops",
    "moving train": "inside a train",
    "bonfire": "campfire",
    "fireplace": "campfire",
    "wind chimes of shells": "wind chimes",
    "distant thunder": "thunder",
    "rolling thunder": "thunder",
    "thunder crack": "thunder",
    "soft wind": "wind",
    "wind in palm trees": "wind in trees",
    "leaves": "wind in trees",
    "laundry room": "washing machine",
    "seaside": "waves",
    "crowded bar": "cafe",
    "boat": "sailboat",
    "rowing boat": "sailboat",
}


def join_duplicates(group_of: Mapping[str, str], duplicates: Iterable[NearDuplicate]) -> tuple[str, ...]:
    """Each file's group; groups that share a sound get the name of the one with most files.

    What is kept out of everything is not joined: it cannot leak. Findings about files of other lists say nothing.
    """
    parent = {group: group for group in group_of.values()}
    size = Counter(group_of.values())
    for pair in duplicates:
        if pair.file_a not in group_of or pair.file_b not in group_of:
            continue
        if KEPT_OUT in (group_of[pair.file_a], group_of[pair.file_b]):
            continue
        one, other = (_root(group_of[file], parent) for file in (pair.file_a, pair.file_b))
        greater, lesser = sorted((one, other), key=lambda group: (-size[group], group))
        parent[lesser] = greater
    return tuple(_root(group, parent) for group in group_of.values())


def _root(name: str, parent: Mapping[str, str]) -> str:
    while parent[name] != name:
        name = parent[name]
    return name


def group_names(recordings: Iterable[AnnotatedRecording]) -> tuple[str, ...]:
    """The group each recording belongs to; groups are never divided between parts."""
    recordings = tuple(recordings)
    uploads = _upload_groups(recordings)
    return tuple(_group_name(recording, uploads) for recording in recordings)


def _group_name(recording: AnnotatedRecording, uploads: Mapping[str, str]) -> str:
    if is_kept_out(recording):
        return KEPT_OUT
    if recording.set == "esc50":
        return f"esc50:{uploads[recording.subject]}"
    if recording.set == "ambient":
        return f"ambient:{ambient_sound(recording)}"
    return f"{recording.set}:{recording.subject or 'unknown'}"


def _upload_groups(recordings: Sequence[AnnotatedRecording]) -> dict[str, str]:
    """Freesound id -> the first id of its upload session, if ids of one class follow each other."""
    classes: dict[str, set[int]] = {}
    for recording in recordings:
        if recording.set == "esc50":
            classes.setdefault(recording.labels[0], set()).add(int(recording.subject))
    first_of: dict[int, int] = {}
    for ids in classes.values():
        previous = first = -_CONSECUTIVE_UPLOADS - 1
        for number in sorted(ids):
            first = first if number - previous <= _CONSECUTIVE_UPLOADS else number
            first_of[number] = min(first, first_of.get(number, first))
            previous = number
    parent = {str(number): str(first) for number, first in first_of.items()}
    return {number: _root(number, parent) for number in parent}


def ambient_sound(recording: AnnotatedRecording) -> str:
    """An ambient recording's sound without pack, take and spelling: `coffee_shop_1` is `cafe`."""
    name = re.sub(r"_\d+$", "", recording.subject)
    name = re.sub(r"[-_\s]+", " ", name).strip().lower()
    name = f"music {name}" if recording.labels[0] == "music" else name
    return _AMBIENT_SYNONYMS.get(name, name)


def is_kept_out(recording: AnnotatedRecording) -> bool:
    """Neither a reliable cry nor a clean negative: acted distress, and the infants in other_sound."""
    return "distress_acted" in recording.labels or (
        "other_sound" in recording.labels and _running_number(recording) < _CRIES_IN_OTHER_SOUND
    )


def _running_number(recording: AnnotatedRecording) -> int:
    """97 of `0_97.ogg`."""
    return int(recording.file.stem.rpartition("_")[2])
