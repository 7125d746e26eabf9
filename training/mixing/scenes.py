"""The scenes that a model is scored on: each clip over a background, and recordings played through.

Validation and evaluation score the same kinds of scenes, each of its own part of the committed list, backgrounds
included; nothing of another part is opened. Every clip that is neither ignored nor a background is laid over a
background (`clip_in_background`), ambient recordings are played through unchanged, and so are each speaker's
sentences one after the other: there, false alarms are counted by the hour. A scene depends on the seed and on its
file alone, so that neither the order of the work nor the number of processes changes it. Knows no network. The event
is what the list names, a cry or a scream, or a sound that collections name among the list's others.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from device.errors import RecordingError
from training.data.clips import SAMPLE_RATE_HZ
from training.data.datasets.annotated_recording import load_audio
from training.data.datasets.manifest_csv import read_manifest
from training.data.split_list import CRY_LIST, SCREAM_LIST, read_list
from training.mixing.clip_in_background import SNRS_DB, is_home_sound, mix_clip, mix_speech

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.split_list import ListedClip
    from training.mixing.signal import Float32

HeldOutPart = Literal["val", "test"]
"""A part whose subjects no training sees."""

Ground = Literal["", "ordinary", "hard"]
"""Of a stream: ambient sound and adults' speech, or what is easily taken for an infant or a scream. "" for a clip."""

EVENTS = ("cry", "scream")
"""Labels of the lists that name an event; `other` is a negative."""

SoundEvent = Literal["glass_breaking", "siren"]
"""A label of collections that may be the event instead: the parts of the scream list hold for it as well."""

HARD_KINDS = {
    "cry": frozenset({"cat", "dog", "laughing", "hen", "rooster", "junglefowl", "peafowl", "baby_laugh"}),
    "scream": frozenset(
        {"cat", "dog", "laughing", "hen", "rooster", "junglefowl", "peafowl", "baby_laugh", "cry", "crying_baby"}
    ),
}
"""Event -> labels of collections that are hard for it, besides children's speech. No collection here holds adults who
cry: what is acted may hold real sobbing, and is left out."""

HARD_CLIPS = {
    "cry": HARD_KINDS["cry"] | {"child", "scream"},
    "scream": HARD_KINDS["scream"] | {"child"},
}
"""The same of single clips, with children's speech, and for cries with screams."""

_ANIMAL_SETS = ("pets", "animals")  # of the scream list; the cry list does not hold them, its parts are the same

SEED = 20250228
"""Of backgrounds and pauses, unless another is asked for."""


@dataclass(frozen=True, slots=True)
class ScenePlan:
    """The recordings that one or several scenes are made of, not yet decoded.

    Attributes:
        name: the clip's file as listed; of a stream its file or speaker.
        listed: the lines of the committed list that it holds.
        recordings: the same, as they can be opened.
        is_stream: played through rather than laid over a background.
        ground: the kind of a stream.
    """

    name: str
    listed: tuple[ListedClip, ...]
    recordings: tuple[AnnotatedRecording, ...]
    is_stream: bool
    ground: Ground = ""

    @property
    def is_event(self) -> bool:
        """Whether it holds the event, whichever that is."""
        return not self.is_stream and self.listed[0].label != "other"


@dataclass(frozen=True, slots=True)
class SceneAnnotation:
    """The ground truth of a stretch of sound that is scored, and where it is from; the samples travel beside it.

    Attributes:
        name: of its plan.
        set: the collection.
        kind: what the collection calls it, the most general label first, joined by `|`.
        subject: the group of the committed list.
        is_event: whether it holds the event, whichever that is.
        doubtful: as listed.
        sample_rate_hz: as recorded.
        snr_db: of the clip over its background; None for a stream.
        duration_s: of the whole scene.
        start_s: where the clip starts in it; 0 for a stream.
        end_s: where the clip ends; the end of the stream.
        onset_s: where the clip is first audible; 0 for a stream.
        ground: the kind of a stream.
    """

    name: str
    set: str
    kind: str
    subject: str
    is_event: bool
    doubtful: bool
    sample_rate_hz: int
    snr_db: float | None
    duration_s: float
    start_s: float
    end_s: float
    onset_s: float
    ground: Ground = ""

    @property
    def is_stream(self) -> bool:
        """Whether it was played through, with no background added."""
        return self.snr_db is None

    @property
    def is_joined(self) -> bool:
        """Whether it joins clips of one hard kind, which are laid over backgrounds one by one as well."""
        return self.ground == "hard" and self.set != "speech"


