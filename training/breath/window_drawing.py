"""Draws windows of breath sounds for one training step: around annotated events, or anywhere.

Draws fall on all annotations alike (`_ALIKE`), on each kind in the square root of its number, and for the rest on each
kind alike: so a kind of one event is heard, and one of thousands does not vanish. A window stands around its event by
chance, and in `ANYWHERE` of the cases anywhere in the recording, as the device hears it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.breath.band_frames import frame_s, window_s
from training.breath.window_targets import window_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from training.breath.band_frames import BandFrames

    Float32 = npt.NDArray[np.float32]
    Rng = np.random.Generator

ANYWHERE = 0.4
_ALIKE, _BY_ROOT = 0.45, 0.45
_MOVED = 0.4
"""An event's middle lies at most so many of its lengths from the window's."""
_PLACES_OF_POOR, _PLACES_OF_NORMAL = 3, 6
"""How often a recording without events is listed."""
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class _Place:
    """A place that windows are drawn at: of which recording, what is there, and where; None for anywhere."""

    recording: int
    kind: str
    middle_s: float | None = None
    length_s: float = 0.0


class WindowDrawing:
    """Draws windows and targets from recordings.

    Args:
        recordings: of the training part.

    Raises:
        ValueError: nothing in them is annotated.
    """

    def __init__(self, recordings: Sequence[BandFrames]) -> None:
        self._recordings = recordings
        self._places = [place for index, one in enumerate(recordings) for place in _places(index, one)]
        if not self._places:
            raise ValueError("no recording holds an annotation that a window can be called by")
        counts = self.kinds
        held = np.array([counts[place.kind] for place in self._places], np.float64)
        by_root = held**-0.5
        self._chances = (
            _ALIKE / len(held) + _BY_ROOT * by_root / by_root.sum() + (1 - _ALIKE - _BY_ROOT) / held / len(counts)
        )

    def __len__(self) -> int:
        return len(self._places)

    def __repr__(self) -> str:
        return f"WindowDrawing({len(self._places)} places in {len(self._recordings)} recordings)"

    @property
    def kinds(self) -> Counter[str]:
        """How many places there are of each kind."""
        return Counter(place.kind for place in self._places)

    def draw(self, count: int, rng: Rng) -> tuple[Float32, Float32]:
        """Decibels (count, frames, bands) and targets (count, labels), NaN where they are open."""
        drawn = [self._one(rng) for _ in range(count)]
        return np.stack([window for window, _ in drawn]), np.stack([targets for _, targets in drawn])

    def _one(self, rng: Rng) -> tuple[Float32, Float32]:
        for _ in range(_ATTEMPTS):
            place = self._places[rng.choice(len(self._places), p=self._chances)]
            held = self._recordings[place.recording]
            first = _first_frame(place, held, rng)
            start_s = first * frame_s()
            targets = window_targets(held.recording, start_s, start_s + window_s())
            if targets is not None:
                return held.window(first), targets
        raise ValueError("hardly any window of these recordings can be called by its annotation")


def _first_frame(place: _Place, held: BandFrames, rng: Rng) -> int:
    if place.middle_s is None or rng.random() < ANYWHERE:
        return int(rng.integers(0, held.last_start + 1))
    moved_s = rng.uniform(-_MOVED, _MOVED) * max(1.0, place.length_s)
    first = round((place.middle_s + moved_s - window_s() / 2) / frame_s())
    return int(np.clip(first, 0, held.last_start))


def _places(index: int, held: BandFrames) -> list[_Place]:
    recording = held.recording
    if recording.events:
        return [
            _Place(index, f"{recording.set} {one.label}", (one.start_s + one.end_s) / 2, one.end_s - one.start_s)
            for one in recording.events
        ]
    if window_targets(recording, 0.0, window_s()) is None:
        return []
    times = _PLACES_OF_POOR if "Poor Quality" in recording.labels else _PLACES_OF_NORMAL
    return [_Place(index, f"{recording.set} {'|'.join(recording.labels)}") for _ in range(times)]
