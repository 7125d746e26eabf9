"""Validation as a caregiver would hear it: each clip within four seconds of some room, at several SNRs.

A scene is scored window by window at the device's hop. Scenes are made of one part of the list only,
backgrounds included, and are a function of their seed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.data.clips import SAMPLE_RATE_HZ, load_clips
from training.mixing.augment import WINDOW_SAMPLES
from training.mixing.signal import STEP_SAMPLES, loud_power, noise, quantized
from training.train.batches import features
from training.train.teacher_labels import ACTIVITY, load_activity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from training.data.clips import Clip
    from training.data.split_list import Part
    from training.mixing.signal import Mask

    Float32 = npt.NDArray[np.float32]
    Float16 = npt.NDArray[np.float16]

HOP_SAMPLES = 8_000
MARGIN_S = 4.0
CRY_SNRS_DB = (20.0, 10.0, 5.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A stretch of sound and what is known of it, as features of its windows.

    Attributes:
        source: the clip's collection, or what the stretch is.
        kind: what the clip is.
        snr_db: of the clip over its background; None for a stretch as it was recorded.
        is_cry: whether an infant cries in it.
        onset_s: where the first audible cry begins; 0 where there is none.
        end_s: where the last one ends.
        log_mel: (windows, frames, 64).
        mfcc: (windows, frames, 40).
        cry_s: seconds of audible cry in each window (windows,).
    """

    source: str
    kind: str
    snr_db: float | None
    is_cry: bool
    onset_s: float
    end_s: float
    log_mel: Float16
    mfcc: Float16
    cry_s: Float32

    @property
    def duration_s(self) -> float:
        """Length of the stretch."""
        return (WINDOW_SAMPLES + (len(self.log_mel) - 1) * HOP_SAMPLES) / SAMPLE_RATE_HZ


def embedded(
    rng: np.random.Generator, clip: Clip, rooms: Sequence[Clip], *, snr_db: float, active: Mask | None
) -> Scene:
    """A clip with `MARGIN_S` of background before and behind it, which lies under it too.

    Args:
        rng: chooses the background and the level.
        clip: what happens.
        rooms: recordings to lie under it; without one it is noise.
        snr_db: power of the clip's loud steps over the background's.
        active: where an infant cries in the clip; None where none does.
    """
    margin = int(MARGIN_S * SAMPLE_RATE_HZ)
    count = 2 * margin + max(len(clip.samples), HOP_SAMPLES)
    ground = _ground(rng, rooms, count)
    power, wanted = loud_power(clip.samples), loud_power(ground) * 10 ** (snr_db / 10)
    ground[margin : margin + len(clip.samples)] += clip.samples * np.float32(np.sqrt(wanted / max(power, 1e-12)))
    level = np.float32(10 ** (rng.uniform(-30, -3) / 20) / max(float(np.abs(ground).max()), 1e-9))
    marks = np.zeros(count // STEP_SAMPLES, np.bool_)
    if active is not None:
        marks[margin // STEP_SAMPLES : margin // STEP_SAMPLES + len(active)] = active
    return _scene(ground * level, marks, source=clip.listed.set, kind=clip.kind, snr_db=snr_db)


def as_recorded(clips: Iterable[Clip], source: str) -> Scene:
    """Recordings one after the other, with nothing changed: to count false alarms on."""
    joined = np.concatenate([clip.samples for clip in clips])
    return _scene(joined, np.zeros(len(joined) // STEP_SAMPLES, np.bool_), source=source, kind=source, snr_db=None)


def _ground(rng: np.random.Generator, rooms: Sequence[Clip], count: int) -> Float32:
    """Background of some length at about -40 dBFS: (count,)."""
    if rooms and rng.random() < 0.7:
        samples = rooms[int(rng.integers(len(rooms)))].samples
        ground = np.resize(np.roll(samples, -int(rng.integers(len(samples)))), count)
    else:
        ground = np.resize(noise(rng, 10 * SAMPLE_RATE_HZ), count)
    scaled: Float32 = ground * np.float32(0.01 / np.sqrt(max(loud_power(ground), 1e-12)))
    return scaled


def _scene(samples: Float32, marks: Mask, *, source: str, kind: str, snr_db: float | None) -> Scene:
    starts = np.arange(0, max(1, len(samples) - WINDOW_SAMPLES + 1), HOP_SAMPLES)
    recorded = quantized(samples)
    heard = [features(np.resize(recorded[start : start + WINDOW_SAMPLES], WINDOW_SAMPLES)) for start in starts]
    active = np.flatnonzero(marks) * STEP_SAMPLES / SAMPLE_RATE_HZ
    crying = np.cumsum(np.r_[0.0, marks]) * STEP_SAMPLES / SAMPLE_RATE_HZ
    first, last = starts // STEP_SAMPLES, (starts + WINDOW_SAMPLES) // STEP_SAMPLES
    return Scene(
        source=source,
        kind=kind,
        snr_db=snr_db,
        is_cry=bool(len(active)),
        onset_s=float(active[0]) if len(active) else 0.0,
        end_s=float(active[-1]) if len(active) else 0.0,
        log_mel=np.stack([pair[0] for pair in heard]).astype(np.float16),
        mfcc=np.stack([pair[1] for pair in heard]).astype(np.float16),
        cry_s=(crying[np.minimum(last, len(marks))] - crying[np.minimum(first, len(marks))]).astype(np.float32),
    )


def scenes(
    clips: Sequence[Clip], active: Mapping[str, Mask], *, cry_snrs_db: Sequence[float], seed: int
) -> tuple[Scene, ...]:
    """Every cry at every SNR, every other short clip at 20 dB, ambient sound and speech as recorded."""
    rng = np.random.default_rng([seed, 0x5CE7])
    rooms = [clip for clip in clips if clip.listed.set == "ambient" and not clip.kind.startswith("music")]
    speech = [clip for clip in clips if clip.listed.set == "speech"]
    cries = [clip for clip in clips if clip.is_cry and active[clip.listed.file].any()]
    others = [clip for clip in clips if not clip.is_cry and clip.listed.set not in ("ambient", "speech")]
    return (
        *(
            embedded(rng, clip, rooms, snr_db=snr_db, active=active[clip.listed.file])
            for snr_db in cry_snrs_db
            for clip in cries
        ),
        *(embedded(rng, clip, rooms, snr_db=20.0, active=None) for clip in others),
        *(as_recorded([clip], "ambient") for clip in clips if clip.listed.set == "ambient"),
        *([as_recorded(speech, "speech")] if speech else []),
    )


def part_scenes(data: Path, work: Path, part: Part, *, seed: int = 1) -> tuple[Scene, ...]:
    """The scenes of one part of the committed list, its cries as the teacher marked them in `work`."""
    active = load_activity(work / ACTIVITY)
    return scenes(load_clips(data, part), active, cry_snrs_db=CRY_SNRS_DB, seed=seed)


def thinned(held: Iterable[Scene], every: int) -> tuple[Scene, ...]:
    """Scenes with only every n-th window, beginning at another one in each: for quick checks."""
    return tuple(
        dataclasses.replace(
            scene,
            log_mel=scene.log_mel[index % every :: every],
            mfcc=scene.mfcc[index % every :: every],
            cry_s=scene.cry_s[index % every :: every],
        )
        for index, scene in enumerate(held)
        if len(scene.log_mel) >= every
    )
