"""Puts a measured room together: levels, hum, the signal that was played, each label at each sensitivity. Pure.

The distance of the cry from the room is the one that model cards state: the level of the cry's loud parts, those within
20 dB of its loudest 20 ms, over the room's, here over the one that the room exceeds half of the time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.calibration.mains_hum import find_hum
from device.calibration.pip_search import find_pips
from device.calibration.room_meter import BANDS_HZ, STEP_S
from device.calibration.sensitivity_rows import PlayedCry, measured_label
from device.synthesis.room_signal import CRY_END_S, CRY_START_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from device.calibration.decision_sweep import LabelKey
    from device.calibration.mains_hum import Hum
    from device.calibration.pip_search import FoundPips
    from device.calibration.room_meter import MeasuredSound
    from device.calibration.sensitivity_rows import MeasuredLabel
    from device.calibration.sound_stretch import HeardStretch
    from device.messages import Fault
    from device.runtime.model_loader import ConfiguredPoint

CRY = "cry"
"""The label that the signal's cry is of."""

_LOUD_PART = 0.01  # of the loudest step's power: 20 dB
_UNHEARD_STEPS = 25  # at the end of a cry: its last half second may be missing


@dataclass(frozen=True, slots=True)
class RoomModels:
    """What the measurement knows of the models.

    Attributes:
        points: (model, label) -> operating point of each label that raises alarms by itself.
        cards: model -> its card.
        hop_s: from one window to the next.
    """

    points: Mapping[LabelKey, ConfiguredPoint]
    cards: Mapping[str, Mapping[str, Any]]
    hop_s: float


@dataclass(frozen=True, slots=True)
class RoomLevels:
    """Levels of the room alone, in dBFS; None for digital silence.

    Attributes:
        heard_s: seconds of sound.
        sample_rate_hz: of the capture.
        floor_dbfs: exceeded in 90 % of the seconds.
        typical_dbfs: exceeded in half of them.
        loud_dbfs: exceeded in 10 % of them.
        bands_dbfs: floor of each octave band; None for what the capture does not hold.
        clipped_share: of the samples.
    """

    heard_s: float
    sample_rate_hz: int
    floor_dbfs: float | None
    typical_dbfs: float | None
    loud_dbfs: float | None
    bands_dbfs: tuple[float | None, ...]
    clipped_share: float


@dataclass(frozen=True, slots=True)
class SignalLevels:
    """The signal as it arrived.

    Attributes:
        pips: in the stretch.
        cry: when, in seconds of the stream.
        is_whole: whether the stretch holds the cry to its end.
        cry_dbfs: level of its loud parts, less what the room adds; None if it cannot be told from the room.
        over_room_db: over the room; None as for its level.
        peak_dbfs: of the whole stretch.
        clipped_share: of the whole stretch's samples.
    """

    pips: FoundPips
    cry: PlayedCry
    is_whole: bool
    cry_dbfs: float | None
    over_room_db: float | None
    peak_dbfs: float | None
    clipped_share: float


@dataclass(frozen=True, slots=True, eq=False)
class RoomMeasure:
    """All that was found.

    Attributes:
        room: levels of the room alone; None if it was not heard.
        hum: of the mains.
        is_played: whether a stretch with the signal was heard at all.
        played_s: its length.
        signal: as it arrived; None if it was not found.
        labels: each label that raises alarms.
        cards: model -> its card.
        faults: of both stretches.
    """

    room: RoomLevels | None
    hum: Hum | None
    is_played: bool
    played_s: float
    signal: SignalLevels | None
    labels: tuple[MeasuredLabel, ...]
    cards: Mapping[str, Mapping[str, Any]]
    faults: tuple[Fault, ...]


