"""Chunks: the same for the same number, whichever process makes them."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from training.mixing.augment import AugmentSettings, Group, Palette, Sound
from training.networks import audioset_teacher
from training.networks.audioset.mn04 import EMBEDDING_SIZE
from training.train.chunks import Chunk, Recipe, chunks, make_chunk
from training.train.soft_labels import SoftLabeller

PEERS = Path(__file__).resolve().parents[4] / "shared" / "peers"


def _palette() -> Palette:
    samples = np.random.default_rng(3).normal(0, 0.1, 40_000).astype(np.float32)
    cry = Sound("a", samples, np.arange(250), np.ones(250, np.bool_), is_narrow=False)
    other = Sound("b", samples[::-1].copy(), np.arange(250), None, is_narrow=False)
    cries, others = ((Group(1.0, (sound,), (1.0,)),) for sound in (cry, other))
    return Palette(cries, others, others, others, ())


def _recipe(teacher: Path) -> Recipe:
    rng = np.random.default_rng(0)
    size, hidden = EMBEDDING_SIZE, 3
    shapes = ((size,), (size,), (size, hidden), (hidden,), (hidden, 1), (1,))
    labeller = SoftLabeller(*(rng.uniform(0.5, 1.5, shape).astype(np.float32) for shape in shapes))
    parts = {field.name: getattr(_palette(), field.name) for field in dataclasses.fields(Palette)}
    return Recipe(partial(Palette, **parts), AugmentSettings(), teacher, labeller, chunk_windows=3, seed=9)


@pytest.mark.real_audio
@pytest.mark.slow
def test_another_process_makes_the_same_chunks(tmp_path: Path) -> None:
    path = tmp_path / "teacher.tflite"
    path.write_bytes(audioset_teacher.convert(PEERS / "audioset_mn04.npz", frames=200))
    recipe = _recipe(path)
    made = [make_chunk(recipe, recipe.palette(), audioset_teacher.LiteTeacher(path), index) for index in range(2)]
    received = list(chunks(recipe, 2))
    for one, other in zip(made, received, strict=True):
        for field in dataclasses.fields(Chunk):
            assert np.array_equal(getattr(one, field.name), getattr(other, field.name)), field.name
    assert not np.array_equal(made[0].log_mel, made[1].log_mel)


@pytest.mark.slow
def test_a_producer_that_dies_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the producer ended with code 1"):
        list(chunks(_recipe(tmp_path / "missing.tflite"), 1))
