"""The scenes that a model is scored on: each clip over a background, and recordings played through.

Validation and evaluation score the same kinds of scenes, each of its own part of the committed list, backgrounds
included; nothing of another part is opened. Every clip that is neither ignored nor a background is laid over a
background (`clip_in_background`), ambient recordings are played through unchanged, and so are each speaker's
sentences one after the other: there, false alarms are counted by the hour. A scene depends on the seed and on its
file alone, so that neither the order of the work nor the number of processes changes it. Knows no network.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from device.errors import RecordingError
from training.data.clips import SAMPLE_RATE_HZ
from training.data.datasets.annotated_recording import load_audio
from training.data.datasets.manifest_csv import read_manifest
from training.data.split_list import CRY_LIST, read_list
from training.mixing.clip_in_background import SNRS_DB, is_home_sound, mix_clip, mix_speech

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.split_list import ListedClip
    from training.mixing.signal import Float32

HeldOutPart = Literal["val", "test"]
"""A part whose subjects no training sees."""

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
    """

    name: str
    listed: tuple[ListedClip, ...]
    recordings: tuple[AnnotatedRecording, ...]
    is_stream: bool

    @property
    def is_cry(self) -> bool:
        """Whether an infant cries in it."""
        return self.listed[0].label == "cry"


@dataclass(frozen=True, slots=True)
class SceneAnnotation:
    """The ground truth of a stretch of sound that is scored, and where it is from; the samples travel beside it.

    Attributes:
        name: of its plan.
        set: the collection.
        kind: what the collection calls it, the most general label first, joined by `|`.
        subject: the group of the committed list.
        is_cry: whether an infant cries in it.
        doubtful: as listed.
        sample_rate_hz: as recorded.
        snr_db: of the clip over its background; None for a stream.
        duration_s: of the whole scene.
        start_s: where the clip starts in it; 0 for a stream.
        end_s: where the clip ends; the end of the stream.
        onset_s: where the clip is first audible; 0 for a stream.
    """

    name: str
    set: str
    kind: str
    subject: str
    is_cry: bool
    doubtful: bool
    sample_rate_hz: int
    snr_db: float | None
    duration_s: float
    start_s: float
    end_s: float
    onset_s: float

    @property
    def is_stream(self) -> bool:
        """Whether it was played through, with no background added."""
        return self.snr_db is None


def plan_scenes(
    data: Path, part: HeldOutPart, *, split: Path = CRY_LIST, only: Iterable[str] | None = None
) -> tuple[ScenePlan, ...]:
    """The plans of a part, in its list's order: clips, then ambient recordings, then speakers.

    Args:
        data: folder that holds the collections.
        part: whose recordings.
        split: the committed list.
        only: names of the files to use; None for all of them.

    Raises:
        RecordingError: the list or a manifest is missing, or a listed file is in no manifest.
    """
    wanted = None if only is None else set(only)
    listed = [
        clip
        for clip in read_list(split)
        if clip.part == part and clip.label in ("cry", "other") and (wanted is None or clip.file in wanted)
    ]
    known = _recordings(data, listed)
    clips = [ScenePlan(one.file, (one,), (known[one.file],), is_stream=False) for one in listed if one.set != "ambient"]
    ambient = [
        ScenePlan(one.file, (one,), (known[one.file],), is_stream=True) for one in listed if one.set == "ambient"
    ]
    return (*clips, *ambient, *_speakers([one for one in listed if one.set == "speech"], known))


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
        samples = mix_speech(rng, sounds) if plan.listed[0].set == "speech" else sounds[0]
        duration_s = len(samples) / SAMPLE_RATE_HZ
        yield _scene(plan, None, duration_s=duration_s, start_s=0.0, end_s=duration_s, onset_s=0.0), samples
        return
    snrs_db = SNRS_DB if plan.is_cry else SNRS_DB[:1]
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
        is_cry=plan.is_cry,
        doubtful=listed.doubtful,
        sample_rate_hz=recording.sample_rate_hz,
        snr_db=snr_db,
        duration_s=duration_s,
        start_s=start_s,
        end_s=end_s,
        onset_s=onset_s,
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
        yield ScenePlan(subject, held, tuple(known[clip.file] for clip in held), is_stream=True)
