"""Composes long scenes: events over minutes of background, at chosen levels, in rooms, with the truth.

A scene has one of two grounds. *Ordinary*: ambient recordings one after the other, over which people talk and a
household sounds. *Hard*: the tone of a room, over which cats, dogs, hens, children and laughter follow each other.
Events are the same for both. The level of an event is that of its loud part over the loud part of all that lies under
it (`clip_in_background`). Everything depends on the generator and the material alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from training.data.clips import SAMPLE_RATE_HZ, direct
from training.mixing.clip_in_background import as_16_bit_recording, clip_over, onset_sample
from training.mixing.scene_material import SceneMaterial, Shuffled
from training.mixing.signal import loud_power, noise, reverberated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from training.mixing.scene_material import SceneSound
    from training.mixing.signal import Float32, Rng

SCENE_S = 600.0
"""Length of one scene; the last one of a set may be shorter."""

EVENT_PAUSE_S = (30.0, 60.0)
"""Between two events: longer than any hold and cooldown, so that each event must raise an alarm of its own."""

GROUND_DBFS = (-55.0, -40.0)
"""Level of the loud part of each piece of a ground."""

HOUSEHOLD_PAUSE_S, HOUSEHOLD_DB = (10.0, 40.0), (0.0, 15.0)
HARD_PAUSE_S, HARD_DB = (2.0, 10.0), (10.0, 30.0)
"""Between two sounds over a ground, and their level over it."""

ROOM_SHARE = 0.5
"""Of events that are heard in a room."""

SceneGround = Literal["ordinary", "hard"]


@dataclass(frozen=True, slots=True)
class PlacedSound:
    """A sound of a scene.

    Attributes:
        file: as listed.
        subject: the group of the list.
        start_s: where it starts in the scene.
        end_s: where it ends.
    """

    file: str
    subject: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class PlacedEvent(PlacedSound):
    """An event of a scene.

    Attributes:
        onset_s: where it is first audible.
        snr_db: its level over all that lies under it.
        room: the impulse response it was heard in; empty for none.
    """

    onset_s: float
    snr_db: float
    room: str


@dataclass(frozen=True, slots=True, eq=False)
class LongScene:
    """A scene and its truth.

    Attributes:
        ground: its kind.
        samples: float32 (n,) at `SAMPLE_RATE_HZ`, on the grid of 16 bits.
        events: in their order.
        background: everything else, in its order.
    """

    ground: SceneGround
    samples: Float32
    events: tuple[PlacedEvent, ...]
    background: tuple[PlacedSound, ...]

    @property
    def repeats(self) -> int:
        """How many sounds are in it a second time or more."""
        files = [one.file for one in (*self.events, *self.background)]
        return len(files) - len(set(files))


def compose_scenes(
    material: SceneMaterial, *, hours: float, snrs_db: Sequence[float], rng: Rng, scene_s: float = SCENE_S
) -> Iterator[LongScene]:
    """Scenes of some hours in all, ordinary and hard by turns.

    Args:
        material: of one part.
        hours: in all.
        snrs_db: levels of the events, which take turns.
        rng: of everything that is drawn.
        scene_s: length of a scene, shorter if else one ground would get none.
    """
    queues = {
        name: Shuffled(getattr(material, name), rng)
        for name in ("events", "ambient", "household", "hard", "rooms")
        if getattr(material, name)
    }
    levels = _Turns(snrs_db)
    left_s = hours * 3600
    scene_s = min(scene_s, left_s / 2)
    grounds: tuple[SceneGround, ...] = ("ordinary", "hard")
    number = 0
    while left_s >= 1.0:
        count = round(min(scene_s, left_s) * SAMPLE_RATE_HZ)
        yield _scene(queues, grounds[number % 2], count, levels, rng)
        left_s -= scene_s
        number += 1


class _Turns:
    """Levels that take turns over all scenes, so that each is as frequent."""

    def __init__(self, values: Sequence[float]) -> None:
        self._values, self._next = tuple(values), 0

    def take(self) -> float:
        self._next += 1
        return self._values[(self._next - 1) % len(self._values)]


def _scene(queues: dict[str, Shuffled], ground: SceneGround, count: int, levels: _Turns, rng: Rng) -> LongScene:
    if ground == "ordinary":
        samples, placed = _chained(queues["ambient"], count, rng)
        placed += _scattered(samples, queues["household"], HOUSEHOLD_PAUSE_S, HOUSEHOLD_DB, rng)
    else:
        samples, placed = _at_level(noise(rng, count), rng), []
        placed += _scattered(samples, queues["hard"], HARD_PAUSE_S, HARD_DB, rng)
    events = _events(samples, queues, levels, rng)
    ordered = sorted(placed, key=lambda one: (one.start_s, one.file))
    return LongScene(ground, as_16_bit_recording(samples), tuple(events), tuple(ordered))


def _chained(queue: Shuffled, count: int, rng: Rng) -> tuple[Float32, list[PlacedSound]]:
    """Ambient recordings one after the other, each at a level of its own."""
    samples, placed, at = np.zeros(count, np.float32), list[PlacedSound](), 0
    while at < count:
        sound = queue.draw()
        piece = _at_level(sound.load(), rng)[: count - at]
        samples[at : at + len(piece)] = piece
        placed.append(_placed(sound, at, len(piece)))
        at += len(piece)
    return samples, placed


def _at_level(samples: Float32, rng: Rng) -> Float32:
    power = 10 ** (rng.uniform(*GROUND_DBFS) / 10)
    return samples * np.float32(np.sqrt(power / max(loud_power(samples), 1e-12)))


def _scattered(
    samples: Float32, queue: Shuffled, pause_s: tuple[float, float], level_db: tuple[float, float], rng: Rng
) -> list[PlacedSound]:
    """Add sounds with pauses to a ground, in place."""
    placed: list[PlacedSound] = []
    at = _drawn_samples(pause_s, rng)
    while True:
        sound = queue.draw()
        clip = sound.load()
        if at + len(clip) > len(samples):
            return placed
        samples[at : at + len(clip)] += clip_over(clip, samples[at : at + len(clip)], rng.uniform(*level_db))
        placed.append(_placed(sound, at, len(clip)))
        at += len(clip) + _drawn_samples(pause_s, rng)


def _events(samples: Float32, queues: dict[str, Shuffled], levels: _Turns, rng: Rng) -> list[PlacedEvent]:
    """Add events with pauses, in place."""
    placed: list[PlacedEvent] = []
    at = _drawn_samples(EVENT_PAUSE_S, rng)
    while True:
        sound = queues["events"].draw()
        clip, room = _in_a_room(sound.load(), queues.get("rooms"), rng)
        if at + len(clip) > len(samples):
            return placed
        snr_db = levels.take()
        samples[at : at + len(clip)] += clip_over(clip, samples[at : at + len(clip)], snr_db)
        here = _placed(sound, at, len(clip))
        onset_s = (at + onset_sample(clip)) / SAMPLE_RATE_HZ
        placed.append(
            PlacedEvent(here.file, here.subject, here.start_s, here.end_s, onset_s=onset_s, snr_db=snr_db, room=room)
        )
        at += len(clip) + _drawn_samples(EVENT_PAUSE_S, rng)


def _in_a_room(clip: Float32, rooms: Shuffled | None, rng: Rng) -> tuple[Float32, str]:
    if rooms is None or rng.random() >= ROOM_SHARE:
        return clip, ""
    room = rooms.draw()
    return reverberated(clip, direct(room.load())), room.file


def _placed(sound: SceneSound, at: int, count: int) -> PlacedSound:
    return PlacedSound(sound.file, sound.subject, at / SAMPLE_RATE_HZ, (at + count) / SAMPLE_RATE_HZ)


def _drawn_samples(seconds: tuple[float, float], rng: Rng) -> int:
    return round(float(rng.uniform(*seconds)) * SAMPLE_RATE_HZ)
