"""One synthetic minute at a bedside, and the list of its items.

It uses no recording, and no model has been trained on it.
The same generator state gives the same samples, bit for bit, on one machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.demo import room, talkers
from device.synthesis import infant
from device.synthesis.room_signal import DEMO_SEED
from device.synthesis.voice import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import numpy.typing as npt

DURATION_S = 60.0
NIGHT_S = 20.0
_NIGHT_SLOT_S = NIGHT_S / 4
SEED = DEMO_SEED
_TONE_DBFS = -60.0
_QUIET_DBFS = -72.0
_TALK_DBFS = -30.0
_KNOCK_DBFS = -12.0
_CRY_DBFS = -26.0


@dataclass(frozen=True, slots=True)
class SceneItem:
    """One sound of the scene, with its ground truth.

    Attributes:
        start_s: its start, in seconds of the scene.
        end_s: its end.
        what: a person's description of it.
        label: the label to detect; None if nothing may be detected.
    """

    start_s: float
    end_s: float
    what: str
    label: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A minute of sound: float32 (n,) in [-1, 1], mono, and its items, in time order."""

    samples: npt.NDArray[np.float32]
    sample_rate_hz: int
    items: tuple[SceneItem, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _DrySound:
    """One sound, before the room's reverberation."""

    start_s: float
    what: str
    label: str | None
    sound: npt.NDArray[np.float64]

    @property
    def end_s(self) -> float:
        return self.start_s + len(self.sound) / SAMPLE_RATE_HZ


def bedside(rng: np.random.Generator) -> Scene:
    """Room tone, people talking, a knock at the door, an infant crying and a quiet room, in one echoing room."""
    talking, knocking, crying, walls, toning = rng.spawn(5)
    sounds = [
        _DrySound(6.0, "two people talking", None, _at_rms(_TALK_DBFS, talkers.babble(12.0, 2, talking))),
        _DrySound(22.0, "a knock at the door", None, _at_peak(_KNOCK_DBFS, room.knock(knocking))),
        _DrySound(28.0, "an infant crying", "cry", _at_rms(_CRY_DBFS, infant.cry(14.0, crying))),
    ]
    quiet_s = sounds[-1].end_s
    reverberant = room.reverberated(_mixed(sounds, DURATION_S), room.impulse_response(walls))
    samples = reverberant + room.tone(len(reverberant), toning) * _tone_amplitude(len(reverberant), quiet_s)
    items = [SceneItem(dry.start_s, dry.end_s, dry.what, dry.label) for dry in sounds]
    items.insert(0, SceneItem(0.0, sounds[0].start_s, "room tone", None))
    items.append(SceneItem(quiet_s, DURATION_S, "a quiet room", None))
    return Scene(np.clip(samples, -1.0, 1.0).astype(np.float32), SAMPLE_RATE_HZ, tuple(items))


def short_night(rng: np.random.Generator) -> Scene:
    """Twenty seconds of a room in which one infant cries twice, people talk and somebody knocks, in drawn order.

    A recording to learn from: each generator state gives another infant, other talkers and another room.
    """
    order, talking, knocking, crying, again, walls, toning = rng.spawn(7)
    made = [
        ("two people talking", None, _at_rms(order.uniform(-38, -26), talkers.babble(4.4, 2, talking))),
        ("a knock at the door", None, _at_peak(order.uniform(-20, -9), room.knock(knocking))),
        ("an infant crying", "cry", _at_rms(order.uniform(-34, -22), infant.cry(4.0, crying))),
        ("an infant crying", "cry", _at_rms(order.uniform(-34, -22), infant.cry(3.0, again))),
    ]
    sounds = [_DrySound(_NIGHT_SLOT_S * place + 0.5, *made[which]) for place, which in enumerate(order.permutation(4))]
    reverberant = room.reverberated(_mixed(sounds, NIGHT_S), room.impulse_response(walls))
    samples = reverberant + room.tone(len(reverberant), toning) * _amplitude(order.uniform(-66, -54))
    items = tuple(SceneItem(dry.start_s, dry.end_s, dry.what, dry.label) for dry in sounds)
    return Scene(np.clip(samples, -1.0, 1.0).astype(np.float32), SAMPLE_RATE_HZ, items)


def _mixed(sounds: list[_DrySound], duration_s: float) -> npt.NDArray[np.float64]:
    """The sum of all sounds: (duration_s * SAMPLE_RATE_HZ,)."""
    mix = np.zeros(round(duration_s * SAMPLE_RATE_HZ))
    for dry in sounds:
        start = round(dry.start_s * SAMPLE_RATE_HZ)
        mix[start : start + len(dry.sound)] += dry.sound
    return mix


def _tone_amplitude(samples: int, quiet_s: float) -> npt.NDArray[np.float64]:
    """Amplitude (samples,) of the room tone, which falls over three seconds after `quiet_s`."""
    seconds = np.arange(samples) / SAMPLE_RATE_HZ
    return _amplitude(np.interp(seconds, [quiet_s, quiet_s + 3.0], [_TONE_DBFS, _QUIET_DBFS]))


def _at_rms(level_dbfs: float, sound: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The sound (n,) scaled to a root mean square of `level_dbfs`; full scale is 1."""
    scaled: npt.NDArray[np.float64] = sound * (_amplitude(level_dbfs) / np.sqrt(np.mean(sound**2)))
    return scaled


def _at_peak(level_dbfs: float, sound: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The sound (n,) scaled to a peak of `level_dbfs`."""
    scaled: npt.NDArray[np.float64] = sound * (_amplitude(level_dbfs) / np.abs(sound).max())
    return scaled


def _amplitude(level_dbfs: float | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Decibels relative to full scale as an amplitude."""
    return np.asarray(10.0 ** (np.asarray(level_dbfs) / 20.0), dtype=np.float64)
