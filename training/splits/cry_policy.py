"""The cry list: label, group and part of each recording, and why; seeded and repeatable.

Subjects stay whole (`cry_groups`), and each group goes to one part (`cry_parts`). Groups that share a sound by
`near_duplicates` are joined last, in the part that trains if any of them does: a finding moves the clips that it
names and no others. A network alone never decides that a cry is doubtful: both measures of `cry_evidence` must
agree.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from training.data.split_list import ClipLabel, ListedClip, Part
from training.splits.cry_groups import group_names, is_kept_out, join_duplicates
from training.splits.cry_parts import PARTS, assign_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.splits.cry_evidence import CryEvidence
    from training.splits.near_duplicates import NearDuplicate

SETS = ("donateacry", "babycry", "esc50", "scream", "scream_mg", "scream_audioset", "hard_neg", "ambient", "speech")

# YAMNet's score, from which on a real infant may be in a scream that nobody listened to.
_CRY_IN_SCREAM = 0.1
# And from which on a piece of an infant's laughter may be crying.
_CRY_IN_LAUGHTER = 0.5

# A cry is doubtful if YAMNet scores it lower than this and it holds less of an infant's voice than one short
# breath of crying.
_DOUBTFUL_SCORE = 0.1
_DOUBTFUL_VOICE_S = 0.5

# Parts of names in the scream set that say somebody cries or more than a scream is in it.
_DOUBTFUL_SCREAMS = ("cry", "sadness", "abuse")


def file_name(recording: AnnotatedRecording, data: Path) -> str:
    """`<set>/<path in the set>`, as the lists name a recording."""
    return recording.file.relative_to(data).as_posix()


def make_list(
    recordings: Sequence[AnnotatedRecording],
    data: Path,
    *,
    duplicates: Iterable[NearDuplicate],
    evidence: Mapping[str, CryEvidence],
) -> tuple[ListedClip, ...]:
    """The cry list of all recordings, in their order; equal arguments give an equal list."""
    files = [file_name(recording, data) for recording in recordings]
    apart = group_names(recordings)
    joined = join_duplicates(dict(zip(files, apart, strict=True)), duplicates)
    parts = joined_parts(apart, joined, assign_parts(recordings, apart))
    return tuple(
        _listed(recording, file, group, parts[group], evidence.get(file))
        for recording, file, group in zip(recordings, files, joined, strict=True)
    )


def joined_parts(apart: Iterable[str], joined: Iterable[str], parts: Mapping[str, Part]) -> dict[str, Part]:
    """Parts of joined groups: train if any of them trains, and validation before test."""
    together: defaultdict[str, set[Part]] = defaultdict(set)
    for before, after in zip(apart, joined, strict=True):
        together[after].add(parts[before])
    return {group: next(part for part in (*PARTS, "exclude") if part in found) for group, found in together.items()}


def _listed(
    recording: AnnotatedRecording, file: str, group: str, part: Part, evidence: CryEvidence | None
) -> ListedClip:
    label, reason = label_of(recording, evidence)
    doubt = doubt_of(evidence) if label == "cry" and evidence else ""
    return ListedClip(
        file=file,
        set=recording.set,
        subject=group,
        part=part,
        label=label,
        doubtful=bool(doubt),
        reason=reason or doubt,
    )


def label_of(recording: AnnotatedRecording, evidence: CryEvidence | None) -> tuple[ClipLabel, str]:
    """What a recording counts as for the cry model, and the reason if its labels alone do not give it."""
    labels = set(recording.labels)
    if labels & {"cry", "crying_baby"}:
        return "cry", ""
    if "distress_acted" in labels:
        return "ignore", "acted distress may hold real sobbing, and who acted is unknown"
    if is_kept_out(recording):
        return "ignore", "an infant cries in the first 50 clips of other_sound, whatever the folder's name says"
    if any(word in recording.file.stem.lower() for word in _DOUBTFUL_SCREAMS) and "scream" in labels:
        return "ignore", "by its name it holds crying or more than a scream"
    return _label_by_score(recording, evidence)


def _label_by_score(recording: AnnotatedRecording, evidence: CryEvidence | None) -> tuple[ClipLabel, str]:
    """`ignore` for what nobody screened and YAMNet scores as a cry; `other` for the rest."""
    score = evidence.infant if evidence else _noted_cry(recording)
    limit = _CRY_IN_LAUGHTER if "baby_laugh" in recording.labels else _CRY_IN_SCREAM
    if score >= limit:
        return "ignore", f"an infant may cry in it (YAMNet {score:.2f})"
    return "other", ""


def doubt_of(evidence: CryEvidence) -> str:
    """Why a clip that is labelled a cry is doubtful; empty unless both measures agree."""
    score = max(evidence.crying, evidence.infant)
    if score >= _DOUBTFUL_SCORE or evidence.voice_s >= _DOUBTFUL_VOICE_S:
        return ""
    return f"YAMNet hears no cry ({score:.2f}) and an infant's voice is held for {evidence.voice_s:.2f} s only"


def _noted_cry(recording: AnnotatedRecording) -> float:
    """YAMNet's crying score from the collection's note, or 0 if it has none."""
    match = re.search(r"\bcry=([\d.]+)", recording.note)
    return float(match[1]) if match else 0.0
