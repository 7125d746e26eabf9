"""The line, the marks and the judge, on descriptions whose truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.mixing.signal import STEP_SAMPLES
from training.train.teacher_labels import (
    Judge,
    TeachSettings,
    activity,
    draw_line,
    fit_line,
    load_activity,
    loud_tenths,
    loudest_second,
    save_activity,
)

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt


def _cloud(centre: float, count: int, seed: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(centre, 1.0, (count, 6)).astype(np.float32)


def test_the_line_parts_two_clouds() -> None:
    inputs = np.concatenate([_cloud(1.5, 400, 1), _cloud(-1.5, 4000, 2)])
    targets = np.r_[np.ones(400), np.zeros(4000)].astype(np.float32)
    line = fit_line(inputs, targets, 1e-3)
    assert np.mean((line(inputs) >= 0.5) == (targets > 0)) > 0.99
    assert ((line(inputs) >= 0) & (line(inputs) <= 1)).all()


def test_seconds_that_look_like_other_sounds_are_disbelieved() -> None:
    cries = [np.concatenate([_cloud(1.5, 30, seed), _cloud(-1.5, 15, seed + 99)]) for seed in range(20)]
    line = draw_line(cries, [np.ones(45, np.bool_)] * 20, _cloud(-1.5, 2000, 7), TeachSettings())
    believed = line(cries[0]) >= 0.5
    assert believed[:30].mean() > 0.9
    assert believed[30:].mean() < 0.1


def test_a_cry_is_marked_where_it_is_loud_and_believed() -> None:
    samples = np.zeros(48_000, np.float32)
    samples[16_000:32_000] = 0.5
    believed = np.ones(31, np.float32)
    mask = activity(samples, believed, TeachSettings())
    assert len(mask) == 48_000 // STEP_SAMPLES
    assert abs(int(mask.sum()) - 100) <= 16
    assert mask[100:200].all()
    assert not activity(samples, 0 * believed, TeachSettings()).any()


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


def test_marks_and_judge_come_back_from_disk(tmp_path: Path) -> None:
    marks = {"set/folder/a.ogg": np.array([True, False]), "set/b.ogg": np.zeros(3, np.bool_)}
    save_activity(tmp_path / "active.npz", marks)
    loaded = load_activity(tmp_path / "active.npz")
    assert list(loaded) == list(marks)
    assert all(np.array_equal(loaded[file], marks[file]) for file in marks)
    rng = np.random.default_rng(0)
    shapes = ((6,), (6,), (6, 4), (4,), (4, 1), (1,))
    judge = Judge(*(rng.uniform(0.5, 1.5, shape).astype(np.float32) for shape in shapes))
    judge.save(tmp_path / "judge.npz")
    same = Judge.load(tmp_path / "judge.npz")
    assert np.array_equal(judge(_cloud(0, 5, 1)), same(_cloud(0, 5, 1)))
