"""Scenes: where the cry lies in them, how loud, and the same for equal seeds."""

from __future__ import annotations

import numpy as np

from training.data.clips import Clip
from training.data.split_list import ListedClip
from training.mixing import scenes


def _clip(seconds: float, *, set_name: str = "esc50", cry: bool = False) -> Clip:
    listed = ListedClip(f"{set_name}/x", set_name, "s", "val", "cry" if cry else "other", doubtful=False, reason="")
    count = int(seconds * 16_000)
    samples = (0.2 * np.sin(2 * np.pi * 440 * np.arange(count) / 16_000)).astype(np.float32)
    return Clip(listed, "crying_baby" if cry else "cat", samples)


def test_a_cry_lies_four_seconds_within_its_scene() -> None:
    active = np.ones(300, np.bool_)
    scene = scenes.embedded(np.random.default_rng(0), _clip(3.0, cry=True), [], snr_db=10.0, active=active)
    assert scene.is_cry
    assert scene.onset_s == 4.0
    assert abs(scene.end_s - 7.0) < 0.02
    assert scene.duration_s == 11.0
    assert scene.log_mel.shape == (19, 62, 64)
    assert scene.mfcc.shape == (19, 62, 40)
    assert scene.cry_s[0] == 0.0
    assert scene.cry_s.max() == 2.0
    assert scene.cry_s[6] == 1.0  # the window from 3 s to 5 s


def test_other_sounds_hold_no_cry_and_continuous_ones_are_as_long_as_recorded() -> None:
    other = scenes.embedded(np.random.default_rng(0), _clip(1.0), [_clip(5.0)], snr_db=20.0, active=None)
    assert not other.is_cry
    assert not other.cry_s.any()
    joined = scenes.as_recorded([_clip(4.0), _clip(6.0)], "speech")
    assert joined.duration_s == 10.0
    assert joined.snr_db is None


def test_equal_seeds_make_equal_scenes_of_every_kind() -> None:
    clips = [_clip(2.0, cry=True), _clip(1.0), _clip(5.0, set_name="ambient"), _clip(2.0, set_name="speech")]
    marks = {"esc50/x": np.ones(200, np.bool_)}
    first, second = (scenes.scenes(clips, marks, cry_snrs_db=(20.0, 0.0), seed=4) for _ in range(2))
    assert [(scene.source, scene.snr_db) for scene in first] == [
        ("esc50", 20.0), ("esc50", 0.0), ("esc50", 20.0), ("ambient", None), ("speech", None),
    ]  # fmt: skip
    assert all(np.array_equal(*pair) for pair in zip([s.mfcc for s in first], [s.mfcc for s in second], strict=True))


def test_thinned_scenes_keep_their_windows_in_step() -> None:
    scene = scenes.as_recorded([_clip(10.0)], "ambient")
    even, odd = scenes.thinned([scene, scene], 2)
    assert np.array_equal(even.log_mel, scene.log_mel[::2])
    assert np.array_equal(odd.log_mel, scene.log_mel[1::2])
    assert len(even.cry_s) == len(even.mfcc)
