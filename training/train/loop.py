"""Trains the student: short functions around one loop, checkpoints chosen on validation subjects.

The loop draws batches from a pool of fresh chunks (`training.train.batches`), each window being used
about `uses` times with other masks. A running average of the weights is what is checked and kept:
the one with the best recall at few false alarms over validation scenes.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.data.clips import load_clips, load_rooms
from training.evaluation.validation_windows import part_windows, thinned
from training.mixing.augment import AugmentSettings
from training.mixing.sampling import build_palette
from training.networks import residual
from training.networks.audioset_teacher import EMBEDDING_SIZE
from training.networks.predict import probabilities
from training.statistics import roc_auc
from training.train.batches import Recipe, chunks
from training.train.hard_negatives import load_mined
from training.train.teacher_labels import ACTIVITY, JUDGE, TEACHER, Judge, load_activity

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from training.evaluation.validation_windows import SceneWindows
    from training.mixing.augment import Palette
    from training.train.batches import Chunk

    Float32 = npt.NDArray[np.float32]
    Rng = np.random.Generator

_LOG = logging.getLogger(__name__)

FALSE_POSITIVE_RATES = (0.003, 0.01, 0.03)
"""Of windows: where recall is looked at. A rule of three windows in four forgives single ones; below
0.003 the figure hangs on two or three recordings of the validation part."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """One training run.

    Attributes:
        seed: of weights, windows, batches and masks.
        steps: batches in all.
        learning_rate: its peak; it warms up over `warmup_steps` and falls with a cosine to 1 %.
        batch_windows: windows of a batch.
        uses: how often a window is used, on average.
        pool_chunks: chunks that batches are drawn from.
        warmup_steps: batches of rising rate.
        weight_decay: of AdamW.
        dropout: of the pooled values.
        opinion_share: share of the judge's opinion in the target.
        smoothing: targets are kept this far from 0 and 1.
        description_weight: weight of the distance to the teacher's description.
        average_every: batches between two steps of the running average.
        average_decay: how much of the average stays at each of its steps.
        check_every: batches between two checks on validation scenes.
        masked_share: windows of which some frames and bins are masked.
    """

    seed: int
    steps: int
    learning_rate: float
    batch_windows: int = 64
    uses: float = 2.0
    pool_chunks: int = 8
    warmup_steps: int = 200
    weight_decay: float = 2e-3
    dropout: float = 0.2
    opinion_share: float = 0.4
    smoothing: float = 0.01
    description_weight: float = 1.0
    average_every: int = 4
    average_decay: float = 0.98
    check_every: int = 500
    masked_share: float = 0.5


@dataclass(frozen=True, slots=True)
class PaletteSource:
    """Decodes the training part and builds its palette, in whichever process calls it.

    Attributes:
        data: folder of the collections.
        work: folder with the teacher's marks and, once mined, `mined.json`.
    """

    data: Path
    work: Path

    def __call__(self) -> Palette:
        """The palette of the training part; nothing of another part is ever opened."""
        clips, rooms = load_clips(self.data, "train"), load_rooms(self.data, "train")
        return build_palette(clips, load_activity(self.work / ACTIVITY), rooms, load_mined(self.work))


@dataclass(frozen=True, slots=True)
class Check:
    """What a checkpoint reaches on validation scenes.

    Attributes:
        step: batches seen.
        recalls: of windows that hold a cry, for each of `FALSE_POSITIVE_RATES`.
        auc: area under the ROC curve of windows.
    """

    step: int
    recalls: tuple[float, ...]
    auc: float

    @property
    def merit(self) -> float:
        """What the best checkpoint has most of."""
        return float(np.mean(self.recalls))


class Average:
    """A running average of weights, which generalizes better than the last ones."""

    def __init__(self, weights: Sequence[Float32], decay: float) -> None:
        self._held = [weight.copy() for weight in weights]
        self._decay = decay
        self._steps = 0

    def add(self, weights: Sequence[Float32]) -> None:
        """Move towards the weights; the first steps weigh alike."""
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + 10))
        for held, weight in zip(self._held, weights, strict=True):
            np.add(held, (1 - decay) * (weight - held), out=held)

    @property
    def weights(self) -> list[Float32]:
        """The average."""
        return self._held


def train(
    recipe: Recipe, scenes: Sequence[SceneWindows], settings: TrainSettings, *, out: Path, start: Path | None
) -> Check:
    """Train and leave the best checkpoint as `out/best.keras`.

    Args:
        recipe: where chunks come from.
        scenes: validation scenes, to choose the checkpoint by.
        settings: of this run.
        out: folder for `best.keras`, `last.keras` and `checks.jsonl`.
        start: a network to go on from; None for fresh weights.
    """
    towers = _towers(settings, start)
    checked = residual.build(description_size=1, dropout=0.0, seed=settings.seed).network
    average = Average(towers.network.get_weights(), settings.average_decay)
    best: Check | None = None
    for step, batch in enumerate(batches(recipe, settings), start=1):
        losses = towers.student.train_on_batch(*batch)
        if step % settings.average_every == 0:
            average.add(towers.network.get_weights())
        if step % settings.check_every == 0 or step == settings.steps:
            checked.set_weights(average.weights)
            best = _kept(checked, check(checked, scenes, step), best, losses, out)
    if best is None:
        raise ValueError(f"{settings.steps} steps: at least one is needed to train")
    return best


def _towers(settings: TrainSettings, start: Path | None) -> residual.Towers:
    import keras

    towers = residual.build(description_size=EMBEDDING_SIZE, dropout=settings.dropout, seed=settings.seed)
    if start is not None:
        towers.network.set_weights(keras.saving.load_model(start, compile=False).get_weights())
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, settings.steps - settings.warmup_steps),
        alpha=settings.learning_rate / 100,
        warmup_target=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
    )
    towers.student.compile(
        keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, clipnorm=1.0),
        loss=[keras.losses.BinaryCrossentropy(from_logits=True), keras.losses.MeanSquaredError()],
        loss_weights=[1.0, settings.description_weight],
    )
    return towers


def _kept(network: Any, now: Check, best: Check | None, losses: Any, out: Path) -> Check:
    """Write down a check, save the network, and say which checkpoint is best."""
    line = asdict(now) | {"merit": now.merit, "losses": [float(value) for value in np.ravel(losses)]}
    _LOG.info("%s", json.dumps(line))
    with (out / "checks.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line) + "\n")
    network.save(out / "last.keras")
    if best is not None and best.merit >= now.merit:
        return best
    network.save(out / "best.keras")
    return now


# --- batches ------------------------------------------------------------------------------------


def batches(recipe: Recipe, settings: TrainSettings) -> Iterator[tuple[Any, Any, Any]]:
    """`settings.steps` batches of (inputs, targets, weights), as `train_on_batch` takes them."""
    rng = np.random.default_rng([settings.seed, 0xBA7C])
    pool: deque[Chunk] = deque(maxlen=settings.pool_chunks)
    each = steps_per_chunk(recipe, settings)
    for index, chunk in enumerate(chunks(recipe, -(-settings.steps // each))):
        pool.append(chunk)
        for _ in range(min(each, settings.steps - index * each)):
            yield _batch(rng, pool, settings)


def steps_per_chunk(recipe: Recipe, settings: TrainSettings) -> int:
    """Batches between two chunks, so that a window is used `uses` times."""
    return max(1, round(settings.uses * recipe.chunk_windows / settings.batch_windows))


def _batch(rng: Rng, pool: Sequence[Chunk], settings: TrainSettings) -> tuple[Any, Any, Any]:
    size = len(pool[0].targets)
    chosen = rng.integers(len(pool) * size, size=settings.batch_windows)
    of, at = np.divmod(chosen, size)

    def gathered(name: str) -> Float32:
        return np.stack([getattr(pool[i], name)[j] for i, j in zip(of, at, strict=True)]).astype(np.float32)

    inputs = masked(rng, gathered("log_mel"), gathered("mfcc"), settings.masked_share)
    soft = (1 - settings.opinion_share) * gathered("targets") + settings.opinion_share * gathered("opinions")
    targets = np.clip(soft, settings.smoothing, 1 - settings.smoothing)[:, None]
    weights = gathered("weights")
    return list(inputs), [targets, gathered("descriptions")], [weights, np.ones_like(weights)]


def masked(rng: Rng, log_mel: Float32, mfcc: Float32, share: float) -> tuple[Float32, Float32]:
    """SpecAugment: the same frames in both inputs, bins in each, are set to their mean, 0.

    (n, frames, bins) -> (n, frames, bins, 1), for a share of the n windows.
    """
    for row in np.flatnonzero(rng.random(len(log_mel)) < share):
        first, count = int(rng.integers(log_mel.shape[1])), int(rng.integers(1, 9))
        for one in (log_mel, mfcc):
            one[row, first : first + count] = 0.0
            lowest, height = int(rng.integers(one.shape[2])), int(rng.integers(1, 1 + one.shape[2] // 6))
            one[row, :, lowest : lowest + height] = 0.0
    return log_mel[..., None], mfcc[..., None]


# --- checks -------------------------------------------------------------------------------------


def check(network: Any, scenes: Sequence[SceneWindows], step: int) -> Check:
    """Recall of cry windows at few false positives, over all scenes."""
    scores = np.concatenate(probabilities(network, scenes))
    cry_s = np.concatenate([scene.cry_s for scene in scenes])
    held = np.concatenate([np.full(len(scene.cry_s), scene.scene.is_cry) for scene in scenes])
    positive, negative = scores[cry_s >= 0.5], scores[~held]
    recalls = tuple(float(np.mean(positive > np.quantile(negative, 1 - rate))) for rate in FALSE_POSITIVE_RATES)
    return Check(step, recalls, roc_auc(positive, negative))


# --- the command --------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder where `teach` left its marks")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the networks")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn (default 1)")
    parser.add_argument("--steps", type=int, default=6000, help="batches of 64 windows (default 6000)")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="its peak (default 0.002)")
    parser.add_argument("--start", type=Path, metavar="KERAS", help="a network to go on from")


def run(args: argparse.Namespace) -> int:
    """Train, and print what the best checkpoint reaches."""
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
        judge=Judge.load(work / JUDGE),
        chunk_windows=1024,
        seed=seed,
    )
