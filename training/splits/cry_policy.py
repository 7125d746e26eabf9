"""Which part of the cry list each recording goes to, and why: the policy, seeded and repeatable.

Subjects stay whole. Recordings that may share a source under different names form one group (consecutive
Freesound uploads of one class, one ambient sound in several packs); each group goes to one part, so that
every stratum (a class, an age, a kind of room sound) meets its shares as well as whole groups allow. Groups
that share a sound by `near_duplicates.py` are joined last, on the side that was taught if any was: a finding
moves the clips it names and no others. What no network may decide alone, a doubt about a cry, needs both
witnesses of `cry_evidence.py`.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from training.data.split_list import ClipLabel, ListedClip, Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.splits.cry_evidence import CryEvidence
    from training.splits.near_duplicates import NearDuplicate

SEED = 20250228
KEPT_OUT = "kept out"
SETS = ("donateacry", "babycry", "esc50", "scream", "scream_mg", "scream_audioset", "hard_neg", "ambient", "speech")

# Shares of train, val, test. Ambient and speech give more to the test: false alarms per hour are counted there
# (speech has an official test split of 46 %).
_SHARES: Mapping[str, tuple[float, float, float]] = {"ambient": (0.50, 0.15, 0.35), "speech": (0.38, 0.15, 0.47)}
_USUAL_SHARES = (0.60, 0.15, 0.25)
_PARTS: tuple[Part, ...] = ("train", "val", "test")

# A Freesound id that follows another of the same class this closely comes from the same upload session:
# the same animal, the same baby, the same microphone.
_CONSECUTIVE_UPLOADS = 10

# YAMNet's score, from which on a real infant may be in a scream that nobody listened to.
_CRY_IN_SCREAM = 0.1
# And from which on a piece of an infant's laughter may be crying.
_CRY_IN_LAUGHTER = 0.5

# A cry is doubtful where YAMNet scores it lower than this and it holds less of an infant's voice than one
# short breath of crying.
_DOUBTFUL_SCORE = 0.1
_DOUBTFUL_VOICE_S = 0.5

# hard_neg's other_sound is numbered by what it holds; its first 50 clips are an infant's cries.
_CRIES_IN_OTHER_SOUND = 50

# Parts of names in the scream set that say somebody cries or more than a scream is in it.
_DOUBTFUL_SCREAMS = ("cry", "sadness", "abuse")

# One sound under several names in the ambient packs, after numbers and punctuation are taken off.
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

# What an ambient sound is to a bedside, so that every part hears each kind. First match wins.
_AMBIENT_KINDS: tuple[tuple[str, str], ...] = (
    ("music", r"^music "),
    ("machine", r"fan|dryer|washing|airplane|train|electric car|vinyl|typewriter|exercise bike|noise|clock|heartbeat"),
    ("people", r"cafe|restaurant|crowd|supermarket|playground|conversation|office|library|church|subway|village"),
    ("street", r"city|street|siren"),
    ("rain", r"rain|storm|thunder"),
    ("water", r"water|dishes|tap|drops|bubbles|river|waves|boat|ship"),
    ("animal", r"cat|dog|bird|crow|owl|cow|sheep|seagull|whale|wolf|woodpecker|horse|cricket|jungle|miaow"),
    ("outdoors", r""),
)
# Sounds of a nursery that the test must hold, whatever the draw says.
_AMBIENT_TESTED = ("ceiling fan", "washing machine")


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
    """The cry list of all recordings, in their order: the same for the same arguments, every time."""
    files = [file_name(recording, data) for recording in recordings]
    apart = group_names(recordings)
    joined = join_duplicates(dict(zip(files, apart, strict=True)), duplicates)
    parts = _joined_parts(apart, joined, assign_parts(recordings, apart))
    return tuple(
        _listed(recording, file, group, parts[group], evidence.get(file))
        for recording, file, group in zip(recordings, files, joined, strict=True)
    )


def _joined_parts(apart: Iterable[str], joined: Iterable[str], parts: Mapping[str, Part]) -> dict[str, Part]:
    """Parts of joined groups: whoever taught keeps teaching, and what a model is chosen by never judges it."""
    together: defaultdict[str, set[Part]] = defaultdict(set)
    for before, after in zip(apart, joined, strict=True):
        together[after].add(parts[before])
    return {group: next(part for part in (*_PARTS, "exclude") if part in found) for group, found in together.items()}


def _listed(
    recording: AnnotatedRecording, file: str, group: str, part: Part, evidence: CryEvidence | None
) -> ListedClip:
    label, reason = judge(recording, evidence)
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


def judge(recording: AnnotatedRecording, evidence: CryEvidence | None) -> tuple[ClipLabel, str]:
    """What a recording counts as for the cry model, and why where that is not plain from its labels."""
    labels = set(recording.labels)
    if labels & {"cry", "crying_baby"}:
        return "cry", ""
    if "distress_acted" in labels:
        return "ignore", "acted distress may hold real sobbing, and who acted is unknown"
    if _kept_out(recording):
        return "ignore", "an infant cries in the first 50 clips of other_sound, whatever the folder's name says"
    if any(word in recording.file.stem.lower() for word in _DOUBTFUL_SCREAMS) and "scream" in labels:
        return "ignore", "by its name it holds crying or more than a scream"
    return _judge_by_score(recording, evidence)


def _judge_by_score(recording: AnnotatedRecording, evidence: CryEvidence | None) -> tuple[ClipLabel, str]:
    """`ignore` for what nobody screened and YAMNet takes for a cry; `other` for the rest."""
    score = evidence.infant if evidence else _noted_cry(recording)
    limit = _CRY_IN_LAUGHTER if "baby_laugh" in recording.labels else _CRY_IN_SCREAM
    if score >= limit:
        return "ignore", f"an infant may cry in it (YAMNet {score:.2f})"
    return "other", ""


def doubt_of(evidence: CryEvidence) -> str:
    """Why a clip called a cry is hardly one; empty unless both witnesses say so."""
    score = max(evidence.crying, evidence.infant)
    if score >= _DOUBTFUL_SCORE or evidence.voice_s >= _DOUBTFUL_VOICE_S:
        return ""
    return f"YAMNet hears no cry ({score:.2f}) and an infant's voice is held for {evidence.voice_s:.2f} s only"


def _running_number(recording: AnnotatedRecording) -> int:
    """97 of `0_97.ogg`."""
    return int(recording.file.stem.rpartition("_")[2])


def _noted_cry(recording: AnnotatedRecording) -> float:
    """YAMNet's crying score where the collection's note gives it, else 0."""
    match = re.search(r"\bcry=([\d.]+)", recording.note)
    return float(match[1]) if match else 0.0


def join_duplicates(group_of: Mapping[str, str], duplicates: Iterable[NearDuplicate]) -> tuple[str, ...]:
    """Each file's group, those that share a sound joined under the name of the one with most files.

    What is kept out of everything joins nobody: it cannot leak.
    """
    leader = {group: group for group in group_of.values()}
    size = Counter(group_of.values())
    for pair in duplicates:
        if KEPT_OUT in (group_of[pair.file_a], group_of[pair.file_b]):
            continue
        one, other = (_leader(group_of[file], leader) for file in (pair.file_a, pair.file_b))
        greater, lesser = sorted((one, other), key=lambda group: (-size[group], group))
        leader[lesser] = greater
    return tuple(_leader(group, leader) for group in group_of.values())


def _leader(name: str, leader: Mapping[str, str]) -> str:
    while leader[name] != name:
        name = leader[name]
    return name


def group_names(recordings: Iterable[AnnotatedRecording]) -> tuple[str, ...]:
    """The group each recording belongs to; groups are never divided between parts."""
    recordings = tuple(recordings)
    uploads = _upload_groups(recordings)
    return tuple(_group_name(recording, uploads) for recording in recordings)


def _group_name(recording: AnnotatedRecording, uploads: Mapping[str, str]) -> str:
    if _kept_out(recording):
        return KEPT_OUT
    if recording.set == "esc50":
        return f"esc50:{uploads[recording.subject]}"
    if recording.set == "ambient":
        return f"ambient:{ambient_sound(recording)}"
    return f"{recording.set}:{recording.subject or 'unknown'}"


def _upload_groups(recordings: Sequence[AnnotatedRecording]) -> dict[str, str]:
    """Freesound id -> the first id of its upload session, where ids of one class follow each other."""
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
    leader = {str(number): str(first) for number, first in first_of.items()}
    return {number: _leader(number, leader) for number in leader}


def ambient_sound(recording: AnnotatedRecording) -> str:
    """An ambient recording's sound without pack, take and spelling: `coffee_shop_1` is `cafe`."""
    name = re.sub(r"_\d+$", "", recording.subject)
    name = re.sub(r"[-_\s]+", " ", name).strip().lower()
    name = f"music {name}" if recording.labels[0] == "music" else name
    return _AMBIENT_SYNONYMS.get(name, name)


