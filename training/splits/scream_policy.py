"""The scream list: label, group and part of each recording, and why; seeded and repeatable.

Groups and parts are those of the cry list (`cry_groups`, `cry_parts`): nobody is in two parts, and what one model
learns from never judges the other. The scream sets share recordings (`near_duplicates`), so scream, scream_mg and
scream_audioset are joined where they do. Two sets are added, of cats, dogs and other animals, that the cry list does
not hold. In validation and test a doubtful scream is ignored; in training it keeps its label and is marked.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from training.data.split_list import ClipLabel, ListedClip, Part
from training.splits import cry_policy
from training.splits.cry_groups import group_names, is_kept_out, join_duplicates
from training.splits.cry_parts import assign_parts
from training.splits.cry_policy import file_name, joined_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.splits.near_duplicates import NearDuplicate
    from training.splits.scream_evidence import ScreamEvidence

ANIMAL_SETS = ("pets", "animals")
SETS = (*cry_policy.SETS, *ANIMAL_SETS)

# A scream is doubtful if YAMNet scores nothing that is shouted or screamed this high and it holds less of a high
# voice than this.
_DOUBTFUL_SCORE = 0.1
_DOUBTFUL_VOICE_S = 0.5
# From this score on a clip that is said to hold no scream may hold one.
_SCREAM_IN_OTHER = 0.5
# Nobody listened to scream_mg: its screams are believed from this score on, its other clips below that one.
_BELIEVED_SCREAM, _BELIEVED_OTHER = 0.5, 0.1

_CRYING_BY_NAME = ("cry", "sadness", "abuse")

# Neighbouring numbers of pets are cuts of one recording, so blocks of them stay together, in this order; the clips
# beside a border between two parts are ignored, and those beside one that another set holds too.
_PET_BLOCKS: Mapping[str, tuple[tuple[int, Part], ...]] = {
    "cat": ((120, "train"), (140, "val"), (10_000, "test")),
    "dog": ((80, "train"), (90, "val"), (10_000, "test")),
}
_BORDER = 2


def make_list(
    recordings: Sequence[AnnotatedRecording],
    data: Path,
    *,
    duplicates: Iterable[NearDuplicate],
    evidence: Mapping[str, ScreamEvidence],
) -> tuple[ListedClip, ...]:
    """The scream list of all recordings, in their order; equal arguments give an equal list."""
    files = [file_name(recording, data) for recording in recordings]
    shared, duplicates = _pets_elsewhere(duplicates)
    apart = [
        f"pets:{_pet_part(one)}" if one.set == "pets" else group
        for one, group in zip(recordings, group_names(recordings), strict=True)
    ]
    joined = join_duplicates(dict(zip(files, apart, strict=True)), duplicates)
    parts = joined_parts(apart, joined, assign_parts(recordings, apart) | _pet_parts(recordings))
    return tuple(
        _without_shared(_listed(recording, file, group, parts[group], evidence.get(file)), shared)
        for recording, file, group in zip(recordings, files, joined, strict=True)
    )


def _pets_elsewhere(duplicates: Iterable[NearDuplicate]) -> tuple[frozenset[str], list[NearDuplicate]]:
    """Clips of pets that are, or are cut from, what another set holds too, and the findings without these."""
    shared, rest = set(), []
    for pair in duplicates:
        pets = [file for file in (pair.file_a, pair.file_b) if file.startswith("pets/")]
        if len(pets) == 1:
            stem, _, number = pets[0].removesuffix(".ogg").rpartition("_")
            shared |= {f"{stem}_{int(number) + by}.ogg" for by in range(-_BORDER, _BORDER + 1)}
        else:
            rest.append(pair)
    return frozenset(shared), rest


def _without_shared(clip: ListedClip, shared: frozenset[str]) -> ListedClip:
    if clip.file not in shared:
        return clip
    return replace(clip, label="ignore", reason="it, or a neighbour by number, is in another set too")


def _listed(
    recording: AnnotatedRecording, file: str, group: str, part: Part, evidence: ScreamEvidence | None
) -> ListedClip:
    label, reason = label_of(recording, evidence)
    doubt = doubt_of(evidence) if label == "scream" and evidence else ""
    if doubt and part != "train":
        label = "ignore"
    return ListedClip(
        file=file,
        set=recording.set,
        subject=group,
        part=part,
        label=label,
        doubtful=bool(doubt) and label == "scream",
        reason=reason or doubt,
    )


def label_of(recording: AnnotatedRecording, evidence: ScreamEvidence | None) -> tuple[ClipLabel, str]:
    """What a recording counts as for a scream model, and the reason if its labels alone do not give it."""
    reason = _reason_to_ignore(recording) or _reason_by_score(recording, evidence)
    if reason:
        return "ignore", reason
    if "scream" in recording.labels:
        return "scream", ""
    return _label_by_note(recording) if recording.set == "scream_mg" else ("other", "")


def _reason_to_ignore(recording: AnnotatedRecording) -> str:
    """Why a recording is neither a scream nor a clean negative by what is known of it alone; empty if it is one."""
    if is_kept_out(recording):
        return "acted distress, or a clip whose folder names it wrongly: neither a scream nor a clean negative"
    if recording.set == "pets" and _is_beside_a_border(recording):
        return "its neighbours by number, which may be the same recording, are in another part"
    if "scream" in recording.labels and any(word in recording.file.stem.lower() for word in _CRYING_BY_NAME):
        return "by its name it holds crying or more than a scream"
    return ""


def _reason_by_score(recording: AnnotatedRecording, evidence: ScreamEvidence | None) -> str:
    if evidence is None or "scream" in recording.labels or evidence.screaming < _SCREAM_IN_OTHER:
        return ""
    return f"somebody may scream in it (YAMNet {evidence.screaming:.2f})"


def _label_by_note(recording: AnnotatedRecording) -> tuple[ClipLabel, str]:
    """What a clip to which nobody listened counts as, by the score in its note."""
    match = re.search(r"\bscream=([\d.]+)", recording.note)
    score = float(match[1]) if match else 0.0
    if "scream_like" in recording.labels and score >= _BELIEVED_SCREAM:
        return "scream", ""
    if "no_scream" in recording.labels and score < _BELIEVED_OTHER:
        return "other", ""
    return "ignore", f"nobody listened, and its folder and YAMNet ({score:.2f}) do not agree"


def doubt_of(evidence: ScreamEvidence) -> str:
    """Why a clip that is labelled a scream is doubtful; empty unless both measures agree."""
    if evidence.screaming >= _DOUBTFUL_SCORE or evidence.voice_s >= _DOUBTFUL_VOICE_S:
        return ""
    return (
        f"YAMNet hears no scream ({evidence.screaming:.2f}) and a high voice is held for {evidence.voice_s:.2f} s only"
    )


def _pet_number(recording: AnnotatedRecording) -> int:
    """120 of `cat_120.ogg`."""
    return int(recording.file.stem.rpartition("_")[2])


def _pet_part(recording: AnnotatedRecording) -> str:
    """`cat train`: the block of one animal that a clip of pets is in."""
    kind, number = recording.labels[0], _pet_number(recording)
    return f"{kind} {next(part for end, part in _PET_BLOCKS[kind] if number < end)}"


def _pet_parts(recordings: Iterable[AnnotatedRecording]) -> dict[str, Part]:
    kinds = {one.labels[0] for one in recordings if one.set == "pets"}
    return {f"pets:{kind} {part}": part for kind in kinds for _, part in _PET_BLOCKS[kind]}


def _is_beside_a_border(recording: AnnotatedRecording) -> bool:
    number = _pet_number(recording)
    return any(end - _BORDER <= number < end + _BORDER for end, _ in _PET_BLOCKS[recording.labels[0]])
