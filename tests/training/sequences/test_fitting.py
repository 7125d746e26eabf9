"""A fit that is stopped goes on at its last validation, and ends where it would have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from device.errors import ConfigError
from training.networks.audioset import second_network
from training.sequences import drawing
from training.sequences.fitted_parts import BACKBONE, HEAD, load_parts
from training.sequences.fitting import FitSettings, _Log, fit
from training.sequences.shards import Sequences, read_shards
from training.sequences.sound_kinds import LABELS
from training.train.fit_progress import PROGRESS, FitProgress, read_progress

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SETTINGS = FitSettings(head_steps=2, head_batch=2, late_steps=4, late_batch=2, judge_every=2)
HOPS = 8


def sequences(seed: int) -> Sequences:
    rng = np.random.default_rng(seed)
    targets = (rng.random((4, HOPS, len(LABELS))) < 0.3).astype(np.float32)
    early = rng.normal(size=(4, HOPS, 13, 16, 16)).astype(np.float16)
    embedding = rng.normal(size=(4, HOPS, 384)).astype(np.float32)
    return Sequences(early, embedding, targets, np.ones_like(targets))


@pytest.fixture
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks of random weights, the same each time; AudioSet's take a minute to compile."""
    import keras

    def backbone(_weights: Path) -> Any:
        keras.utils.set_random_seed(1)
        inputs = keras.Input((13, 16, 16))
        pooled = keras.layers.GlobalAveragePooling2D()(inputs)
        return keras.Model(inputs, keras.layers.Dense(384)(pooled))

    def classifier(_weights: Path) -> Any:
        keras.utils.set_random_seed(2)
        inputs = keras.Input((384,))
        network = keras.Model(inputs, keras.layers.Dense(527)(inputs))
        network.trainable = False
        return network

    monkeypatch.setattr(second_network, "published_backbone", backbone)
    monkeypatch.setattr(second_network, "published_classifier", classifier)
    monkeypatch.setattr(second_network, "divided", lambda backbone: (None, backbone))


def test_the_best_weights_are_chosen_by_the_events_that_sound_in_validation(tmp_path: Path) -> None:
    log = _Log(tmp_path, SETTINGS)
    assert log.add("late", 2, 0.5, {"cry": 0.8, "scream": 0.4, "dog": 0.1}) == pytest.approx(0.6)
    assert log.add("late", 4, 0.5, {"cry": 0.8, "dog": 0.1}) == pytest.approx(0.8)


@pytest.mark.usefixtures("small_networks")
def test_a_stopped_fit_ends_where_it_would_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, val = sequences(1), sequences(2)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    for folder in (whole, stopped):
        folder.mkdir()
    fit(train, val, tmp_path, whole, SETTINGS)

    class Stopped(Exception):  # noqa: N818 - stands for a signal
        pass

    def save_and_stop(self: FitProgress, run: Path) -> None:
        original(self, run)
        raise Stopped

    original = FitProgress.save
    with monkeypatch.context() as patched:
        patched.setattr(FitProgress, "save", save_and_stop)
        with pytest.raises(Stopped):
            fit(train, val, tmp_path, stopped, SETTINGS)
    progress = read_progress(stopped)
    assert progress is not None
    assert progress.step == 2
    fit(train, val, tmp_path, stopped, SETTINGS)
    assert read_progress(stopped) is None
    figures = [(folder / "fit.json").read_text(encoding="utf-8") for folder in (whole, stopped)]
    assert figures[0].count('"late"') == figures[1].count('"late"') == 2
    for name in (HEAD, BACKBONE):
        one, other = (_weights(folder / name) for folder in (whole, stopped))
        assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(one, other, strict=True))


def _weights(path: Path) -> list[np.ndarray]:
    import keras

    return list(keras.saving.load_model(path, compile=False).get_weights())


def test_a_damaged_progress_is_refused_with_what_would_work(tmp_path: Path) -> None:
    (tmp_path / PROGRESS).write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(ConfigError, match=r"progress\.npz holds no fit that can go on .*: delete it to begin anew"):
        read_progress(tmp_path)


@pytest.mark.parametrize("content", [None, b"torn"])
def test_a_folder_without_a_fit_is_refused_with_the_command_that_makes_one(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / BACKBONE).write_bytes(content)
    with pytest.raises(ConfigError, match=r"holds no fitted network .*: run `python -m training fit` first"):
        load_parts(tmp_path)


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": "b"}'])
def test_a_file_that_mining_did_not_write_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "mined.json").write_text(text)
    with pytest.raises(ConfigError, match=r"mined\.json is not what mine-sequences wrote .*: run it again"):
        drawing._read_mined(tmp_path / "mined.json")


def test_without_shards_the_command_that_makes_them_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no sequences of val: run `python -m training mix --part val` first"):
        read_shards(tmp_path, "val")
    (tmp_path / "val-0000.npz").write_bytes(b"torn")
    with pytest.raises(ConfigError, match=r"val-0000\.npz is no shard of sequences .*: delete it and run mix again"):
        read_shards(tmp_path, "val")
