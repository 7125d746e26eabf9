"""The scenes of the validation part as windows of features, for a network that is not converted yet.

They are the scenes of `training.mixing.scenes`, cut into windows as the device cuts a file, so that checkpoints and
operating points are chosen on what an evaluation of the same part plays.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.windows import WindowCursor
from training.data.activity_marks import ACTIVITY, load_activity
from training.data.clips import SAMPLE_RATE_HZ
from training.evaluation.alarm_counting import HOP_S
from training.mixing.augment import FULL_CRY_S, WINDOW_SAMPLES
from training.mixing.scenes import SEED, home_backgrounds, mix_scenes, plan_scenes
from training.mixing.signal import STEP_SAMPLES
from training.networks.network_inputs import features
from training.networks.predict import window_probabilities
from training.networks.residual import LOG_MEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from device.messages import Window
    from training.mixing.scenes import HeldOutPart, SceneAnnotation
    from training.mixing.signal import Float32, Float64, Mask

    Float16 = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class SceneWindows:
    """The windows of one scene, as inputs of the network.

    Attributes:
        scene: its annotation.
        starts_s: start of each window (windows,).
        ends_s: end of each window (windows,).
        log_mel: (windows, frames, 64), half precision, as is `mfcc`.
        mfcc: (windows, frames, 40).
        cry_s: seconds of audible cry in each window, as the teacher marked them (windows,).
    """

    scene: SceneAnnotation
    starts_s: Float64
    ends_s: Float64
    log_mel: Float16
    mfcc: Float16
    cry_s: Float32

    @property
    def is_full_cry(self) -> Mask:
        """Whether each window holds as much audible cry as a training target of 1 needs, bool (windows,)."""
        full: Mask = self.cry_s >= FULL_CRY_S
        return full


def part_windows(data: Path, work: Path, part: HeldOutPart, *, seed: int = SEED) -> tuple[SceneWindows, ...]:
    """All scenes of a part, the audible cries as the teacher marked them in `work`."""
    active = load_activity(work / ACTIVITY)
    backgrounds = home_backgrounds(data, part)
    return tuple(
        cut_windows(scene, samples, active.get(plan.name) if plan.is_event else None)
        for plan in plan_scenes(data, part)
        for scene, samples in mix_scenes(plan, backgrounds, seed=seed)
    )


def cut_windows(scene: SceneAnnotation, samples: Float32, active: Mask | None) -> SceneWindows:
    """The windows of a scene.

    Args:
        scene: its annotation.
        samples: its sound, float32 (n,).
        active: in which steps of the clip an infant cries; None if in none.
    """
    windows = list(_windows(samples))
    inputs = [features(window.samples) for window in windows]
    starts_s = np.array([window.start_s for window in windows])
    ends_s = np.array([window.end_s for window in windows])
    return SceneWindows(
        scene=scene,
        starts_s=starts_s,
        ends_s=ends_s,
        log_mel=np.stack([log_mel for log_mel, _ in inputs]).astype(np.float16),
        mfcc=np.stack([mfcc for _, mfcc in inputs]).astype(np.float16),
        cry_s=_cry_seconds(starts_s - scene.start_s, ends_s - scene.start_s, active),
    )


def scene_probabilities(network: Any, held: Sequence[SceneWindows]) -> list[Float32]:
    """The network's probability of a cry for each window of each scene."""
    log_mel, mfcc = (np.concatenate([getattr(one, name) for one in held]) for name in ("log_mel", "mfcc"))
    return np.split(window_probabilities(network, log_mel, mfcc), np.cumsum([len(one.log_mel) for one in held])[:-1])


def thinned(held: Iterable[SceneWindows], every: int) -> tuple[SceneWindows, ...]:
    """Scenes with only every n-th window, beginning at another one in each: for quick checks."""
    return tuple(
        dataclasses.replace(
            one,
            **{
                name: getattr(one, name)[index % every :: every]
                for name in ("starts_s", "ends_s", "log_mel", "mfcc", "cry_s")
            },
        )
        for index, one in enumerate(held)
        if len(one.log_mel) >= every
    )


def _windows(samples: Float32) -> Iterator[Window]:
    """Windows of a whole file, as the device cuts it."""
    cursor = WindowCursor(
        sample_rate_hz=SAMPLE_RATE_HZ,
        window_samples=WINDOW_SAMPLES,
        hop_samples=round(HOP_S * SAMPLE_RATE_HZ),
        grid_samples=LOG_MEL.hop,
    )
    yield from cursor.push(samples)
    yield from cursor.finish(short_file=True)


def _cry_seconds(starts_s: Float64, ends_s: Float64, active: Mask | None) -> Float32:
    """Seconds of audible cry between some moments of a clip: (n,), (n,) -> (n,)."""
    if active is None:
        return np.zeros(len(starts_s), np.float32)
    total_s = np.r_[0.0, np.cumsum(active)] * STEP_SAMPLES / SAMPLE_RATE_HZ
    steps_s = np.arange(len(total_s)) * STEP_SAMPLES / SAMPLE_RATE_HZ
    seconds: Float32 = (np.interp(ends_s, steps_s, total_s) - np.interp(starts_s, steps_s, total_s)).astype(np.float32)
    return seconds
