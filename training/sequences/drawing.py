"""`python -m training mix`: mixes sequences of one part and embeds each of their seconds, into shards on disk.

WORK/terms.json            whether recordings of free terms alone are mixed
WORK/embedder.tflite       the frozen AudioSet network, for one second
WORK/train-0000.npz, ...   a shard: what its early blocks and the whole backbone give for each hop, and the targets

A shard depends on its number, the seed and the material alone; one that exists is not made again. Augmentation lies in
the sound, so the blocks that stay as they are need to see each sequence only once.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError
from device.hearing.features import computer, finish
from training.data.clips import SAMPLE_RATE_HZ
from training.mixing.signal import STEP_SAMPLES
from training.networks.audioset.second_network import HOP_FRAMES, SECOND_FRAMES, SPEC
from training.networks.audioset_teacher import LiteTeacher
from training.networks.audioset_teacher import convert as convert_teacher
from training.scaling.one_thread import one_thread_environment
from training.sequences.material import SequenceMaterial, load_material
from training.sequences.mixture import MixtureSettings, mix_sequence
from training.sequences.work_terms import is_free_only, settle_terms

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from training.data.split_list import Part

    Float32 = npt.NDArray[np.float32]
    Mask = npt.NDArray[np.bool_]

EMBEDDER, MARKER = "embedder.tflite", "teacher_1s.tflite"
SHARD_SEQUENCES = 200

PRESENT_S, ABSENT_S = 0.4, 0.05
"""A second with this much of an event is one; with less than the other it is none; between them it is not learned."""

_WINDOW_FRAMES = SPEC.shape[0]
_SECOND_STEPS = SAMPLE_RATE_HZ // STEP_SAMPLES
_HOP_STEPS = _SECOND_STEPS // 2


@dataclass(frozen=True, slots=True)
class ShardJob:
    """One shard to mix.

    Attributes:
        path: where it is written.
        seed: of the run.
        number: of the shard.
    """

    path: Path
    seed: int
    number: int


class Embedder:
    """The frozen backbone on LiteRT: one second of features -> what its early blocks give, and the embedding."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        outputs = self._interpreter.get_output_details()
        self._early = next(one["index"] for one in outputs if len(one["shape"]) == 4)
        self._embedding = next(one["index"] for one in outputs if len(one["shape"]) == 2)

    def run(self, second: Float32) -> tuple[Float32, Float32]:
        """(SECOND_FRAMES, 128) -> (time, frequency, channels) and (384,)."""
        self._interpreter.set_tensor(self._input, second[None, :, :, None])
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._early)[0], self._interpreter.get_tensor(self._embedding)[0]


def seconds_of(samples: Float32) -> Iterator[Float32]:
    """What the backbone hears of a sound at each hop: (n,) -> (SECOND_FRAMES, 128), from the first whole window on."""
    frames = computer(SPEC).frames(samples)
    for first in range(0, len(frames) - _WINDOW_FRAMES + 1, HOP_FRAMES):
        yield finish(SPEC, frames[first : first + _WINDOW_FRAMES])[-SECOND_FRAMES:]


def hop_targets(present: Mask, unknown: Mask, hops: int) -> tuple[Float32, Float32]:
    """Targets and weights of the seconds that the hops hear: masks of (labels, steps) -> two of (hops, labels)."""
    targets, weights = np.zeros((2, hops, len(present)), np.float32)
    for hop in range(hops):
        end = 2 * _SECOND_STEPS + hop * _HOP_STEPS
        held = slice(end - _SECOND_STEPS, end)
        seconds = present[:, held].sum(axis=1) / _SECOND_STEPS
        unsure = unknown[:, held].sum(axis=1) / _SECOND_STEPS
        targets[hop] = seconds >= PRESENT_S
        weights[hop] = (seconds >= PRESENT_S) | ((seconds < ABSENT_S) & (unsure < ABSENT_S))
    return targets, weights


