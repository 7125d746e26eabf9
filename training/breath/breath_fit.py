"""`python -m training fit-breath`: fine-tunes AudioSet's network on breath sounds, its windows drawn at each step.

RUN/model.keras, description.json, calibration.npz, agreement.npz   what the converter reads
RUN/fit.json                                                        settings, and a row for each validation
RUN/progress.npz                                                    while it goes on

The early blocks and the statistics of all normalizations stay AudioSet's. The learning rate falls to nothing by a
cosine, and the average of the last weights is kept: validation watches, and chooses no step.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError
from device.hearing.network.probabilities import sigmoid
from training.breath.band_frames import SPEC, frame_s, hop_frames, load_frames, normalize, window_s
from training.breath.breath_folder import write_folder
from training.breath.channel_changes import ChannelChanges, masked, mixed, through_another_channel
from training.breath.window_drawing import WindowDrawing
from training.breath.window_targets import LABELS
from training.evaluation.alarm_counting import HOP_S
from training.evaluation.breath.record_scores import RecordScores
from training.evaluation.breath.verdicts import choose, counts, judge
from training.evaluation.lung_measures import SPRSOUND_TASKS, lung_scores
from training.networks.audioset import reference_forms
from training.train.fit_progress import FitLog, FitProgress, forget_progress, read_progress
from training.train.weight_average import WeightAverage

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import numpy.typing as npt

    from training.breath.band_frames import BandFrames

    Float32 = npt.NDArray[np.float32]

_GROUP_WEIGHT = 2.0
_GROUPS = ("wheeze", "crackle", "normal")
_COLLECTION = "sprsound"
_BESIDES = ("kauh", "icbhi_more")
_WARM_UP = 100
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class BreathFitSettings:
    """How the network is fitted.

    Attributes:
        seed: of the last layer and of all that is drawn.
        steps: of the optimizer.
        batch: windows of a step.
        rate: the learning rate after the first hundred steps; it falls to nothing.
        weight_decay: of AdamW.
        decay: of the average of the weights.
        judge_every: steps between two validations.
        besides: collections that it learns besides SPRSound.
        changes: to the windows.
    """

    seed: int = 1
    steps: int = 1680
    batch: int = 32
    rate: float = 1e-3
    weight_decay: float = 1e-2
    decay: float = 0.99
    judge_every: int = 336
    besides: tuple[str, ...] = ()
    changes: ChannelChanges = field(default_factory=ChannelChanges)


def findings_loss(targets: Any, logits: Any) -> Any:
    """Mean cross entropy of the labels that are known: both (n, labels), open targets NaN."""
    from keras import ops

    known = ops.cast(ops.isfinite(targets), "float32")
    held = ops.where(ops.isfinite(targets), targets, ops.zeros_like(targets))
    weights = np.array([_GROUP_WEIGHT if label in _GROUPS else 1.0 for label in LABELS], np.float32)
    terms = (ops.softplus(logits) - held * logits) * known * weights
    return ops.sum(terms) / ops.maximum(ops.sum(known), 1.0)


def batch_of(drawing: WindowDrawing, settings: BreathFitSettings, step: int) -> tuple[Float32, Float32]:
    """Inputs (n, frames, bands, 1) and targets of one step; equal arguments draw equal windows."""
    rng = np.random.default_rng([settings.seed, step, 0xB2EA])
    decibels, targets = drawing.draw(settings.batch, rng)
    windows = masked(normalize(through_another_channel(decibels, settings.changes, rng)), settings.changes, rng)
    windows, targets = mixed(windows, targets, settings.changes, rng)
    return windows[..., None], targets


def rate_at(step: int, settings: BreathFitSettings) -> float:
    """The learning rate of a step, counted from 0: a short rise, then half a cosine down to a hundredth."""
    fallen = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
    return settings.rate * min(1.0, (step + 1) / _WARM_UP) * (0.01 + 0.99 * fallen)


def record_scores(network: Any, recordings: Sequence[BandFrames]) -> list[RecordScores]:
    """What the device's windows would score in recordings."""
    hop = hop_frames(HOP_S)
    return [_scores_of(network, one, range(0, one.last_start + 1, hop)) for one in recordings]