def measure_room(room: HeardStretch | None, played: HeardStretch | None, models: RoomModels) -> RoomMeasure:
    """Measure a room.

    Args:
        room: the room alone.
        played: the room while the signal was played.
        models: that heard both.
    """
    signal = None if played is None else _signal(played, None if room is None else room.sound)
    heard_cry = None if played is None or signal is None else (played, signal.cry)
    labels = [
        measured_label(key, point, room, heard_cry if key[1] == CRY else None, hop_s=models.hop_s)
        for key, point in models.points.items()
    ]
    stretches = [each for each in (room, played) if each is not None]
    return RoomMeasure(
        room=None if room is None else _room_levels(room.sound),
        hum=None if room is None else find_hum(room.sound),
        is_played=played is not None,
        played_s=0.0 if played is None else played.sound.heard_s,
        signal=signal,
        labels=tuple(labels),
        cards=models.cards,
        faults=tuple(fault for each in stretches for fault in each.faults),
    )


def dbfs(power: float | None) -> float | None:
    """A mean square as a level; None for digital silence."""
    return None if power is None or not power > 0 else 10 * math.log10(power)


def signal_is_over(sound: MeasuredSound) -> bool:
    """Whether the signal was found and its cry has ended long enough ago to be decided about."""
    pips = find_pips(sound)
    return pips is not None and len(sound.step_powers) * STEP_S >= pips.start_s + CRY_END_S + 3.0


def _room_levels(sound: MeasuredSound) -> RoomLevels:
    seconds = sound.second_powers
    bands = [
        _exceeded(powers, 0.9) if centre_hz * math.sqrt(2) < sound.sample_rate_hz / 2 else None
        for centre_hz, powers in zip(BANDS_HZ, sound.band_powers.T, strict=True)
    ]
    return RoomLevels(
        heard_s=sound.heard_s,
        sample_rate_hz=sound.sample_rate_hz,
        floor_dbfs=_exceeded(seconds, 0.9),
        typical_dbfs=_exceeded(seconds, 0.5),
        loud_dbfs=_exceeded(seconds, 0.1),
        bands_dbfs=tuple(bands),
        clipped_share=sound.clipped_share,
    )


def _exceeded(powers: npt.NDArray[np.float64], share: float) -> float | None:
    """The level that this share of the powers exceeds."""
    return dbfs(float(np.quantile(powers, 1 - share))) if len(powers) else None


def _signal(played: HeardStretch, room: MeasuredSound | None) -> SignalLevels | None:
    sound = played.sound
    pips = find_pips(sound)
    if pips is None:
        return None
    first, last = round((pips.start_s + CRY_START_S) / STEP_S), round((pips.start_s + CRY_END_S) / STEP_S)
    steps = sound.step_powers[first:last]
    steps = steps[np.isfinite(steps)]
    room_power = _typical(room.second_powers if room is not None and room.heard_s else _beside(sound, first, last))
    loud = float(steps[steps >= _LOUD_PART * steps.max()].mean()) if len(steps) else 0.0
    own = max(0.0, loud - room_power)
    cry = PlayedCry(
        sound.start_s + pips.start_s + CRY_START_S,
        min(sound.start_s + pips.start_s + CRY_END_S, played.end_s),
    )
    return SignalLevels(
        pips=pips,
        cry=cry,
        is_whole=last <= len(sound.step_powers) + _UNHEARD_STEPS,
        cry_dbfs=dbfs(own),
        over_room_db=10 * math.log10(own / room_power) if own > 0 and room_power > 0 else None,
        peak_dbfs=dbfs(sound.peak**2),
        clipped_share=sound.clipped_share,
    )


def _beside(sound: MeasuredSound, first: int, last: int) -> npt.NDArray[np.float64]:
    """The steps of a stretch outside its cry: what the room is taken for if it was not heard alone."""
    powers: npt.NDArray[np.float64] = np.concatenate(
        [sound.step_powers[: max(0, first - round(CRY_START_S / STEP_S))], sound.step_powers[last:]]
    )
    heard: npt.NDArray[np.float64] = powers[np.isfinite(powers)]
    return heard


def _typical(powers: npt.NDArray[np.float64]) -> float:
    return float(np.median(powers)) if len(powers) else 0.0
