"""Fresh training batches from a process of its own, so that the network never waits for sound.

The chunk of number i depends on the seed and on i alone: how fast either side runs changes nothing.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.hearing.features import computer, finish
from training.mixing.augment import example
from training.networks.audioset_teacher import LiteTeacher
from training.networks.residual import LOG_MEL, MFCC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.queues import Queue
    from pathlib import Path

    import numpy.typing as npt

    from training.mixing.augment import AugmentSettings, Palette
    from training.train.teacher_labels import Judge

    Float16 = npt.NDArray[np.float16]
    Float32 = npt.NDArray[np.float32]

_AHEAD = 4
"""Chunks that wait at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Windows as the network learns from them.

    Attributes:
        log_mel: (n, frames, 64), half precision, as is `mfcc`: half a step of int8 is coarser.
        mfcc: (n, frames, 40).
        targets: audible share of a cry (n,).
        weights: how much each counts (n,).
        opinions: the judge's probability of a cry (n,).
        descriptions: the teacher's, standardized (n, 384).
    """

    log_mel: Float16
    mfcc: Float16
    targets: Float32
    weights: Float32
    opinions: Float32
    descriptions: Float16


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a producer needs to start.

    Attributes:
        palette: makes the palette within the new process (sound is decoded there, not sent).
        augment: how windows are changed.
        teacher: the teacher's LiteRT form for windows of two seconds.
        judge: its opinion.
        chunk_windows: windows of one chunk.
        seed: of all chunks.
    """

    palette: Callable[[], Palette]
    augment: AugmentSettings
    teacher: Path
    judge: Judge
    chunk_windows: int
    seed: int


def features(samples: Float32) -> tuple[Float32, Float32]:
    """One window as the device hears it: (32000,) -> log-mel (frames, 64) and MFCC (frames, 40)."""
    mel = computer(LOG_MEL).mel(samples)
    return finish(LOG_MEL, mel), finish(MFCC, computer(MFCC).from_mel(mel))


def make_chunk(recipe: Recipe, palette: Palette, teacher: LiteTeacher, index: int) -> Chunk:
    """The chunk of number `index`."""
    rng = np.random.default_rng([recipe.seed, index])
    drawn = [example(rng, palette, recipe.augment) for _ in range(recipe.chunk_windows)]
    heard = [features(one.samples) for one in drawn]
    described = np.concatenate([teacher.describe(one.samples[None])[0] for one in drawn])
    return Chunk(
        log_mel=np.stack([pair[0] for pair in heard]).astype(np.float16),
        mfcc=np.stack([pair[1] for pair in heard]).astype(np.float16),
        targets=np.array([one.target for one in drawn], np.float32),
        weights=np.array([one.weight for one in drawn], np.float32),
        opinions=recipe.judge(described),
        descriptions=recipe.judge.standardized(described).astype(np.float16),
    )


def chunks(recipe: Recipe, count: int) -> Iterator[Chunk]:
    """Chunks 0 to count - 1, made ahead in another process, which ends with the iteration."""
    context = multiprocessing.get_context("spawn")
    queue: Queue[Chunk] = context.Queue(_AHEAD)
    process = context.Process(target=_produce, args=(recipe, count, queue), name="producer", daemon=True)
    process.start()
    try:
        for _ in range(count):
            yield _received(queue, process)
    finally:
        process.terminate()
        process.join()


def _received(queue: Queue[Chunk], process: multiprocessing.process.BaseProcess) -> Chunk:
    """The next chunk; an error where its maker has died."""
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
