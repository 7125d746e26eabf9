"""The sounds that sequences are mixed from: one part of the committed lists, decoded once and marked.

What a recording says about each event is stated by event: it holds the event, or it does not, or nobody knows. A cry
of the committed list of screams is no scream, unless that list leaves it out as unclear.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from training.data.clips import LoadedClip, load_clips, load_impulse_responses
from training.data.split_list import CRY_LIST, SCREAM_LIST, read_list
from training.data.terms import is_free
from training.mixing.sampling import KIND_WEIGHTS, MINED_WEIGHT, UNSURE_SETS, is_narrow
from training.mixing.signal import STEP_SAMPLES, loud_steps
from training.sequences.event_marks import INTERVALS, mark_event, read_intervals
from training.sequences.sound_kinds import EVENTS, LABELS, is_unsure, rejected_label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from training.data.split_list import ClipLabel, ListedClip, Part
    from training.networks.audioset_teacher import LiteTeacher

    Float32 = npt.NDArray[np.float32]
    Mask = npt.NDArray[np.bool_]

_DISTRESS = "speech|distress_acted"
_ACTED = "hard_neg/distress_speech_id/"
_SET_WEIGHTS = {"esc50": 3.0, "scream": 3.0, "scream_audioset": 2.0, "scream_mg": 0.4}
_OWN_KIND_WEIGHTS = {
    _DISTRESS: 12.0,
    "scream": 1.0,
    "junglefowl|animal": 4.0,
    "peafowl|animal": 5.0,
    "myna|animal": 4.0,
}
_SECOND_STEPS = 100


@dataclass(frozen=True, slots=True, eq=False)
class SequenceSound:
    """A recording that sequences are cut from.

    Attributes:
        file: as listed.
        samples: float32 (n,) at 16 kHz.
        present: where each event sounds, bool (events, n // STEP_SAMPLES).
        unknown: where nobody knows whether an event sounds, of the same shape.
        loud: its loud steps, bool (n // STEP_SAMPLES,).
        label: index in `LABELS` of the rejected label that it holds where it is loud; None for none.
        is_unsure: whether it may hold further rejected labels.
        is_narrow: whether nothing is left above 4 kHz.
    """

    file: str
    samples: Float32
    present: Mask
    unknown: Mask
    loud: Mask
    label: int | None
    is_unsure: bool
    is_narrow: bool


@dataclass(frozen=True, slots=True, eq=False)
class SoundGroup:
    """Sounds that are drawn from together: one subject of an event, or one kind of other sound.

    Attributes:
        weight: against other groups.
        sounds: its recordings.
        weights: of each within the group, summing to 1.
    """

    weight: float
    sounds: tuple[SequenceSound, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SequenceMaterial:
    """All sounds of one part.

    Attributes:
        events: for each of `EVENTS`, a group for each subject.
        others: a group for each kind of sound that holds no event.
        backgrounds: continuous sounds.
        impulse_responses: of rooms.
    """

    events: tuple[tuple[SoundGroup, ...], ...]
    others: tuple[SoundGroup, ...]
    backgrounds: tuple[SoundGroup, ...]
    impulse_responses: tuple[Float32, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of `LABELS` that a recording holds: free recordings hold no scream."""
        held = {sound.label for group in self.others for sound in group.sounds}
        events = {event for event, groups in zip(EVENTS, self.events, strict=True) if groups}
        return tuple(label for at, label in enumerate(LABELS) if label in events or at in held)


def load_material(
    data: Path, part: Part, teacher: LiteTeacher, *, mined: Mapping[str, float], free_only: bool = False
) -> SequenceMaterial:
    """Decode and mark the recordings of one part.

    Args:
        data: folder of the collections.
        part: `train` or `val`.
        teacher: for windows of one second; marks what is not annotated.
        mined: for recordings without an event, by file, the highest probability of one that a network gave them.
        free_only: leaves out every recording that the table of terms does not call free.

    Raises:
        RecordingError: a list, a manifest, the table of terms or of intervals, or a recording is missing or unreadable.
    """
    claims = _claims(part, free_only=free_only)
    intervals = read_intervals(data / INTERVALS)
    clips = load_clips(data, part, listed=[claim.listed for claim in claims.values()])
    sounds = [(clip, _marked(clip, claims[clip.listed.file], intervals, teacher)) for clip in clips]
    others = [(clip, sound) for clip, sound in sounds if not sound.present.any() and claims[clip.listed.file].is_other]
    return SequenceMaterial(
        events=tuple(_event_groups(sounds, ordinal) for ordinal in range(len(EVENTS))),
        others=_grouped(others, _kind, mined),
        backgrounds=_grouped([one for one in others if one[0].listed.set == "ambient"], _kind, {}),
        impulse_responses=load_impulse_responses(data, part, keeps=is_free if free_only else None),
    )


@dataclass(frozen=True, slots=True)
class _Claim:
    """What the committed lists say of a recording: for each event True, False, or None if it is unclear."""

    listed: ListedClip
    holds: tuple[bool | None, ...]

    @property
    def is_other(self) -> bool:
        return True not in self.holds


def _claims(part: Part, *, free_only: bool = False) -> dict[str, _Claim]:
    cries = {clip.file: clip for clip in read_list(CRY_LIST)}
    claims = {}
    for clip in read_list(SCREAM_LIST):
        # What actors sob and shout is no infant's cry, and may be a scream. No part judges by it, so it may teach.
        acted = part == "train" and clip.part == "exclude" and clip.file.startswith(_ACTED)
        if (clip.part != part and not acted) or (free_only and not is_free(clip.file)):
            continue
        if clip.label == "ignore" and clip.file not in cries:
            continue  # a pet whose neighbour is in another part; what no list makes a claim of teaches nothing
        cry = False if acted else _says(cries.get(clip.file), "cry")
        scream = None if acted else _says(clip, "scream")
        claims[clip.file] = _Claim(replace(clip, part=part, label=_label((cry, scream))), (cry, scream))
    return claims


def _says(clip: ListedClip | None, event: str) -> bool | None:
    if clip is None:
        return False  # a collection that the list of cries does not know holds none
    if clip.label == "ignore" or (clip.doubtful and clip.label == event):
        return None
    return clip.label == event


def _label(holds: tuple[bool | None, ...]) -> ClipLabel:
    if holds == (None,) * len(holds):
        return "ignore"
    return EVENTS[holds.index(True)] if True in holds else "other"


def _marked(
    clip: LoadedClip, claim: _Claim, intervals: Mapping[str, list[tuple[float, float]]], teacher: LiteTeacher
) -> SequenceSound:
    steps = len(clip.samples) // STEP_SAMPLES
    present, unknown = np.zeros((2, len(EVENTS), steps), np.bool_)
    for ordinal, event in enumerate(EVENTS):
        if claim.holds[ordinal]:
            present[ordinal] = mark_event(clip, event, intervals, teacher)
        unknown[ordinal] = claim.holds[ordinal] is None
    label = rejected_label(clip.kind)
    return SequenceSound(
        file=clip.listed.file,
        samples=clip.samples,
        present=present,
        unknown=unknown,
        loud=loud_steps(clip.samples),
        label=LABELS.index(label) if label else None,
        is_unsure=is_unsure(clip.kind),
        is_narrow=is_narrow(clip.samples),
    )


def _event_groups(sounds: Iterable[tuple[LoadedClip, SequenceSound]], ordinal: int) -> tuple[SoundGroup, ...]:
    """A group for each subject; one of many recordings is drawn more often, by the square root of their number."""
    held: dict[str, list[tuple[LoadedClip, SequenceSound]]] = defaultdict(list)
    for clip, sound in sounds:
        if sound.present[ordinal].any():
            held[clip.listed.subject].append((clip, sound))
    return tuple(
        SoundGroup(
            _SET_WEIGHTS.get(pairs[0][0].listed.set, 1.0) * len(pairs) ** 0.5,
            tuple(sound for _, sound in pairs),
            tuple([1 / len(pairs)] * len(pairs)),
        )
        for _, pairs in sorted(held.items())
    )


def _grouped(
    sounds: Sequence[tuple[LoadedClip, SequenceSound]], key: Callable[[LoadedClip], str], mined: Mapping[str, float]
) -> tuple[SoundGroup, ...]:
    held: dict[str, list[tuple[LoadedClip, SequenceSound]]] = defaultdict(list)
    for clip, sound in sounds:
        held[key(clip)].append((clip, sound))
    groups = []
    for kind, pairs in sorted(held.items()):
        weights = [_weight(clip, sound, mined) for clip, sound in pairs]
        total = sum(weights)
        weight = _OWN_KIND_WEIGHTS.get(kind, KIND_WEIGHTS.get(kind, 1.0)) * (total / len(weights)) ** 0.5
        groups.append(SoundGroup(weight, tuple(sound for _, sound in pairs), tuple(one / total for one in weights)))
    return tuple(groups)


def _weight(clip: LoadedClip, sound: SequenceSound, mined: Mapping[str, float]) -> float:
    """Long recordings and hard negatives are drawn more often; unchecked ones are never mined."""
    length = max(1.0, math.sqrt(len(sound.loud) / (10 * _SECOND_STEPS)))
    return length + (0.0 if clip.listed.set in UNSURE_SETS else MINED_WEIGHT * mined.get(sound.file, 0.0))


def _kind(clip: LoadedClip) -> str:
    """Ambient loops are one kind, music another; the kind of all other sounds is the name in their collection."""
    return clip.kind.split("|")[0] if clip.listed.set == "ambient" else clip.kind
