"""24 hours of ordinary room tone, all of it recorded: nothing in it is mistaken for a deaf microphone.

Rooms are what is left when a fan, a machine or rain stops; each plays from its own recordings, which go on in
loops with crossfaded seams. Levels, fades and where in its loop a sound begins are drawn from a seed.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.hearing.deafness.detector import DeafnessDetector
from device.hearing.resample import Resampler
from device.messages import AudioBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

DATA = Path(__file__).parents[5] / "shared" / "data"
RECORDED_HZ = 16000
BLOCK_S = 10
SEAM_S = 0.25

ROOMS = [
    "ambient/loops/noice__night_0",
    "esc50/crickets/*",
    "ambient/loops/noice__office_0",
    "ambient/loops/noice__public_library_1",
    "ambient/loops/noice__soft_wind_0",
    "ambient/loops/noice__soft_wind_1",
    "babycry/silence/*",
    "ambient/loops/moodist__heavy-rain under 4 kHz",
    "ambient/loops/blanket__rain under 4 kHz",
]
RUNNING = [
    "ambient/loops/moodist__ceiling-fan",
    "ambient/loops/moodist__heavy-rain",
    "esc50/vacuum_cleaner/*",
    "ambient/loops/noisekun__rain",
    "esc50/rain/*",
    "ambient/loops/moodist__dryer",
]


@dataclass(frozen=True, slots=True)
class Part:
    """Some minutes of a scene; what runs is so many dB over the room, or silent (None)."""

    minutes: float
    over_db: float | None = None


EVENING = [Part(4, 30), Part(5), Part(2, 20), Part(4), Part(2, 10), Part(3)]
"""It ran since the start: all that was ever learned is 30 dB over the room that it leaves."""

NIGHT = [Part(5), Part(65, 30), Part(20), Part(10, 25), Part(20)]
"""It ran for over an hour: the room before it is forgotten when it stops."""

EVENINGS = [(room, RUNNING[(index + turn) % 6]) for index, room in enumerate(ROOMS) for turn in (0, 3)]
NIGHTS = [(ROOMS[0], RUNNING[3]), (ROOMS[6], RUNNING[0]), (ROOMS[7], RUNNING[2])]
evenings = pytest.mark.parametrize(("room", "running"), EVENINGS)
nights = pytest.mark.parametrize(("room", "running"), NIGHTS)


# ---- recordings


@functools.cache
def loop(name: str, rate_hz: int) -> Float32:
    """What a name stands for, joined, at an RMS of 1, and the beginning once more behind it for a block's length."""
    pattern, _, under = name.partition(" under ")
    recorded = [_recorded(path) for path in sorted(DATA.glob(f"{pattern}.ogg"))]
    clips = [_at(rate_hz, clip, narrow=bool(under)) for clip in recorded if not _is_padded(clip)]
    assert clips, f"no recording is named {name}"
    joined = _joined(clips, round(SEAM_S * rate_hz))
    level = np.sqrt(np.mean(np.square(joined, dtype=np.float64)))
    return np.resize(joined, len(joined) + BLOCK_S * rate_hz) / np.float32(level)


def _recorded(path: Path) -> Float32:
    samples, recorded_hz = soundfile.read(path, dtype="float32")
    assert recorded_hz == RECORDED_HZ
    return np.asarray(samples, np.float32)


def _at(rate_hz: int, samples: Float32, *, narrow: bool) -> Float32:
    """At a rate; a narrow one went through a microphone of 8 kHz, which leaves nothing over 4 kHz."""
    if narrow:
        samples = _resampled(_resampled(samples, RECORDED_HZ, 8000), 8000, RECORDED_HZ)
    return _resampled(samples, RECORDED_HZ, rate_hz)


def _resampled(samples: Float32, from_hz: int, to_hz: int) -> Float32:
    resampler = Resampler(from_hz, to_hz)
    return np.concatenate((resampler.push(samples), resampler.finish()))


