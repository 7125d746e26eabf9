"""The marks in cry clips, on embeddings whose truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.mixing.signal import STEP_SAMPLES
from training.train.cry_marking import (
    MarkingSettings,
    cry_activity,
    fit_cry_classifier,
    loud_tenths,
    loudest_second,
)

if TYPE_CHECKING:
    import numpy.typing as npt


def _cloud(centre: float, count: int, seed: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(centre, 1.0, (count, 6)).astype(np.float32)


def test_seconds_that_look_like_other_sounds_are_disbelieved() -> None:
    cries = [np.concatenate([_cloud(1.5, 30, seed), _cloud(-1.5, 15, seed + 99)]) for seed in range(20)]
    classifier = fit_cry_classifier(cries, [np.ones(45, np.bool_)] * 20, _cloud(-1.5, 2000, 7), MarkingSettings())
    accepted = classifier(cries[0]) >= 0.5
    assert accepted[:30].mean() > 0.9
    assert accepted[30:].mean() < 0.1


def test_a_cry_is_marked_where_it_is_loud_and_believed() -> None:
    samples = np.zeros(48_000, np.float32)
    samples[16_000:32_000] = 0.5
    believed = np.ones(31, np.float32)
    mask = cry_activity(samples, believed, MarkingSettings())
    assert len(mask) == 48_000 // STEP_SAMPLES
    assert abs(int(mask.sum()) - 100) <= 16
    assert mask[100:200].all()
    assert not cry_activity(samples, 0 * believed, MarkingSettings()).any()


def test_loudness_is_looked_at_every_tenth_of_a_second() -> None:
    samples = np.zeros(32_000, np.float32)
    samples[24_000:] = 0.5
    loud = loud_tenths(samples, 20.0)
    assert len(loud) == 21
    assert not loud[:12].any()
    assert loud[16:20].all()


def test_the_loudest_second_is_found_and_a_short_sound_is_repeated() -> None:
    samples = np.zeros(80_000, np.float32)
    samples[40_000:56_000] = 1.0
    assert loudest_second(samples).sum() == 16_000
    assert loudest_second(np.ones(100, np.float32)).shape == (16_000,)
