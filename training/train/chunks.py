"""Chunks of freshly mixed training windows from a process of its own, so that training does not wait for mixing.

Chunk i depends on the seed and on i alone, never on how fast either process runs.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.mixing.augment import example
from training.networks.audioset_teacher import LiteTeacher
from training.networks.network_inputs import features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.queues import Queue
    from pathlib import Path

    import numpy.typing as npt

    from training.mixing.augment import AugmentSettings, Palette
    from training.train.soft_labels import SoftLabeller

    Float16 = npt.NDArray[np.float16]
    Float32 = npt.NDArray[np.float32]

_QUEUED_CHUNKS = 4
"""Chunks that are made ahead, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Windows and their targets.

    Attributes:
        log_mel: (n, frames, 64), half precision, as is `mfcc`: half a step of int8 is coarser.
        mfcc: (n, frames, 40).
        targets: audible share of a cry (n,).
        weights: weight of each in the loss (n,).
        soft_labels: the soft labeller's probability of a cry (n,).
        embeddings: the teacher's, standardized (n, 384).
    """

    log_mel: Float16
    mfcc: Float16
    targets: Float32
    weights: Float32
    soft_labels: Float32
    embeddings: Float16


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the producing process needs to start.

    Attributes:
        palette: builds the palette within the new process (sound is decoded there, not sent).
        augment: how windows are augmented.
        teacher: the teacher's LiteRT form for windows of two seconds.
        soft_labeller: gives the soft labels.
        chunk_windows: windows of one chunk.
        seed: of all chunks.
    """

    palette: Callable[[], Palette]
    augment: AugmentSettings
    teacher: Path
    soft_labeller: SoftLabeller
    chunk_windows: int
    seed: int


def make_chunk(recipe: Recipe, palette: Palette, teacher: LiteTeacher, index: int) -> Chunk:
    """Chunk number `index`."""
    rng = np.random.default_rng([recipe.seed, index])
    examples = [example(rng, palette, recipe.augment) for _ in range(recipe.chunk_windows)]
    inputs = [features(one.samples) for one in examples]
    embeddings = np.concatenate([teacher.embed(one.samples[None]) for one in examples])
    return Chunk(
        log_mel=np.stack([pair[0] for pair in inputs]).astype(np.float16),
        mfcc=np.stack([pair[1] for pair in inputs]).astype(np.float16),
        targets=np.array([one.target for one in examples], np.float32),
        weights=np.array([one.weight for one in examples], np.float32),
        soft_labels=recipe.soft_labeller(embeddings),
        embeddings=recipe.soft_labeller.standardized(embeddings).astype(np.float16),
    )


def chunks(recipe: Recipe, count: int) -> Iterator[Chunk]:
    """Chunks 0 to count - 1, made ahead in another process, which ends with the iteration."""
    context = multiprocessing.get_context("spawn")
    queue: Queue[Chunk] = context.Queue(_QUEUED_CHUNKS)
    process = context.Process(target=_produce, args=(recipe, count, queue), name="producer", daemon=True)
    process.start()
    try:
        for _ in range(count):
            yield _received(queue, process)
    finally:
        process.terminate()
        process.join()


def _received(queue: Queue[Chunk], process: multiprocessing.process.BaseProcess) -> Chunk:
    """The next chunk; RuntimeError if the producing process has died."""
    import queue as queues

    while True:
        try:
            return queue.get(timeout=5.0)
        except queues.Empty:
            if not process.is_alive():
                raise RuntimeError(f"the producer ended with code {process.exitcode}: its message is above") from None


def _produce(recipe: Recipe, count: int, queue: Queue[Chunk]) -> None:
    palette, teacher = recipe.palette(), LiteTeacher(recipe.teacher)
    for index in range(count):
        queue.put(make_chunk(recipe, palette, teacher, index))