def _stratum(recording: AnnotatedRecording) -> str:
    if recording.set == "ambient":
        sound = ambient_sound(recording)
        return "ambient/" + next(kind for kind, pattern in _AMBIENT_KINDS if re.search(pattern, sound))
    if recording.set in {"donateacry", "babycry"}:
        return recording.set
    if recording.set == "hard_neg":
        return f"hard_neg/{recording.file.parent.name}"
    return f"{recording.set}/{recording.labels[-1]}"


def _fixed_part(recording: AnnotatedRecording) -> Part | None:
    """The part a recording must be in, where something stronger than the draw decides it."""
    if _kept_out(recording):
        return "exclude"
    if _never_held_out(recording):
        return "train"
    return "test" if _always_held_out(recording) else None


def _kept_out(recording: AnnotatedRecording) -> bool:
    """Neither a cry to count on nor a clean negative: acted distress, and the infants in other_sound."""
    return "distress_acted" in recording.labels or (
        "other_sound" in recording.labels and _running_number(recording) < _CRIES_IN_OTHER_SOUND
    )


def _never_held_out(recording: AnnotatedRecording) -> bool:
    """Of unknown subject, or with a guess in its place (scream_mg): a taught clip may be of the same one.

    So also the only recording of an infant laughing: held out, it would measure one baby.
    """
    return not recording.subject or recording.set == "scream_mg" or "baby_laugh" in recording.labels


