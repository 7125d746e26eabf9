"""Judges a model as a caregiver would: recordings go through the device's own listener, alerts are counted.

Every clip of a part that is neither ignored nor a background is laid over a held-out background (`embedding`);
ambient recordings are played through as they are, and each speaker's sentences one after the other: there,
false alarms are counted by the hour. Nothing of another part is opened. A scene depends on the seed and on
its file alone, so that neither the order of the work nor the number of processes changes a figure.
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import os
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from device.errors import RecordingError
from training.data.clips import SAMPLE_RATE_HZ
from training.data.datasets.annotated_recording import load_audio
from training.data.datasets.manifest import read_manifest
from training.data.split_list import read_list
from training.evaluation.detectors import HOP_S, open_detectors
from training.mixing.clip_in_background import embedded, is_home_sound, talk
from training.statistics import confirmed_levels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.split_list import ListedClip
    from training.evaluation.detectors import Ear, Listened, System
    from training.mixing.clip_in_background import Embedded

    Float32 = npt.NDArray[np.float32]

SNRS_DB = (20.0, 10.0, 5.0, 0.0)
"""Of cries over their background; the first is what the figures are told for, and the only one of other clips."""

STREAM_SETS = ("ambient", "speech")
"""Sets that are also played through, unbroken; ambient recordings are backgrounds and no clips."""

JudgedPart = Literal["val", "test"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What is judged, on what.

    Attributes:
        bundle: an INT8 bundle.
        data: folder that holds the collections.
        part: subjects that no training has seen.
        split: the committed list.
        seed: of the backgrounds and pauses.
        label: of the bundle; None for its only alarm.
        float_model: the network before it was converted; None to leave it out.
        peer: YAMNet as a `.tflite` file; None to leave it out.
    """

    bundle: Path
    data: Path
    part: JudgedPart
    split: Path
    seed: int
    label: str | None = None
    float_model: Path | None = None
    peer: Path | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work: a clip to embed, or recordings to play through.

    Attributes:
        name: the clip's file as listed; of a stream its file or speaker.
        listed: the lines of the committed list that it holds.
        recordings: the same, as they can be opened.
        is_stream: played through rather than embedded.
    """

    name: str
    listed: tuple[ListedClip, ...]
    recordings: tuple[AnnotatedRecording, ...]
    is_stream: bool

    @property
    def is_cry(self) -> bool:
        """Whether an infant cries in it."""
        return self.listed[0].label == "cry"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What one system made of one scene.

    Attributes:
        system: its name.
        name: of the task.
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
        onset_s: where the clip is first audible.
        alerts_s: when events were decided whose deciding window touches the clip.
        elsewhere: events that began in the background before or behind it.
        level: the highest threshold at which a window that touches the clip would confirm an event.
        probabilities: of all windows of the scene (n,).
        faults: kinds of what kept the listener from hearing.
    """

    system: str
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
    alerts_s: tuple[float, ...]
    elsewhere: int
    level: float
    probabilities: Float32
    faults: tuple[str, ...]

    @property
    def found(self) -> bool:
        """Whether an alert was raised for it."""
        return bool(self.alerts_s)

    @property
    def delay_s(self) -> float | None:
        """From the onset to the first alert; None where there is none."""
        return self.alerts_s[0] - self.onset_s if self.alerts_s else None


def tasks(judged: Judged, *, only: Iterable[str] | None = None) -> tuple[Task, ...]:
    """The work on a part, in the order of its list.

    Args:
        judged: which part, of which list and folder.
        only: names of the files to take; None for all of them.

    Raises:
        RecordingError: the list or a manifest is missing, or a listed file stands in no manifest.
    """
    wanted = None if only is None else set(only)
    listed = [
        clip
        for clip in read_list(judged.split)
        if clip.part == judged.part and clip.label in ("cry", "other") and (wanted is None or clip.file in wanted)
    ]
    known = _recordings(judged.data, listed)
    clips = [Task(one.file, (one,), (known[one.file],), is_stream=False) for one in listed if one.set != "ambient"]
    ambient = [Task(one.file, (one,), (known[one.file],), is_stream=True) for one in listed if one.set == "ambient"]
    return (*clips, *ambient, *_talks([one for one in listed if one.set == "speech"], known))


def hear_all(
    judged: Judged, work: Sequence[Task], *, workers: int = 1
) -> tuple[tuple[System, ...], tuple[Outcome, ...]]:
    """Hear all of the work: the systems, and for each task its outcomes, in the order of the work.

    Args:
        judged: the model, and the part whose backgrounds are used.
        work: what to hear.
        workers: processes; the same is heard with any number of them.

    Raises:
        AuricleError: a model or a recording does not hold.
    """
    hear = functools.partial(hear_one, judged)
    if workers == 1:
        return systems_of(judged), tuple(itertools.chain.from_iterable(_shown(map(hear, work), len(work))))
    # A network needs one thread; a second one in each process would only wait for a core.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        systems = pool.submit(systems_of, judged).result()
        parts = pool.map(hear, work, chunksize=4)
        return systems, tuple(itertools.chain.from_iterable(_shown(parts, len(work))))


def systems_of(judged: Judged) -> tuple[System, ...]:
    """The systems that are judged, the shipped one first."""
    return bench(judged).systems