def write_embedder(weights: Path, path: Path) -> None:
    """Convert the frozen backbone for LiteRT, in float.

    Raises:
        ConfigError: the file does not hold AudioSet's weights.
    """
    import keras
    import tensorflow as tf

    from training.networks.audioset.second_network import divided, published_backbone

    backbone = published_backbone(weights)
    early, _ = divided(backbone)
    inputs = keras.Input(batch_shape=(1, SECOND_FRAMES, SPEC.shape[1], 1))
    fixed = keras.Model(inputs, keras.Model(backbone.input, [early.output, backbone.output])(inputs))
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(fixed).convert())


_worker: dict[str, Any] = {}


def _start_worker(data: Path, part: Part, work: Path, mined: Mapping[str, float]) -> None:
    teacher = LiteTeacher(work / MARKER)
    _worker["material"] = load_material(data, part, teacher, mined=mined, free_only=is_free_only(work))
    _worker["embedder"] = Embedder(work / EMBEDDER)


def _write_shard(job: ShardJob) -> Path:
    material: SequenceMaterial = _worker["material"]
    embedder: Embedder = _worker["embedder"]
    rows: dict[str, list[Any]] = {"early": [], "embedding": [], "targets": [], "weights": []}
    for number in range(SHARD_SEQUENCES):
        rng = np.random.default_rng([job.seed, job.number, number, 0x5EC5])
        mixed = mix_sequence(rng, material, MixtureSettings())
        early, embedding = zip(*(embedder.run(second) for second in seconds_of(mixed.samples)), strict=True)
        targets, weights = hop_targets(mixed.present, mixed.unknown, len(embedding))
        rows["early"].append(np.stack(early).astype(np.float16))
        rows["embedding"].append(np.stack(embedding))
        rows["targets"].append(targets.astype(np.float16))
        rows["weights"].append(weights.astype(np.float16))
    part_file = job.path.with_suffix(".part")
    with part_file.open("wb") as file:
        arrays: dict[str, Any] = {name: np.stack(values) for name, values in rows.items()}
        np.savez(file, **arrays)
    part_file.rename(job.path)
    return job.path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--weights", type=Path, required=True, metavar="NPZ", help="AudioSet's weights of mn04")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder for the shards")
    parser.add_argument("--part", choices=("train", "val"), default="train", help="whose recordings (default train)")
    parser.add_argument("--shards", type=int, default=50, help=f"of {SHARD_SEQUENCES} sequences each (default 50)")
    parser.add_argument("--first", type=int, default=0, help="number of the first shard (default 0)")
    parser.add_argument("--mined", type=Path, metavar="JSON", help="what a network mistook for an event, by file")
    parser.add_argument(
        "--free-only", action="store_true", help="only recordings that people may build on for any purpose (terms.csv)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn (default 1)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")


def run(args: argparse.Namespace) -> int:
    """Mix what is missing, and say how much there is."""
    if args.shards < 1 or args.workers < 1:
        raise ConfigError("--shards and --workers must be at least 1")
    args.work.mkdir(parents=True, exist_ok=True)
    settle_terms(args.work, free_only=args.free_only)
    for name, write in ((EMBEDDER, write_embedder), (MARKER, _write_marker)):
        if not (args.work / name).exists():
            write(args.weights, args.work / name)
    mined = _read_mined(args.mined) if args.mined else {}
    numbers = range(args.first, args.first + args.shards)
    jobs = [ShardJob(args.work / f"{args.part}-{n:04d}.npz", args.seed, n) for n in numbers]
    missing = [job for job in jobs if not job.path.exists()]
    with (
        one_thread_environment(),
        ProcessPoolExecutor(
            args.workers,
            mp_context=get_context("spawn"),
            initializer=_start_worker,
            initargs=(args.data, args.part, args.work, mined),
        ) as pool,
    ):
        for path in pool.map(_write_shard, missing):
            print(path.name, flush=True)
    print(f"{len(jobs) * SHARD_SEQUENCES} sequences of {MixtureSettings().length_s:g} s in {args.work}")
    return 0


def _read_mined(path: Path) -> dict[str, float]:
    try:
        mined = json.loads(path.read_text(encoding="utf-8"))
        return {str(file): float(probability) for file, probability in mined.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is not what mine-sequences wrote ({error}): run it again") from None


def _write_marker(weights: Path, path: Path) -> None:
    path.write_bytes(convert_teacher(weights, frames=100))
