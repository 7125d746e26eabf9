"""Validation scenes as windows: the device's windows of what an evaluation plays, and the cry in each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.data.activity_marks import ACTIVITY, save_activity
from training.data.clips import SAMPLE_RATE_HZ
from training.evaluation.detectors import INT8, open_detectors
from training.evaluation.validation_windows import SceneWindows, cut_windows, part_windows, scene_probabilities, thinned
from training.mixing.scenes import mix_scenes, plan_scenes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.training.conftest import Collection
    from training.evaluation.runner import ScoredScene
    from training.mixing.scenes import SceneAnnotation
    from training.mixing.signal import Float32


@pytest.fixture
def samples() -> Float32:
    return np.random.default_rng(0).normal(0, 0.1, 14 * SAMPLE_RATE_HZ).astype(np.float32)


@pytest.fixture
def scene(make_scored: Callable[..., ScoredScene]) -> SceneAnnotation:
    return make_scored(start_s=4.0, end_s=9.0, duration_s=14.0).scene


def test_windows_hold_the_seconds_of_cry_that_are_marked_in_the_clip(scene: SceneAnnotation, samples: Float32) -> None:
    active = np.arange(500) < 300
    windows = cut_windows(scene, samples, active)
    assert windows.log_mel.shape == (25, 62, 64)
    assert windows.mfcc.shape == (25, 62, 40)
    assert windows.starts_s.tolist() == [index / 2 for index in range(25)]
    assert windows.cry_s[:5].tolist() == [0, 0, 0, 0, 0]
    assert windows.cry_s[6] == pytest.approx(1.0)  # the window from 3 s to 5 s
    assert windows.cry_s.max() == pytest.approx(2.0)
    assert not windows.cry_s[14:].any()
    assert windows.is_full_cry.tolist() == [second >= 0.5 for second in windows.cry_s]
    assert 0 < windows.is_full_cry.sum() < 14


def test_a_scene_without_marks_holds_no_cry(scene: SceneAnnotation, samples: Float32) -> None:
    assert not cut_windows(scene, samples, None).cry_s.any()


def test_windows_are_those_that_the_listener_scores(
    collection: Collection, tiny_bundle_path: Path, scene: SceneAnnotation
) -> None:
    (detector,) = open_detectors(tiny_bundle_path)
    for plan in plan_scenes(collection.data, "test", split=collection.split):
        for _, mixed in mix_scenes(plan, [], seed=1):
            scored, windows = detector.detect(mixed, "s")[INT8].windows, cut_windows(scene, mixed, None)
            assert np.array_equal(windows.starts_s, scored.starts_s)
            assert np.array_equal(windows.ends_s, scored.ends_s)


def test_thinned_scenes_keep_their_windows_in_step(scene: SceneAnnotation, samples: Float32) -> None:
    windows = cut_windows(scene, samples, None)
    even, odd = thinned([windows, windows], 2)
    assert np.array_equal(even.log_mel, windows.log_mel[::2])
    assert np.array_equal(odd.log_mel, windows.log_mel[1::2])
    assert len(even.cry_s) == len(even.mfcc) == len(even.starts_s) == len(even.ends_s)


class FirstBin:
    """A network whose logit is the first bin of the log-mel input."""

    def predict_on_batch(self, inputs: Sequence[Float32]) -> Float32:
        return inputs[0][:, 0, 0]


def test_probabilities_of_scenes_of_any_length_come_scene_by_scene(scene: SceneAnnotation) -> None:
    logits = np.linspace(-2, 2, 9, dtype=np.float32)
    held = [
        SceneWindows(
            scene=scene,
            starts_s=np.zeros(len(part)),
            ends_s=np.zeros(len(part)),
            log_mel=np.tile(part[:, None, None], (1, 2, 2)).astype(np.float16),
            mfcc=np.zeros((len(part), 2, 2), np.float16),
            cry_s=np.zeros(len(part), np.float32),
        )
        for part in np.split(logits, [1, 6])
    ]
    found = scene_probabilities(FirstBin(), held)
    assert [len(one) for one in found] == [1, 5, 3]
    np.testing.assert_allclose(
        np.concatenate(found), 1 / (1 + np.exp(-logits.astype(np.float16).astype(float))), rtol=1e-6
    )


def test_the_windows_of_a_part_are_those_of_its_planned_scenes(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.evaluation import validation_windows

    plans = plan_scenes(collection.data, "test", split=collection.split, only=["donateacry/cry/a0.wav"])
    monkeypatch.setattr(validation_windows, "plan_scenes", lambda *_: plans)
    monkeypatch.setattr(validation_windows, "home_backgrounds", lambda *_: ())
    save_activity(tmp_path / ACTIVITY, {"donateacry/cry/a0.wav": np.ones(400, np.bool_)})
    held = part_windows(collection.data, tmp_path, "test", seed=1)
    assert [one.scene for one in held] == [scene for scene, _ in mix_scenes(plans[0], (), seed=1)]
    assert all(one.cry_s.max() == pytest.approx(2.0) for one in held)
