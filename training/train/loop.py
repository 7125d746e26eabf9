"""Trains the student network: one loop, whose checkpoints are chosen on validation subjects.

A running average of the weights is checked and saved; the best checkpoint has the highest recall at few false
positives over validation scenes.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.data.activity_marks import ACTIVITY, load_activity
from training.data.clips import load_clips, load_impulse_responses
from training.evaluation.validation_windows import part_windows, scene_probabilities, thinned
from training.mixing.augment import AugmentSettings
from training.mixing.sampling import build_palette
from training.networks import residual
from training.networks.audioset.mn04 import EMBEDDING_SIZE
from training.statistics import roc_auc
from training.train.batch_sampling import batches
from training.train.chunks import Recipe
from training.train.hard_negatives import load_hard_negatives
from training.train.soft_labels import SoftLabeller
from training.train.teacher_labels import SOFT_LABELLER, TEACHER
from training.train.train_settings import TrainSettings
from training.train.weight_average import WeightAverage

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import numpy.typing as npt

    from training.evaluation.validation_windows import SceneWindows
    from training.mixing.augment import Palette

    Float32 = npt.NDArray[np.float32]
    Rng = np.random.Generator

_LOG = logging.getLogger(__name__)

FALSE_POSITIVE_RATES = (0.003, 0.01, 0.03)
"""Shares of windows at which recall is measured. A rule of three windows in four forgives single ones; below
0.003 the figure depends on two or three recordings of the validation part."""


@dataclass(frozen=True, slots=True)
class PaletteSource:
    """Decodes the training part and builds its palette, in whichever process calls it.

    Attributes:
        data: folder of the collections.
        work: folder with the marks and, once `mine` was run, `hard_negatives.json`.
    """

    data: Path
    work: Path

    def __call__(self) -> Palette:
        """The palette of the training part; nothing of another part is ever opened."""
        clips, rooms = load_clips(self.data, "train"), load_impulse_responses(self.data, "train")
        return build_palette(clips, load_activity(self.work / ACTIVITY), rooms, load_hard_negatives(self.work))


@dataclass(frozen=True, slots=True)
class Check:
    """The scores of a checkpoint on validation scenes.

    Attributes:
        step: number of batches so far.
        recalls: of windows that hold a cry, for each of `FALSE_POSITIVE_RATES`.
        auc: area under the ROC curve of windows.
    """

    step: int
    recalls: tuple[float, ...]
    auc: float

    @property
    def merit(self) -> float:
        """The figure that the best checkpoint maximizes: the mean recall."""
        return float(np.mean(self.recalls))


def train(
    recipe: Recipe, scenes: Sequence[SceneWindows], settings: TrainSettings, *, out: Path, start: Path | None
) -> Check:
    """Train, and write the best checkpoint as `out/best.keras`.

    Args:
        recipe: how chunks are made.
        scenes: validation scenes, which choose the checkpoint.
        settings: of this run.
        out: folder for `best.keras`, `last.keras` and `checks.jsonl`.
        start: a network to continue from; None for fresh weights.
    """
    student = _student(settings, start)
    checked = residual.build(embedding_size=1, dropout=0.0, seed=settings.seed).network
    average = WeightAverage(student.network.get_weights(), settings.average_decay)
    best: Check | None = None
    for step, batch in enumerate(batches(recipe, settings), start=1):
        losses = student.trainable.train_on_batch(*batch)
        if step % settings.average_every == 0:
            average.add(student.network.get_weights())
        if step % settings.check_every == 0 or step == settings.steps:
            checked.set_weights(average.weights)
            best = _record(checked, check(checked, scenes, step), best, losses, out)
    if best is None:
        raise ValueError(f"{settings.steps} steps: at least one is needed to train")
    return best


def _student(settings: TrainSettings, start: Path | None) -> residual.StudentNetwork:
    import keras

    student = residual.build(embedding_size=EMBEDDING_SIZE, dropout=settings.dropout, seed=settings.seed)
    if start is not None:
        student.network.set_weights(keras.saving.load_model(start, compile=False).get_weights())
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, settings.steps - settings.warmup_steps),
        alpha=settings.learning_rate / 100,
        warmup_target=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
    )
    student.trainable.compile(
        keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, clipnorm=1.0),
        loss=[keras.losses.BinaryCrossentropy(from_logits=True), keras.losses.MeanSquaredError()],
        loss_weights=[1.0, settings.embedding_weight],
    )
    return student


def _record(network: Any, now: Check, best: Check | None, losses: Any, out: Path) -> Check:
    """Log and save a checkpoint; returns the best one so far."""
    line = asdict(now) | {"merit": now.merit, "losses": [float(value) for value in np.ravel(losses)]}
    _LOG.info("%s", json.dumps(line))
    with (out / "checks.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line) + "\n")
    network.save(out / "last.keras")
    if best is not None and best.merit >= now.merit:
        return best
    network.save(out / "best.keras")
    return now


def check(network: Any, scenes: Sequence[SceneWindows], step: int) -> Check:
    """Recall of cry windows at few false positives, over all scenes."""
    scores = np.concatenate(scene_probabilities(network, scenes))
    is_full_cry = np.concatenate([windows.is_full_cry for windows in scenes])
    in_cry_scene = np.concatenate([np.full(len(windows.cry_s), windows.scene.is_event) for windows in scenes])
    positive, negative = scores[is_full_cry], scores[~in_cry_scene]
    recalls = tuple(float(np.mean(positive > np.quantile(negative, 1 - rate))) for rate in FALSE_POSITIVE_RATES)
    return Check(step, recalls, roc_auc(positive, negative))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder that `teach` wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the networks")
    parser.add_argument("--seed", type=int, default=1, help="of all random choices (default 1)")
    parser.add_argument("--steps", type=int, default=6000, help="batches of 64 windows (default 6000)")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="its peak (default 0.002)")
    parser.add_argument("--start", type=Path, metavar="KERAS", help="a network to continue from")


def run(args: argparse.Namespace) -> int:
    """Train, and print the best checkpoint's scores."""
    args.out.mkdir(parents=True, exist_ok=True)
    settings = TrainSettings(seed=args.seed, steps=args.steps, learning_rate=args.learning_rate)
    scenes = thinned(part_windows(args.data, args.work, "val"), 2)
    best = train(cry_recipe(args.data, args.work, args.seed), scenes, settings, out=args.out, start=args.start)
    print(json.dumps(asdict(best) | {"merit": best.merit}))
    return 0


def cry_recipe(data: Path, work: Path, seed: int) -> Recipe:
    """Chunks of 1024 windows of the training part."""
    return Recipe(
        palette=PaletteSource(data, work),
        augment=AugmentSettings(),
        teacher=work / TEACHER,
        soft_labeller=SoftLabeller.load(work / SOFT_LABELLER),
        chunk_windows=1024,
        seed=seed,
    )
