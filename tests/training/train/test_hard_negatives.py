"""Hard negatives: each clip's most cry-like window decides, and the next training reads what the search wrote."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.data.clips import SAMPLE_RATE_HZ, LoadedClip
from training.data.split_list import ListedClip
from training.train import hard_negatives
from training.train.hard_negatives import HARD_NEGATIVES, cry_probabilities, load_hard_negatives

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]


class PeakNetwork:
    """A network whose logit is the peak of the log-mel input; remembers how many windows it scored."""

    def __init__(self) -> None:
        self.windows = 0

    def predict_on_batch(self, inputs: Sequence[Float32]) -> Float32:
        self.windows += len(inputs[0])
        peaks: Float32 = inputs[0].max(axis=(1, 2)) / 10
        return peaks


def clip(file: str, samples: Float32) -> LoadedClip:
    return LoadedClip(ListedClip(file, "esc50", "s", "train", "other", doubtful=False, reason=""), "cat", samples)


def noise(seconds: float, level: float) -> Float32:
    return np.random.default_rng(0).normal(0, level, round(seconds * SAMPLE_RATE_HZ)).astype(np.float32)


def test_a_clip_is_as_hard_as_its_hardest_window() -> None:
    hiss = noise(2, 0.01)
    tone = hiss + 0.3 * np.sin(2 * np.pi * 500 * np.arange(len(hiss)) / SAMPLE_RATE_HZ).astype(np.float32)
    found = cry_probabilities(
        PeakNetwork(), [clip("tone", tone), clip("hiss", hiss), clip("both", np.concatenate((hiss, tone, hiss)))]
    )
    assert list(found) == ["tone", "hiss", "both"]
    assert found["both"] >= found["tone"] > found["hiss"]
    assert all(0.0 <= probability <= 1.0 for probability in found.values())


@pytest.mark.parametrize(("seconds", "windows"), [(0.5, 1), (2.0, 1), (2.9, 1), (3.0, 2), (10.0, 9), (600.0, 60)])
def test_windows_begin_a_second_apart_and_a_minute_of_a_long_clip_is_enough(seconds: float, windows: int) -> None:
    network = PeakNetwork()
    cry_probabilities(network, [clip("a", noise(seconds, 0.1))])
    assert network.windows == windows


def test_the_search_writes_all_that_are_no_cries_for_the_next_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    cry = LoadedClip(ListedClip("cry", "esc50", "s", "train", "cry", doubtful=False, reason=""), "cry", noise(2, 0.1))
    monkeypatch.setattr(hard_negatives, "load_clips", lambda _data, _part: (cry, clip("cat", noise(2, 0.1))))
    monkeypatch.setattr(keras.saving, "load_model", lambda _path, **_: PeakNetwork())
    assert load_hard_negatives(tmp_path) == {}
    found = hard_negatives.find_hard_negatives(tmp_path / "best.keras", tmp_path, tmp_path)
    assert list(found) == ["cat"]
    assert load_hard_negatives(tmp_path) == found == json.loads((tmp_path / HARD_NEGATIVES).read_text())