def hear_one(judged: Judged, task: Task) -> list[Outcome]:
    """One task through all systems."""
    return bench(judged).hear(task)


@functools.cache
def bench(judged: Judged) -> Bench:
    """The bench of this process: networks are opened and backgrounds decoded once."""
    ears = open_detectors(judged.bundle, label=judged.label, float_path=judged.float_model, peer_path=judged.peer)
    return Bench(ears, _home_rooms(judged), judged.seed)


class Bench:
    """Ears, and the rooms that clips are laid in.

    Args:
        ears: who listens.
        rooms: held-out backgrounds, float32 (n,) each.
        seed: of what is drawn.
    """

    def __init__(self, ears: Sequence[Ear], rooms: Sequence[Float32], seed: int) -> None:
        self._ears = tuple(ears)
        self._rooms = tuple(rooms)
        self._seed = seed
        self.systems = tuple(system for ear in ears for system in ear.systems)

    def __repr__(self) -> str:
        return f"Bench({', '.join(system.name for system in self.systems)}; {len(self._rooms)} rooms)"

    def hear(self, task: Task) -> list[Outcome]:
        """One task through all systems, at each level it is judged at."""
        rng = np.random.default_rng([self._seed, zlib.crc32(task.name.encode()), int(task.is_stream)])
        sounds = [load_audio(recording, SAMPLE_RATE_HZ) for recording in task.recordings]
        if task.is_stream:
            samples = talk(rng, sounds) if task.listed[0].set == "speech" else sounds[0]
            return self._heard(task, samples, None)
        snrs_db = SNRS_DB if task.is_cry else SNRS_DB[:1]
        scenes = embedded(rng, sounds[0], self._rooms, snrs_db=snrs_db)
        return [
            outcome
            for scene, snr_db in zip(scenes, snrs_db, strict=True)
            for outcome in self._heard(task, scene.samples, (scene, snr_db))
        ]

    def _heard(self, task: Task, samples: Float32, clip: tuple[Embedded, float] | None) -> list[Outcome]:
        listened = {name: one for ear in self._ears for name, one in ear.hear(samples, "evaluation").items()}
        duration_s = len(samples) / SAMPLE_RATE_HZ
        return [_outcome(task, system, listened[system.name], clip, duration_s) for system in self.systems]


def _outcome(
    task: Task, system: System, listened: Listened, clip: tuple[Embedded, float] | None, duration_s: float
) -> Outcome:
    first = task.listed[0]
    scene, snr_db = clip or (None, None)
    start_s, end_s = (scene.start_s, scene.end_s) if scene else (0.0, duration_s)
    alerts_s = tuple(at_s for at_s in listened.begun_s if at_s > start_s and at_s - system.window_s < end_s)
    return Outcome(
        system=system.name,
        name=task.name,
        set=first.set,
        kind="|".join(task.recordings[0].labels),
        subject=first.subject,
        is_cry=task.is_cry,
        doubtful=first.doubtful,
        sample_rate_hz=task.recordings[0].sample_rate_hz,
        snr_db=snr_db,
        duration_s=duration_s,
        start_s=start_s,
        end_s=end_s,
        onset_s=scene.onset_s if scene else 0.0,
        alerts_s=alerts_s,
        elsewhere=len(listened.begun_s) - len(alerts_s),
        level=_level(system, listened, start_s, end_s),
        probabilities=listened.probabilities,
        faults=listened.faults,
    )


def _level(system: System, listened: Listened, start_s: float, end_s: float) -> float:
    """Highest level at which a window that touches start_s..end_s would confirm an event; 0 without such a window."""
    levels = confirmed_levels(
        listened.probabilities.tolist(),
        needed=system.point.needed(HOP_S),
        considered=system.point.considered(HOP_S),
    )
    touches = (listened.ends_s > start_s) & (listened.ends_s - system.window_s < end_s)
    return float(max(0.0, levels[touches].max(initial=0.0)))


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


def _talks(listed: Sequence[ListedClip], known: dict[str, AnnotatedRecording]) -> Iterator[Task]:
    """One stream for each speaker, the sentences in the order of the list."""
    for subject in dict.fromkeys(clip.subject for clip in listed):
        held = tuple(clip for clip in listed if clip.subject == subject)
        yield Task(subject, held, tuple(known[clip.file] for clip in held), is_stream=True)


def _home_rooms(judged: Judged) -> tuple[Float32, ...]:
    """Ambient recordings of the part that may be heard for minutes beside a cot."""
    listed = [
        clip
        for clip in read_list(judged.split)
        if clip.part == judged.part and clip.set == "ambient" and is_home_sound(clip.subject)
    ]
    known = _recordings(judged.data, listed)
    return tuple(load_audio(known[clip.file], SAMPLE_RATE_HZ) for clip in listed)


def _shown(parts: Iterable[list[Outcome]], total: int) -> Iterator[list[Outcome]]:
    """Pass the parts on; say on a terminal how many there were."""
    shows = sys.stderr.isatty()
    for done, part in enumerate(parts, start=1):
        if shows:
            print(f"\r{done} of {total} scenes", end="" if done < total else "\n", file=sys.stderr, flush=True)
        yield part