def _always_held_out(recording: AnnotatedRecording) -> bool:
    """The rest of babycry (two babies, told apart; silence, which is easily made), and what publishers hold out."""
    if recording.set == "ambient":
        return ambient_sound(recording) in _AMBIENT_TESTED
    return recording.set == "babycry" or (recording.set == "speech" and recording.official_split == "test")


def assign_parts(recordings: Sequence[AnnotatedRecording], groups: Sequence[str]) -> dict[str, Part]:
    """Group -> part, each stratum for itself; a group of several classes counts in the first one."""
    members: defaultdict[str, list[AnnotatedRecording]] = defaultdict(list)
    for recording, group in zip(recordings, groups, strict=True):
        members[group].append(recording)
    strata: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for group, together in members.items():
        stratum = min(_stratum(recording) for recording in together)
        strata[stratum][group] = sum(recording.duration_s for recording in together)
    fixed = {group: part for group, together in members.items() if (part := _fixed_part(together[0]))}
    return {group: part for name in sorted(strata) for group, part in _fill(name, strata[name], fixed).items()}


def _fill(stratum: str, weights: Mapping[str, float], fixed: Mapping[str, Part]) -> dict[str, Part]:
    """Parts of a stratum's groups, weighed in seconds: heaviest first, each goes where most is wanting.

    Groups whose part is fixed come first and count; a seeded draw orders equals.
    """
    rng = np.random.default_rng([SEED, zlib.crc32(stratum.encode())])
    draw = dict(zip(sorted(weights), rng.random(len(weights)), strict=True))
    shares = _SHARES.get(stratum.partition("/")[0], _USUAL_SHARES)
    wanting = {part: share * sum(weights.values()) for part, share in zip(_PARTS, shares, strict=True)}
    given: dict[str, Part] = {}
    for group in sorted(weights, key=lambda name: (name not in fixed, -round(weights[name], 1), draw[name])):
        part = fixed[group] if group in fixed else max(_PARTS, key=lambda name: wanting[name])
        given[group] = part
        wanting[part] = wanting.get(part, 0.0) - weights[group]
    return given
