"""`python -m training fit`: trains the head on stored embeddings, then the late blocks with it, gently.

RUN/head.keras, RUN/backbone.keras   the weights of the best validation, by what alarms need (`judged`)
RUN/fit.json                         settings and figures of every validation
RUN/progress.npz                     while it goes on: a fit that was stopped goes on at its last validation

The head learns first, while the backbone is AudioSet's, so that no large gradient of a random head disturbs it. Then
the late blocks learn at a low rate; the statistics of all normalizations and the early blocks stay as they are, and
AudioSet's own 527 classes are distilled beside the labels.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError
from training.sequences.fitted_parts import load_parts, save_parts
from training.sequences.shards import read_shards
from training.sequences.sound_kinds import EVENTS, LABELS
from training.sequences.work_terms import is_free_only, refuse_other_terms
from training.train.fit_progress import FitLog, FitProgress, forget_progress, read_progress
from training.train.weight_average import WeightAverage

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import numpy.typing as npt

    from training.sequences.shards import Sequences

    Float32 = npt.NDArray[np.float32]
    Rng = np.random.Generator

_REJECTED_WEIGHT = 0.25
_DISTILLED = 0.03
_FALSE_SHARE = 0.003


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a network is fitted.

    Attributes:
        seed: of weights and order.
        head_steps: of the head alone.
        head_batch: sequences of one such step.
        head_rate: its learning rate at the start; it falls to nothing by a cosine.
        late_steps: of late blocks and head.
        late_batch: sequences of one such step.
        late_rate: its learning rate at the start.
        decay: of the average of the weights.
        judge_every: steps between two validations of the late blocks.
        free_only: whether the sequences hold free recordings alone; noted with the rest, for who goes on from the fit.
    """

    seed: int = 1
    head_steps: int = 1500
    head_batch: int = 64
    head_rate: float = 2e-3
    late_steps: int = 2000
    late_batch: int = 16
    late_rate: float = 3e-4
    decay: float = 0.995
    judge_every: int = 250
    free_only: bool = False


def event_loss(truth: Any, logits: Any) -> Any:
    """Cross entropy of labels that may hold together: truth (n, hops, 2, labels) holds targets and weights."""
    from keras import ops

    targets, weights = truth[:, :, 0], truth[:, :, 1]
    terms = ops.softplus(logits) - targets * logits
    return ops.sum(terms * weights, axis=(1, 2)) / ops.maximum(ops.sum(weights, axis=(1, 2)), 1.0)


def class_loss(classes: Any, logits: Any) -> Any:
    """Mean squared difference of the logits of AudioSet's classes to those of the frozen network."""
    from keras import ops

    return ops.mean(ops.square(logits - classes), axis=(1, 2))


def truth_of(sequences: Sequences) -> Float32:
    """Targets and weights as `event_loss` reads them; rejected labels weigh less than events."""
    label_weights = np.array([1.0 if label in EVENTS else _REJECTED_WEIGHT for label in LABELS], np.float32)
    return np.stack([sequences.targets, sequences.weights * label_weights], axis=2)


def judged(logits: Float32, sequences: Sequences) -> dict[str, float]:
    """What alarms need: for each event the share of its seconds that score above all but 0.3 % of the others.

    Args:
        logits: (n, hops, labels).
        sequences: with the truth.
    """
    found: dict[str, float] = {}
    for ordinal, label in enumerate(LABELS):
        known = sequences.weights[..., ordinal] > 0
        scores, holds = logits[..., ordinal][known], sequences.targets[..., ordinal][known] > 0
        if holds.any() and not holds.all():
            limit = np.quantile(scores[~holds], 1 - _FALSE_SHARE)
            found[label] = float((scores[holds] > limit).mean())
    return found