def plan_scenes(
    data: Path,
    part: HeldOutPart,
    *,
    split: Path = CRY_LIST,
    only: Iterable[str] | None = None,
    with_joined: bool = False,
    sound: SoundEvent | None = None,
) -> tuple[ScenePlan, ...]:
    """The plans of a part, in its list's order: clips, then ambient recordings, then speakers, then joined clips.

    Args:
        data: folder that holds the collections.
        part: whose recordings.
        split: the committed list.
        only: names of the files to use; None for all of them.
        with_joined: also a stream for each hard kind of each set, its clips one after the other.
        sound: the event, instead of the one that the list names.

    Raises:
        RecordingError: the list or a manifest is missing, a listed file is in no manifest, or none holds the sound.
    """
    wanted = None if only is None else set(only)
    listed = [
        clip
        for clip in read_list(split)
        if clip.part == part and clip.label in (*EVENTS, "other") and (wanted is None or clip.file in wanted)
    ]
    known = _recordings(data, listed)
    if sound is not None:
        listed = _about(sound, listed, known)
    clips = [ScenePlan(one.file, (one,), (known[one.file],), is_stream=False) for one in listed if one.set != "ambient"]
    ambient = [
        ScenePlan(one.file, (one,), (known[one.file],), is_stream=True, ground="ordinary")
        for one in listed
        if one.set == "ambient"
    ]
    speakers = _speakers([one for one in listed if one.set == "speech"], known)
    return (*clips, *ambient, *speakers, *(joined_streams(data, part, split=split) if with_joined else ()))


def _about(
    sound: SoundEvent, listed: Sequence[ListedClip], known: Mapping[str, AnnotatedRecording]
) -> list[ListedClip]:
    """The clips with a sound as their event, without what only names it: the loop of an ambulance siren."""
    holds = {clip.file: sound in known[clip.file].labels for clip in listed}
    if not any(holds.values()):
        raise RecordingError(
            f"no recording of the part is labelled {sound}: give a folder that holds some, such as ESC-50."
        )
    return [
        replace(clip, label=sound if holds[clip.file] else "other", doubtful=False)
        for clip in listed
        if holds[clip.file] or not any(sound in label.split("-") for label in known[clip.file].labels)
    ]


def listed_event(split: Path) -> str:
    """Which event a list is about.

    Raises:
        RecordingError: the list names none, or several.
    """
    found = sorted({clip.label for clip in read_list(split)} & set(EVENTS))
    if len(found) != 1:
        raise RecordingError(f"{split} lists {', '.join(found) or 'no events'}: it must be about one of {EVENTS}.")
    return found[0]


def joined_streams(data: Path, part: HeldOutPart, *, split: Path = CRY_LIST) -> tuple[ScenePlan, ...]:
    """A stream for each hard kind of each set: its clips one after the other, in the list's order."""
    joined: dict[str, list[tuple[ListedClip, AnnotatedRecording]]] = {}
    for clip, recording, kind in _of_kinds(data, part, split, HARD_KINDS):
        joined.setdefault(f"hard/{clip.set}/{kind}", []).append((clip, recording))
    return tuple(
        ScenePlan(name, tuple(one for one, _ in held), tuple(one for _, one in held), is_stream=True, ground="hard")
        for name, held in sorted(joined.items())
    )


def hard_clips(data: Path, part: HeldOutPart, *, split: Path = CRY_LIST) -> tuple[ScenePlan, ...]:
    """A plan for each clip of a kind that is hard for the list's event, pets and animals of the scream list included.

    Raises:
        RecordingError: the part holds none, or a listed file is in no manifest.
    """
    found = _of_kinds(data, part, split, HARD_CLIPS)
    if not found:
        raise RecordingError(f"{split} lists no clip of {part} that is hard for its event: give another list or part.")
    return tuple(ScenePlan(clip.file, (clip,), (recording,), is_stream=False) for clip, recording, _ in found)


