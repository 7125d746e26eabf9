"""What long scenes are made of: the events, backgrounds, hard sounds and rooms of one part of a list.

Knows no mixing. Every clip is drawn once before any is drawn again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.data.clips import SAMPLE_RATE_HZ
from training.data.datasets.annotated_recording import load_audio
from training.data.datasets.manifest_csv import read_manifest
from training.data.split_list import IMPULSE_RESPONSE_LIST, read_list
from training.mixing.scenes import joined_streams, listed_event, plan_scenes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.mixing.scenes import HeldOutPart
    from training.mixing.signal import Float32, Rng

HOUSEHOLD = frozenset(
    {
        "breathing", "brushing_teeth", "can_opening", "clock_alarm", "clock_tick", "coughing", "door_wood_creaks",
        "door_wood_knock", "drinking_sipping", "footsteps", "glass_breaking", "keyboard_typing", "mouse_click",
        "pouring_water", "sneezing", "snoring", "toilet_flush", "vacuum_cleaner", "washing_machine", "water_drops",
    }
)  # fmt: skip
"""Labels of collections that are sounds of a household."""


@dataclass(frozen=True, slots=True)
class SceneSound:
    """A recording that scenes are made of.

    Attributes:
        file: as listed.
        subject: the group of the list.
        recording: as it can be opened.
    """

    file: str
    subject: str
    recording: AnnotatedRecording

    def load(self) -> Float32:
        """Its samples, float32 (n,) at `SAMPLE_RATE_HZ`."""
        return load_audio(self.recording, SAMPLE_RATE_HZ)


@dataclass(frozen=True, slots=True)
class SceneMaterial:
    """All that the scenes of a part may hold.

    Attributes:
        event: what the list is about.
        events: certain ones.
        ambient: continuous sounds.
        household: adults' sentences and sounds of a household.
        hard: what is easily taken for the event.
        rooms: impulse responses.
    """

    event: str
    events: tuple[SceneSound, ...]
    ambient: tuple[SceneSound, ...]
    household: tuple[SceneSound, ...]
    hard: tuple[SceneSound, ...]
    rooms: tuple[SceneSound, ...]


def part_material(data: Path, part: HeldOutPart, *, split: Path) -> SceneMaterial:
    """The material of a part; nothing of another part is opened.

    Raises:
        RecordingError: the list or a manifest is missing, or a listed file is in no manifest.
    """
    plans = plan_scenes(data, part, split=split)
    single = [
        (SceneSound(plan.name, plan.listed[0].subject, plan.recordings[0]), plan)
        for plan in plans
        if len(plan.listed) == 1 and (plan.listed[0].set == "ambient") == plan.is_stream
    ]
    kinds = {sound.file: frozenset(sound.recording.labels) for sound, _ in single}
    joined = list(joined_streams(data, part, split=split))
    hard = [
        SceneSound(listed.file, listed.subject, recording)
        for plan in joined
        for listed, recording in zip(plan.listed, plan.recordings, strict=True)
    ]
    return SceneMaterial(
        event=listed_event(split),
        events=tuple(sound for sound, plan in single if plan.is_event and not plan.listed[0].doubtful),
        ambient=tuple(sound for sound, plan in single if plan.is_stream),
        household=tuple(
            sound
            for sound, plan in single
            if not plan.is_event and (kinds[sound.file] & HOUSEHOLD or "adult" in kinds[sound.file])
        ),
        hard=(*hard, *(sound for sound, _ in single if "child" in kinds[sound.file])),
        rooms=_rooms(data, part),
    )


def _rooms(data: Path, part: HeldOutPart) -> tuple[SceneSound, ...]:
    known = {f"rir/{one.file.relative_to(data / 'rir').as_posix()}": one for one in read_manifest(data / "rir")}
    return tuple(
        SceneSound(clip.file, clip.subject, known[clip.file])
        for clip in read_list(IMPULSE_RESPONSE_LIST)
        if clip.part == part and clip.file in known
    )


class Shuffled:
    """Draws from some sounds in shuffled order: each once before any is drawn again.

    Args:
        sounds: at least one.
        rng: shuffles.
    """

    def __init__(self, sounds: Sequence[SceneSound], rng: Rng) -> None:
        self._sounds, self._rng = tuple(sounds), rng
        self._left: list[SceneSound] = []

    def __repr__(self) -> str:
        return f"Shuffled({len(self._sounds)} sounds, {len(self._left)} left)"

    def draw(self) -> SceneSound:
        """The next one."""
        if not self._left:
            self._left = [self._sounds[index] for index in self._rng.permutation(len(self._sounds))]
        return self._left.pop()
