"""A training of two steps, from sounds to the folder that the converter reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest

from converter.training_output import read_training_output
from training.data.clips import LoadedClip
from training.data.split_list import ListedClip, read_list
from training.evaluation.threshold_search import point
from training.evaluation.validation_windows import cut_windows
from training.mixing.augment import AugmentSettings, Group, Palette, Sound
from training.train import batch_sampling, loop
from training.train.chunks import Chunk, Recipe
from training.train.export import export
from training.train.model_card import model_card
from training.train.soft_labels import SoftLabeller
from training.train.train_settings import TrainSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from training.evaluation.runner import ScoredScene

# Keras 3 hands TensorFlow's variables to numpy 2 in a way that numpy calls outdated; nothing here can change it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def _clip(*, cry: bool) -> LoadedClip:
    listed = ListedClip("esc50/x", "esc50", "s", "val", "cry" if cry else "other", doubtful=False, reason="")
    samples = np.random.default_rng(int(cry)).normal(0, 0.1, 40_000).astype(np.float32)
    return LoadedClip(listed, "crying_baby" if cry else "cat", samples)


def _palette() -> Palette:
    samples = _clip(cry=True).samples
    cry = Sound("a", samples, np.arange(250), np.ones(250, np.bool_), is_narrow=False)
    other = Sound("b", samples[::-1].copy(), np.arange(250), None, is_narrow=False)
    groups = tuple((Group(1.0, (sound,), (1.0,)),) for sound in (cry, other))
    return Palette(groups[0], groups[1], groups[1], groups[1], ())


def _chunk(count: int, index: int) -> Chunk:
    rng = np.random.default_rng(index)
    return Chunk(
        log_mel=rng.random((count, 62, 64)).astype(np.float16),
        mfcc=rng.random((count, 62, 40)).astype(np.float16),
        targets=rng.random(count).astype(np.float32),
        weights=np.ones(count, np.float32),
        soft_labels=rng.random(count).astype(np.float32),
        embeddings=rng.random((count, 384)).astype(np.float16),
    )


def _recipe() -> Recipe:
    one = np.ones(1, np.float32)
    labeller = SoftLabeller(mean=one, scale=one, hidden=one, hidden_bias=one, output=one, output_bias=one)
    return Recipe(_palette, AugmentSettings(), Path("unused.tflite"), labeller, chunk_windows=8, seed=1)


@pytest.fixture
def _canned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks from this process: the producer has a test of its own."""

    def chunks(recipe: Recipe, count: int) -> Iterator[Chunk]:
        return (_chunk(recipe.chunk_windows, index) for index in range(count))

    monkeypatch.setattr(batch_sampling, "chunks", chunks)


@pytest.mark.slow
@pytest.mark.usefixtures("_canned")
def test_two_steps_leave_a_folder_that_the_converter_reads(
    tmp_path: Path, make_scored: Callable[..., ScoredScene]
) -> None:
    scenes = [
        cut_windows(make_scored(is_event=True, start_s=0.0).scene, _clip(cry=True).samples, np.ones(250, np.bool_)),
        cut_windows(make_scored(snr_db=None).scene, _clip(cry=False).samples, None),
    ]
    settings = TrainSettings(seed=1, steps=2, learning_rate=1e-3, batch_windows=4, check_every=1, warmup_steps=1)
    best = loop.train(_recipe(), scenes, settings, out=tmp_path, start=None)
    assert best.step in {1, 2}
    lines = [json.loads(line) for line in (tmp_path / "checks.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]

    network = keras.saving.load_model(tmp_path / "best.keras", compile=False)
    card = model_card(clips=read_list(), recipe={"seed": 1}, validation={}, commands=["python -m training distill"])
    folder = tmp_path / "folder"
    export(
        network,
        folder,
        calibration=_palette(),
        agreement=_palette(),
        point=point(0.5, 1.0, 1.0),
        card=card,
        seed=1,
        windows=(5, 7),
    )
    trained = read_training_output(folder)
    assert (trained.name, trained.version, trained.output) == ("cry", "1.0.0", "logits")
    assert [array.shape for array in trained.calibration] == [(5, 62, 64, 1), (5, 62, 40, 1)]
    assert trained.target.shape == (7, 1)
    assert "Permission is hereby granted" in trained.card["teacher"]["licence"]

    plain = keras.saving.load_model(trained.network, compile=False)
    assert np.allclose(plain(list(trained.agreement)), network(list(trained.agreement), training=False), atol=1e-5)
    again = loop.train(_recipe(), scenes, settings, out=tmp_path, start=tmp_path / "best.keras")
    assert again.step in {1, 2}