def _of_kinds(
    data: Path, part: HeldOutPart, split: Path, kinds: Mapping[str, frozenset[str]]
) -> list[tuple[ListedClip, AnnotatedRecording, str]]:
    """The other clips of some kinds, each with its recording and its kind."""
    wanted = kinds[listed_event(split)]
    listed = [*read_list(split), *(_listed_animals() if split == CRY_LIST else ())]
    others = [clip for clip in listed if clip.part == part and clip.label == "other"]
    known = _recordings(data, others)
    labelled = ((clip, [label for label in known[clip.file].labels if label in wanted]) for clip in others)
    return [(clip, known[clip.file], found[0]) for clip, found in labelled if found]


def _listed_animals() -> list[ListedClip]:
    return [clip for clip in read_list(SCREAM_LIST) if clip.set in _ANIMAL_SETS]


def home_backgrounds(data: Path, part: HeldOutPart, *, split: Path = CRY_LIST) -> tuple[Float32, ...]:
    """Ambient recordings of the part that may go on for minutes beside a cot, float32 (n,) each."""
    listed = [
        clip for clip in read_list(split) if clip.part == part and clip.set == "ambient" and is_home_sound(clip.subject)
    ]
    known = _recordings(data, listed)
    return tuple(load_audio(known[clip.file], SAMPLE_RATE_HZ) for clip in listed)


def mix_scenes(
    plan: ScenePlan, backgrounds: Sequence[Float32], *, seed: int
) -> Iterator[tuple[SceneAnnotation, Float32]]:
    """The scenes of a plan with their samples, float32 (n,): a cry at each of `SNRS_DB`, any other clip at the first.

    Args:
        plan: what to decode and mix.
        backgrounds: recordings of the same part, see `home_backgrounds`.
        seed: of what is drawn.
    """
    rng = np.random.default_rng([seed, zlib.crc32(plan.name.encode()), int(plan.is_stream)])
    sounds = [load_audio(recording, SAMPLE_RATE_HZ) for recording in plan.recordings]
    if plan.is_stream:
        samples = sounds[0] if plan.listed[0].set == "ambient" else mix_speech(rng, sounds)
        duration_s = len(samples) / SAMPLE_RATE_HZ
        yield _scene(plan, None, duration_s=duration_s, start_s=0.0, end_s=duration_s, onset_s=0.0), samples
        return
    snrs_db = SNRS_DB if plan.is_event else SNRS_DB[:1]
    for snr_db, mixed in zip(snrs_db, mix_clip(rng, sounds[0], backgrounds, snrs_db=snrs_db), strict=True):
        times = {"start_s": mixed.start_s, "end_s": mixed.end_s, "onset_s": mixed.onset_s}
        yield _scene(plan, snr_db, duration_s=len(mixed.samples) / SAMPLE_RATE_HZ, **times), mixed.samples


def _scene(
    plan: ScenePlan, snr_db: float | None, *, duration_s: float, start_s: float, end_s: float, onset_s: float
) -> SceneAnnotation:
    listed, recording = plan.listed[0], plan.recordings[0]
    return SceneAnnotation(
        name=plan.name,
        set=listed.set,
        kind="|".join(recording.labels),
        subject=listed.subject,
        is_event=plan.is_event,
        doubtful=listed.doubtful,
        sample_rate_hz=recording.sample_rate_hz,
        snr_db=snr_db,
        duration_s=duration_s,
        start_s=start_s,
        end_s=end_s,
        onset_s=onset_s,
        ground=plan.ground,
    )


def _recordings(data: Path, listed: Iterable[ListedClip]) -> dict[str, AnnotatedRecording]:
    """Listed file -> recording, for the listed files."""
    wanted = {clip.file: clip.set for clip in listed}
    known = {
        recording.file.relative_to(data).as_posix(): recording
        for name in sorted(set(wanted.values()))
        for recording in read_manifest(data / name)
    }
    for file in wanted:
        if file not in known:
            raise RecordingError(f"{file} is listed, but stands in no manifest under {data}: make the list anew.")
    return {file: known[file] for file in wanted}


def _speakers(listed: Sequence[ListedClip], known: dict[str, AnnotatedRecording]) -> Iterator[ScenePlan]:
    """One stream for each speaker, the sentences in the list's order."""
    for subject in dict.fromkeys(clip.subject for clip in listed):
        held = tuple(clip for clip in listed if clip.subject == subject)
        recordings = tuple(known[clip.file] for clip in held)
        ground: Ground = "hard" if "child" in recordings[0].labels else "ordinary"
        yield ScenePlan(subject, held, recordings, is_stream=True, ground=ground)