def _is_padded(clip: Float32) -> bool:
    """Whether the clip was filled up with zeros, as ESC-50's are, which no open microphone delivers."""
    whole = clip[: len(clip) // 160 * 160].reshape(-1, 160)
    return not whole.any(axis=1).all()


def _joined(clips: list[Float32], seam: int) -> Float32:
    """One after the other and round to the first again, each seam crossfaded at equal power."""
    rise = np.sqrt(np.linspace(0, 1, seam, dtype=np.float32))
    parts = []
    for before, clip in zip([clips[-1], *clips], clips, strict=False):
        crossed = before[-seam:] * rise[::-1] + clip[:seam] * rise
        parts += [crossed, clip[seam:-seam]]
    return np.concatenate(parts)


# ---- scenes


def scene(parts: list[Part], room: str, running: str, rate_hz: int) -> Iterator[Float32]:
    """The scene as a 16-bit sound card delivers it, in blocks of 10 s."""
    rng = np.random.default_rng([ROOMS.index(room), RUNNING.index(running), rate_hz])
    size = BLOCK_S * rate_hz
    room_level = np.float32(10 ** (rng.uniform(-55, -45) / 20))
    room_tone, run = (_endless(loop(name, rate_hz), size, rng) for name in (room, running))
    before = np.float32(0)
    for part in parts:
        factor = np.float32(0) if part.over_db is None else room_level * np.float32(10 ** (part.over_db / 20))
        fade_s = rng.choice([0.02, 0.5, 3.0])
        for number in range(round(part.minutes * 60 / BLOCK_S)):
            sound = next(room_tone) * room_level
            if number == 0 or factor:
                gain = _fade(before, factor, round(fade_s * rate_hz), size) if number == 0 else factor
                sound += next(run) * gain
            yield _in_16_bits(sound)
        before = factor


def _endless(looped: Float32, size: int, rng: np.random.Generator) -> Iterator[Float32]:
    """Blocks of a loop, from anywhere in it on."""
    length = len(looped) - size
    at = int(rng.integers(length))
    while True:
        yield looped[at : at + size]
        at = (at + size) % length


def _fade(before: np.float32, after: np.float32, fade: int, size: int) -> Float32:
    gain = np.full(size, after, np.float32)
    gain[:fade] = np.linspace(before, after, fade, dtype=np.float32)
    return gain


def _in_16_bits(samples: Float32) -> Float32:
    samples *= np.float32(2**15)
    np.rint(samples, out=samples)
    np.clip(samples, -(2**15), 2**15 - 1, out=samples)
    samples *= np.float32(2**-15)
    return samples


def raises_nothing_and_goes_on_watching(parts: list[Part], room: str, running: str, rate_hz: int) -> None:
    """No fault in the scene; and the microphone that dies behind it is found, so the detector was awake."""
    detector = DeafnessDetector(rate_hz)
    at = 0
    for samples in scene(parts, room, running, rate_hz):
        assert detector.push(AudioBlock(samples, rate_hz, at)) == []
        at += len(samples)
    assert at == sum(part.minutes for part in parts) * 60 * rate_hz
    assert detector.learned_floor_db is not None
    dead_rms = 10 ** ((detector.learned_floor_db - 22) / 20)
    dead = np.random.default_rng(0).normal(0, dead_rms, 90 * rate_hz).astype(np.float32)
    found = detector.push(AudioBlock(dead, rate_hz, at))
    assert [(fault.kind, fault.begins) for fault in found] == [("floor", True)]


@pytest.mark.real_audio
class TestAt16kHz:
    """A class for each rate: a scope that can run beside the other's."""

    @evenings
    def test_a_fan_or_rain_that_ran_since_the_start_and_stops_raises_nothing(self, room: str, running: str) -> None:
        raises_nothing_and_goes_on_watching(EVENING, room, running, 16000)

    @nights
    def test_rain_that_stops_after_an_hour_raises_nothing(self, room: str, running: str) -> None:
        raises_nothing_and_goes_on_watching(NIGHT, room, running, 16000)


@pytest.mark.real_audio
class TestAt8kHz:
    """As at 16 kHz, where white noise spreads less and so must a dead microphone's."""

    @evenings
    def test_a_fan_or_rain_that_ran_since_the_start_and_stops_raises_nothing(self, room: str, running: str) -> None:
        raises_nothing_and_goes_on_watching(EVENING, room, running, 8000)

    @nights
    def test_rain_that_stops_after_an_hour_raises_nothing(self, room: str, running: str) -> None:
        raises_nothing_and_goes_on_watching(NIGHT, room, running, 8000)


def test_the_scenes_are_24_hours_in_all() -> None:
    evening, night = (sum(part.minutes for part in parts) / 60 for parts in (EVENING, NIGHT))
    assert 2 * (len(EVENINGS) * evening + len(NIGHTS) * night) == 24
