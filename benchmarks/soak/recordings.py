"""Writes what a soak plays: recordings of every kind, or half an hour of rooms."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    _Sound = tuple[Float32, int]  # samples, Hz

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

RATE_HZ = 16000

CLIP_S = 10.0
"""Used of each recording."""


def record_changes(data: Path, folder: Path) -> None:
    """Write short recordings of every kind of sound that a microphone may capture, at changing rates."""
    folder.mkdir()
    cries = _clips(data / "donateacry", 10)
    others = [*_clips(data / "speech", 4), *_clips(data / "esc50", 4), *_clips(data / "sprsound", 4)]
    rooms = _clips(data / "ambient", 6)
    rates_hz = (16000, 8000, 44100, 16000, 48000, 22050, 11025)
    # In random order, so that events end in every possible way.
    sounds = [*cries, *others, *rooms, *_deaf(rooms[0])]
    for number, index in enumerate(np.random.default_rng(4).permutation(len(sounds))):
        samples, from_hz = sounds[index]
        rate_hz = rates_hz[number % len(rates_hz)]
        _write(folder / f"{number:03d}.wav", soxr.resample(samples, from_hz, rate_hz), rate_hz)


def record_room(data: Path, folder: Path) -> None:
    """Write half an hour of rooms without a break, with a cry about every two minutes."""
    folder.mkdir()
    rooms = [samples for samples, _ in _clips(data / "ambient", 15, least_s=55.0)]
    cries = [soxr.resample(*cry, RATE_HZ) for cry in _clips(data / "donateacry", 15)]
    parts = [part for at_home, cry in zip(rooms, cries, strict=True) for part in (at_home, cry, 0.3 * at_home)]
    _write(folder / "room.wav", np.concatenate(parts), RATE_HZ)


def _clips(folder: Path, count: int, *, least_s: float = 3.0) -> list[_Sound]:
    """Recordings spread over a set, each from its beginning: samples and rate."""
    with (folder / "manifest.csv").open(newline="") as manifest:
        long = [row["file"] for row in csv.DictReader(manifest) if float(row["duration"]) >= least_s]
    if len(long) < count:
        raise RuntimeError(f"{folder} holds {len(long)} recordings of {least_s:g} s, the soak needs {count}")
    return [_clip(folder / long[index * len(long) // count], max(least_s, CLIP_S)) for index in range(count)]


def _clip(path: Path, most_s: float) -> _Sound:
    rate_hz = soundfile.info(path).samplerate
    samples, _ = soundfile.read(path, frames=round(rate_hz * most_s), dtype="float32")
    return samples, rate_hz


def _deaf(at_home: _Sound) -> Iterator[_Sound]:
    """Deaf microphones, an overdriven one, and fragments shorter than a window."""
    samples, rate_hz = at_home
    second = samples[:rate_hz]
    for _ in range(4):
        yield np.zeros(4 * rate_hz, np.float32), rate_hz  # silence
        yield np.full(4 * rate_hz, 0.25, np.float32), rate_hz  # stuck
        yield np.tile(second[: rate_hz // 4], 16), rate_hz  # repeated
        for length in (1, 3, 7):
            yield second[: rate_hz * length // 10], rate_hz
    yield np.clip(1000 * np.resize(samples, 14 * rate_hz), -1.0, 1.0), rate_hz  # clipping


def _write(path: Path, samples: Float32, rate_hz: int) -> None:
    soundfile.write(path, np.clip(samples, -1.0, 32767 / 32768), rate_hz, "PCM_16")