def fit_breath(data: Path, weights: Path, out: Path, settings: BreathFitSettings) -> None:
    """Fit, and write what the converter reads.

    Args:
        data: the folder that holds the collections.
        weights: AudioSet's, of mn04.
        out: an existing folder; a fit that was stopped in it goes on at its last validation.
        settings: of the run.

    Raises:
        ConfigError: the file does not hold AudioSet's weights, or the progress is damaged.
        RecordingError: a recording is missing or cannot be read.
    """
    train = load_frames(data, "train", (_COLLECTION, *settings.besides))
    judged = load_frames(data, "val", (_COLLECTION,))
    drawing = WindowDrawing(train)
    network = reference_forms.build(SPEC, LABELS, settings.seed, "late")
    reference_forms.start_from(network, weights)
    places = dict(sorted(drawing.kinds.items()))
    log = FitLog(out, {"settings": asdict(settings), "labels": list(LABELS), "places": places})
    average = _fitted(network, drawing, judged, settings, log)
    network.set_weights(average.weights)
    write_folder(out, network, drawing, judged, seed=settings.seed, recipe=asdict(settings))
    forget_progress(out)


def _fitted(
    network: Any, drawing: WindowDrawing, judged: Sequence[BandFrames], settings: BreathFitSettings, log: FitLog
) -> WeightAverage:
    """Train to the last step; the average of the weights."""
    import keras

    optimizer = keras.optimizers.AdamW(settings.rate, weight_decay=settings.weight_decay)
    network.compile(optimizer, loss=findings_loss, jit_compile=False)
    optimizer.build(network.trainable_variables)
    average, done = WeightAverage(network.get_weights(), settings.decay), 0
    progress = read_progress(log.out)
    if progress is not None:
        done = progress.step
        network.set_weights(progress.weights)
        average = WeightAverage(progress.average, settings.decay, steps=done)
        for variable, value in zip(optimizer.variables, progress.optimizer, strict=True):
            variable.assign(value)
    losses: list[float] = []
    for step in range(done, settings.steps):
        optimizer.learning_rate.assign(rate_at(step, settings))
        losses.append(float(network.train_on_batch(*batch_of(drawing, settings, step))))
        average.add(network.get_weights())
        if (step + 1) % settings.judge_every and step + 1 < settings.steps:
            continue
        newest = network.get_weights()
        network.set_weights(average.weights)
        _judge(log, step + 1, float(np.mean(losses[-settings.judge_every :])), record_scores(network, judged))
        network.set_weights(newest)
        values = [np.asarray(keras.ops.convert_to_numpy(one)) for one in optimizer.variables]
        FitProgress(step + 1, 0.0, newest, average.weights, values).save(log.out)
    return average


def _judge(log: FitLog, step: int, loss: float, scores: Sequence[RecordScores]) -> None:
    """Write and print one validation: SPRSound's Scores, their aggregation chosen on the same recordings."""
    row: dict[str, Any] = {"step": step, "loss": round(loss, 5)}
    for task in SPRSOUND_TASKS:
        by = choose(scores, LABELS, task)
        if by is not None:
            row[task.name] = round(lung_scores(counts(judge(scores, LABELS, task, by), task)).score or 0.0, 4)
    log.add(row)
    told = ", ".join(f"{name} {value:g}" for name, value in row.items() if name not in {"step", "loss"})
    print(f"step {step}: loss {loss:.4f}; {told}", flush=True)


def _scores_of(network: Any, held: BandFrames, firsts: range) -> RecordScores:
    windows = normalize(np.stack([held.window(first) for first in firsts]))[..., None]
    parts = [
        np.asarray(network.predict_on_batch(windows[at : at + _AT_ONCE])) for at in range(0, len(windows), _AT_ONCE)
    ]
    starts_s = np.array(firsts) * frame_s()
    recording = held.recording
    return RecordScores(
        name=recording.file.name,
        set=recording.set,
        subject=held.subject,
        duration_s=recording.duration_s,
        record_labels=recording.labels,
        events=recording.events,
        starts_s=starts_s,
        ends_s=starts_s + window_s(),
        probabilities=sigmoid(np.concatenate(parts)),
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    standard = BreathFitSettings()
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--weights", type=Path, required=True, metavar="NPZ", help="AudioSet's weights of mn04")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder for what is fitted")
    parser.add_argument("--seed", type=int, default=standard.seed, help=f"default {standard.seed}")
    parser.add_argument("--steps", type=int, default=standard.steps, help=f"default {standard.steps}")
    parser.add_argument(
        "--besides", nargs="+", choices=_BESIDES, default=[], help="collections that it learns besides SPRSound"
    )


def run(args: argparse.Namespace) -> int:
    """Fit, and print each validation and the folder."""
    if args.steps < 1:
        raise ConfigError(f"--steps is {args.steps}, must be at least 1")
    args.out.mkdir(parents=True, exist_ok=True)
    settings = BreathFitSettings(seed=args.seed, steps=args.steps, besides=tuple(args.besides))
    fit_breath(args.data, args.weights, args.out, settings)
    print(args.out)
    return 0