def fit(
    train: Sequences, val: Sequences, weights: Path, out: Path, settings: FitSettings, *, start: Path | None = None
) -> None:
    """Fit head and late blocks; what is best on `val` is in `out` at the end.

    Args:
        train: what it learns.
        val: what chooses the best weights.
        weights: AudioSet's.
        out: an existing folder.
        settings: of the run.
        start: folder of an earlier fit, whose head and backbone are fitted on.

    Raises:
        ConfigError: the file does not hold AudioSet's weights.
    """
    from training.networks.audioset import second_network

    rng = np.random.default_rng([settings.seed, 0xF17])
    flat = train.embedding.reshape(-1, train.embedding.shape[-1])
    head = second_network.build_head(
        len(LABELS), settings.seed, mean=flat.mean(axis=0), spread=np.maximum(flat.std(axis=0), 1e-2)
    )
    log = _Log(out, settings)
    progress = read_progress(out)
    begun = out if progress is not None else start
    if begun is None:
        _fit_head(head, train, val, rng, settings, log)
        backbone = second_network.published_backbone(weights)
    else:
        backbone, head = load_parts(begun)
    _, late = second_network.divided(backbone)
    classifier = second_network.published_classifier(weights)
    network = second_network.training_network(late, head, classifier, train.hops)
    fitted = _Fitted(network, classifier, backbone, head)
    if progress is None:
        fitted.save(out)
    _fit_late(fitted, (train, val), settings, log, progress)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A network that is fitted, and the parts that share its layers."""

    network: Any
    classifier: Any
    backbone: Any
    head: Any

    def save(self, out: Path) -> None:
        save_parts(out, self.backbone, self.head)


class _Log:
    """Figures of all validations, written and printed as they come."""

    def __init__(self, out: Path, settings: FitSettings) -> None:
        self.out, self._started_s = out, time.monotonic()
        self._file = FitLog(out, {"settings": asdict(settings), "labels": list(LABELS)})

    def add(self, stage: str, step: int, loss: float, figures: dict[str, float]) -> float:
        """Write one validation; the mean over the events that sound in it, by which the best is chosen."""
        heard = [event for event in EVENTS if event in figures]
        mean = float(np.mean([figures[event] for event in heard]))
        row = {"stage": stage, "step": step, "loss": round(loss, 5), "mean": round(mean, 4)}
        self._file.add(row | {name: round(value, 4) for name, value in figures.items()})
        events = ", ".join(f"{event} {figures[event]:.3f}" for event in heard)
        print(f"{time.monotonic() - self._started_s:7.0f} s {stage} {step}: loss {loss:.4f}, {events}", flush=True)
        return mean


def _fit_head(head: Any, train: Sequences, val: Sequences, rng: Rng, settings: FitSettings, log: _Log) -> None:
    import keras

    schedule = keras.optimizers.schedules.CosineDecay(settings.head_rate, settings.head_steps)
    head.compile(keras.optimizers.AdamW(schedule, weight_decay=0.02), loss=event_loss, jit_compile=False)
    inputs, truth = _with_past(train.embedding), truth_of(train)
    average = WeightAverage(head.get_weights(), settings.decay)
    losses = []
    for chosen in _batches(rng, len(inputs), settings.head_batch, settings.head_steps):
        losses.append(float(head.train_on_batch(inputs[chosen], truth[chosen])))
        average.add(head.get_weights())
    head.set_weights(average.weights)
    logits = head.predict(_with_past(val.embedding), batch_size=256, verbose=0)
    log.add("head", settings.head_steps, float(np.mean(losses[-100:])), judged(logits, val))


def _fit_late(
    fitted: _Fitted,
    parts: tuple[Sequences, Sequences],
    settings: FitSettings,
    log: _Log,
    progress: FitProgress | None,
) -> None:
    import keras

    (train, val), network, out = parts, fitted.network, log.out
    rng = np.random.default_rng([settings.seed, 0x1A7E])  # its own, so that a fit that goes on draws the same order
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.late_rate / 20, settings.late_steps, warmup_target=settings.late_rate, warmup_steps=50
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.01, clipnorm=1.0)
    network.compile(optimizer, [event_loss, class_loss], loss_weights=[1.0, _DISTILLED], jit_compile=False)
    optimizer.build(network.trainable_variables)
    truth = truth_of(train)
    average = WeightAverage(network.get_weights(), settings.decay)
    best, losses = -1.0, list[float]()
    done = 0
    if progress is not None:
        done, best = progress.step, progress.best
        network.set_weights(progress.weights)
        average = WeightAverage(progress.average, settings.decay, steps=done)
        for variable, value in zip(optimizer.variables, progress.optimizer, strict=True):
            variable.assign(value)
    for step, chosen in enumerate(_batches(rng, len(truth), settings.late_batch, settings.late_steps), start=1):
        if step <= done:
            continue
        classes = _frozen_logits(fitted.classifier, train.embedding[chosen])
        result = network.train_on_batch(train.early[chosen].astype(np.float32), [truth[chosen], classes])
        losses.append(float(np.ravel(result)[0]))
        average.add(network.get_weights())
        if step % settings.judge_every and step < settings.late_steps:
            continue
        newest = network.get_weights()
        network.set_weights(average.weights)
        figures = judged(network.predict(val.early, batch_size=16, verbose=0)[0], val)
        mean = log.add("late", step, float(np.mean(losses[-settings.judge_every :])), figures)
        if mean > best:
            best = mean
            fitted.save(out)
        network.set_weights(newest)
        FitProgress(step, best, newest, average.weights, [one.numpy() for one in optimizer.variables]).save(out)
    forget_progress(out)


def _frozen_logits(classifier: Any, embedding: Float32) -> Float32:
    """What the frozen network says of each hop: (n, hops, 384) -> (n, hops, classes)."""
    logits: Float32 = np.asarray(classifier(embedding.reshape(-1, embedding.shape[-1]), training=False))
    return logits.reshape(*embedding.shape[:2], -1)


def _with_past(embedding: Float32) -> Float32:
    """Sequences as a head reads them: zeros stand before the first hop."""
    from training.networks.audioset.second_network import PAST_STEPS

    return np.pad(embedding, ((0, 0), (PAST_STEPS, 0), (0, 0)))


def _batches(rng: Rng, count: int, size: int, steps: int) -> Iterator[npt.NDArray[np.intp]]:
    """Indices of each step's sequences: all in a shuffled order before any comes again."""
    order = np.concatenate([rng.permutation(count) for _ in range(steps * size // count + 1)])
    for step in range(steps):
        yield order[step * size : (step + 1) * size]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    standard = FitSettings()
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder of the shards")
    parser.add_argument("--weights", type=Path, required=True, metavar="NPZ", help="AudioSet's weights of mn04")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder for what is fitted")
    parser.add_argument("--start", type=Path, metavar="RUN", help="an earlier fit to go on from")
    parser.add_argument("--seed", type=int, default=standard.seed, help=f"default {standard.seed}")
    parser.add_argument("--head-steps", type=int, default=standard.head_steps, help=f"default {standard.head_steps}")
    parser.add_argument("--late-steps", type=int, default=standard.late_steps, help=f"default {standard.late_steps}")
    parser.add_argument("--late-rate", type=float, default=standard.late_rate, help=f"default {standard.late_rate:g}")


def run(args: argparse.Namespace) -> int:
    """Fit, and print each validation."""
    if args.head_steps < 1 or args.late_steps < 1:
        raise ConfigError("--head-steps and --late-steps must be at least 1")
    args.out.mkdir(parents=True, exist_ok=True)
    if args.start:
        refuse_other_terms(args.start, args.work)
    settings = FitSettings(
        seed=args.seed,
        head_steps=args.head_steps,
        late_steps=args.late_steps,
        late_rate=args.late_rate,
        free_only=is_free_only(args.work),
    )
    train, val = read_shards(args.work, "train"), read_shards(args.work, "val")
    fit(train, val, args.weights, args.out, settings, start=args.start)
    return 0
