"""One minute at a bedside, and the list of what was put into it.

Synthetic from end to end: no recording stands behind it, and no model has been trained on it.
The same generator state gives the same samples, bit for bit, on one machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.demo import infant, room, talkers
from device.demo.voice import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import numpy.typing as npt

DURATION_S = 60.0
SEED = 20_240_229
_TONE_DBFS = -60.0
_QUIET_DBFS = -72.0
_TALK_DBFS = -30.0
_KNOCK_DBFS = -12.0
_CRY_DBFS = -26.0


@dataclass(frozen=True, slots=True)
class Planted:
    """Something that was put into the scene.

    Attributes:
        start_s: where it begins, in seconds of the scene.
        end_s: where it ends.
        what: what a listener would call it.
        label: the label that must be heard there; None where nothing may be reported.
    """

    start_s: float
    end_s: float
    what: str
    label: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A minute of sound: float32 (n,) in [-1, 1], mono, and what was planted in it, in time order."""

    samples: npt.NDArray[np.float32]
    sample_rate_hz: int
    planted: tuple[Planted, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Act:
    """One thing that sounds in the room, before it echoes."""

    start_s: float
    what: str
    label: str | None
    sound: npt.NDArray[np.float64]

    @property
    def end_s(self) -> float:
        return self.start_s + len(self.sound) / SAMPLE_RATE_HZ


def bedside(rng: np.random.Generator) -> Scene:
    """Room tone, people talking, a knock at the door, an infant crying and a quiet room, in one echoing room."""
    talking, knocking, crying, walls, murmur = rng.spawn(5)
    acts = (
        _Act(6.0, "two people talking", None, _at_rms(_TALK_DBFS, talkers.babble(12.0, 2, talking))),
        _Act(22.0, "a knock at the door", None, _at_peak(_KNOCK_DBFS, room.knock(knocking))),
        _Act(28.0, "an infant crying", "cry", _at_rms(_CRY_DBFS, infant.cry(14.0, crying))),
    )
    quiet_s = acts[-1].end_s
    sounding = room.echoed(_staged(acts), room.impulse_response(walls))
    samples = sounding + room.tone(len(sounding), murmur) * _murmur_level(len(sounding), quiet_s)
    planted = [Planted(act.start_s, act.end_s, act.what, act.label) for act in acts]
    planted.insert(0, Planted(0.0, acts[0].start_s, "room tone", None))
    planted.append(Planted(quiet_s, DURATION_S, "a quiet room", None))
    return Scene(np.clip(samples, -1.0, 1.0).astype(np.float32), SAMPLE_RATE_HZ, tuple(planted))


def _staged(acts: tuple[_Act, ...]) -> npt.NDArray[np.float64]:
    """All acts on one minute's stage: (DURATION_S * SAMPLE_RATE_HZ,)."""
    stage = np.zeros(round(DURATION_S * SAMPLE_RATE_HZ))
    for act in acts:
        start = round(act.start_s * SAMPLE_RATE_HZ)
        stage[start : start + len(act.sound)] += act.sound
    return stage


def _murmur_level(samples: int, quiet_s: float) -> npt.NDArray[np.float64]:
    """Amplitude (samples,) of the room tone: it sinks over the three seconds after all else has ended."""
    seconds = np.arange(samples) / SAMPLE_RATE_HZ
    return _amplitude(np.interp(seconds, [quiet_s, quiet_s + 3.0], [_TONE_DBFS, _QUIET_DBFS]))


def _at_rms(level_dbfs: float, sound: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The sound at a root mean square of `level_dbfs`, beside a full scale of 1."""
    scaled: npt.NDArray[np.float64] = sound * (_amplitude(level_dbfs) / np.sqrt(np.mean(sound**2)))
    return scaled


def _at_peak(level_dbfs: float, sound: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The sound with its largest sample at `level_dbfs`."""
    scaled: npt.NDArray[np.float64] = sound * (_amplitude(level_dbfs) / np.abs(sound).max())
    return scaled


def _amplitude(level_dbfs: float | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Decibels beside full scale as an amplitude."""
    return np.asarray(10.0 ** (np.asarray(level_dbfs) / 20.0), dtype=np.float64)
