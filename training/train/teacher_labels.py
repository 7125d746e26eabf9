"""What the teacher says: where in a cry clip an infant cries, and how surely a mixed window holds a cry.

A clip that is called a cry is silence, a parent's voice and handling noise for half of its length.
The teacher describes every second of it, a line is drawn through the descriptions of training clips (cries
against all others), drawn again without the seconds it disbelieves, and says where the cry is. Then
windows are mixed as for training, and a small judge learns from their descriptions; its
opinion is what the student's soft targets are. Everything here sees the training part only; the
activity of validation cries is marked by the same line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.classifier import sigmoid
from training.data.clips import SAMPLE_RATE_HZ, load_clips, load_rooms
from training.mixing.augment import AugmentSettings, Palette, example
from training.mixing.sampling import build_palette
from training.mixing.signal import STEP_SAMPLES, loud_steps
from training.networks.audioset_teacher import EMBEDDING_SIZE, LiteTeacher, convert

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from training.data.clips import Clip
    from training.mixing.signal import Float32, Mask

ACTIVITY = "active.npz"
JUDGE = "judge.npz"
TEACHER = "teacher_2s.tflite"
"""What `teach` leaves in its folder: marks of the cries, the judge, the teacher for two seconds."""

_SECOND = SAMPLE_RATE_HZ
_HOP = SAMPLE_RATE_HZ // 10
"""The teacher hears a second of a cry clip every tenth of a second."""


@dataclass(frozen=True, slots=True)
class TeachSettings:
    """How the teacher's opinion is drawn out.

    Attributes:
        ridge: pull of the line towards zero, per window.
        believed: probability from which a second is a cry.
        below_loudest_db: a step of a clip that is quieter than this is a pause.
        judged_windows: mixed windows that the judge learns from.
        judge_hidden: values of its hidden layer.
        judge_epochs: passes over them.
    """

    ridge: float = 1e-3
    believed: float = 0.5
    below_loudest_db: float = 25.0
    judged_windows: int = 12_000
    judge_hidden: int = 96
    judge_epochs: int = 12


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A logistic regression: probability = sigmoid(weights . (x - mean) / scale + bias)."""

    mean: Float32
    scale: Float32
    weights: Float32
    bias: float

    def __call__(self, descriptions: Float32) -> Float32:
        """(n, size) -> (n,)."""
        standardized: Float32 = (descriptions - self.mean) / self.scale
        return sigmoid(standardized @ self.weights + np.float32(self.bias))


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """Two dense layers over standardized descriptions of mixed windows.

    Attributes:
        mean: of the descriptions (EMBEDDING_SIZE,).
        scale: their spread (EMBEDDING_SIZE,).
        hidden: weights (EMBEDDING_SIZE, hidden) of a ReLU layer.
        hidden_bias: (hidden,).
        output: weights (hidden, 1) of the logit.
        output_bias: (1,).
    """

    mean: Float32
    scale: Float32
    hidden: Float32
    hidden_bias: Float32
    output: Float32
    output_bias: Float32

    def standardized(self, descriptions: Float32) -> Float32:
        """(n, EMBEDDING_SIZE) -> the same shape, what the student learns to give."""
        values: Float32 = (descriptions - self.mean) / self.scale
        return values

    def __call__(self, descriptions: Float32) -> Float32:
        """Probability of a cry: (n, EMBEDDING_SIZE) -> (n,)."""
        hidden = np.maximum(self.standardized(descriptions) @ self.hidden + self.hidden_bias, 0)
        return sigmoid((hidden @ self.output + self.output_bias)[:, 0])

    def save(self, path: Path) -> None:
        """Write as an npz archive."""
        np.savez(path, **{name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def load(cls, path: Path) -> Judge:
        """Read what `save` wrote."""
        with np.load(path) as archive:
            return cls(**{name: archive[name] for name in cls.__slots__})


def fit_line(descriptions: Float32, targets: Float32, ridge: float) -> Line:
    """Regularized logistic regression by Newton's method, both classes weighing alike.

    Args:
        descriptions: (n, size).
        targets: 0 or 1, (n,).
        ridge: penalty on the squared weights.
    """
    mean, scale = descriptions.mean(axis=0), descriptions.std(axis=0) + np.float32(1e-6)
    inputs = np.c_[(descriptions - mean) / scale, np.ones(len(targets))].astype(np.float64)
    importance = np.where(targets > 0, 0.5 / max(targets.sum(), 1), 0.5 / max((1 - targets).sum(), 1))
    penalty = np.full(inputs.shape[1], ridge)
    penalty[-1] = 0.0
    weights = np.zeros(inputs.shape[1])
    for _ in range(12):
        probability = 0.5 * (1 + np.tanh(0.5 * (inputs @ weights)))
        gradient = inputs.T @ (importance * (probability - targets)) + penalty * weights
        curvature = importance * np.maximum(probability * (1 - probability), 1e-6)
        hessian = (inputs * curvature[:, None]).T @ inputs + np.diag(penalty + 1e-9)
        weights -= np.linalg.solve(hessian, gradient)
    return Line(mean, scale, weights[:-1].astype(np.float32), float(weights[-1]))


def describe_seconds(teacher: LiteTeacher, samples: Float32) -> Float32:
    """Descriptions of the seconds around every tenth of a second: (n,) -> (1 + n // _HOP, EMBEDDING_SIZE)."""
    padded = np.pad(samples, _SECOND // 2)
    starts = range(0, len(samples) + 1, _HOP)
    windows = np.stack([_filled(padded[start : start + _SECOND]) for start in starts])
    return teacher.describe(windows)[0]


def _filled(window: Float32) -> Float32:
    return np.pad(window, (0, _SECOND - len(window)))


def loudest_second(samples: Float32) -> Float32:
    """The second with the most power; a shorter sound is repeated: (n,) -> (_SECOND,)."""
    if len(samples) <= _SECOND:
        return np.resize(samples, _SECOND)
    energy = np.cumsum(np.r_[0.0, samples.astype(np.float64) ** 2])
    start = int(np.argmax(energy[_SECOND::_HOP] - energy[: len(energy) - _SECOND : _HOP])) * _HOP
    return samples[start : start + _SECOND]


def draw_line(cries: Sequence[Float32], loud: Sequence[Mask], others: Float32, settings: TeachSettings) -> Line:
    """A line between loud seconds of cry clips and other clips, drawn twice.

    Args:
        cries: descriptions of each cry clip, every tenth of a second.
        loud: which of those are loud.
        others: descriptions of other sounds (n, EMBEDDING_SIZE).
        settings: the ridge, and what is believed.
    """
    positives = np.concatenate([clip[mask] for clip, mask in zip(cries, loud, strict=True)])
    line = fit_line(*_stacked(positives, others), settings.ridge)
    return fit_line(*_stacked(positives[line(positives) >= settings.believed], others), settings.ridge)


def _stacked(positives: Float32, negatives: Float32) -> tuple[Float32, Float32]:
    targets = np.r_[np.ones(len(positives)), np.zeros(len(negatives))].astype(np.float32)
    return np.concatenate([positives, negatives]), targets


def loud_tenths(samples: Float32, below_loudest_db: float) -> Mask:
    """Whether a loud step lies within a quarter second of each tenth: (n,) -> bool (1 + n // _HOP,)."""
    loud = loud_steps(samples, below_loudest_db)
    centres = np.arange(0, len(samples) + 1, _HOP) // STEP_SAMPLES
    return np.array([bool(loud[max(0, centre - 25) : centre + 25].any()) for centre in centres])


def activity(samples: Float32, probabilities: Float32, settings: TeachSettings) -> Mask:
    """Where an infant cries: loud steps at a time the line believes: -> bool (n // STEP_SAMPLES,)."""
    loud = loud_steps(samples, settings.below_loudest_db)
    at = np.arange(len(loud)) * STEP_SAMPLES / _HOP
    believed = np.interp(at, np.arange(len(probabilities)), probabilities) >= settings.believed
    # Syllables are joined: a pause of under 150 ms within a cry is part of it.
    spread = np.convolve(loud, np.ones(15), mode="same") > 0 if len(loud) >= 15 else loud
    mask: Mask = believed & spread
    return mask


def mark_cries(
    teacher: LiteTeacher, train: Sequence[Clip], also: Iterable[Clip], settings: TeachSettings
) -> dict[str, Mask]:
    """Where infants cry in the cries of `train` and `also`, by file; the line is drawn on `train`."""
    cries = [clip for clip in train if clip.is_cry]
    described = {clip.listed.file: describe_seconds(teacher, clip.samples) for clip in cries}
    loud = [loud_tenths(clip.samples, settings.below_loudest_db) for clip in cries]
    others = np.stack([loudest_second(clip.samples) for clip in train if not clip.is_cry])
    line = draw_line(list(described.values()), loud, teacher.describe(others)[0], settings)
    for clip in also:
        if clip.is_cry:
            described[clip.listed.file] = describe_seconds(teacher, clip.samples)
    sounds = {clip.listed.file: clip.samples for clip in (*train, *also)}
    return {file: activity(sounds[file], line(values), settings) for file, values in described.items()}


def train_judge(
    teacher: LiteTeacher, palette: Palette, *, augment: AugmentSettings, settings: TeachSettings, seed: int
) -> Judge:
    """Let a judge learn from descriptions of mixed windows."""
    import keras

    keras.utils.set_random_seed(seed)
    descriptions, targets = described_windows(
        teacher, palette, augment=augment, count=settings.judged_windows, seed=seed
    )
    mean, scale = descriptions.mean(axis=0), descriptions.std(axis=0) + np.float32(1e-3)
    network = _judge_network(settings.judge_hidden)
    network.fit((descriptions - mean) / scale, targets, batch_size=128, epochs=settings.judge_epochs, verbose=0)
    return Judge(mean, scale, *network.get_weights())


def _judge_network(hidden: int) -> Any:
    import keras

    network = keras.Sequential(
        [
            keras.Input((EMBEDDING_SIZE,)),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(hidden, activation="relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1),
        ]
    )
    network.compile(keras.optimizers.AdamW(1e-3, weight_decay=1e-2), keras.losses.BinaryCrossentropy(from_logits=True))
    return network


def described_windows(
    teacher: LiteTeacher, palette: Palette, *, augment: AugmentSettings, count: int, seed: int
) -> tuple[Float32, Float32]:
    """Descriptions (count, EMBEDDING_SIZE) and targets (count,) of freshly mixed windows."""
    rng = np.random.default_rng([seed, 0x7EAC])
    drawn = [example(rng, palette, augment) for _ in range(count)]
    descriptions = np.concatenate([teacher.describe(one.samples[None])[0] for one in drawn])
    return descriptions, np.array([one.target for one in drawn], np.float32)


def save_activity(path: Path, active: Mapping[str, Mask]) -> None:
    """Write the marks of all cries, by file."""
    np.savez_compressed(path, **active)  # type: ignore[arg-type]  # keys are files, values arrays


def load_activity(path: Path) -> dict[str, Mask]:
    """Read what `save_activity` wrote."""
    with np.load(path) as archive:
        return {file: archive[file] for file in archive.files}


def teach(weights: Path, data: Path, work: Path, *, seed: int) -> None:
    """Mark the cries and train the judge; everything lands in `work`.

    Args:
        weights: the teacher's published weights.
        data: folder of the collections.
        work: folder for `active.npz`, `judge.npz` and the teacher's LiteRT form.
        seed: of the mixed windows and of the judge.
    """
    settings = TeachSettings()
    seconds, windows = work / "teacher_1s.tflite", work / TEACHER
    seconds.write_bytes(convert(weights, frames=100))
    windows.write_bytes(convert(weights, frames=200))
    clips = load_clips(data, "train")
    active = mark_cries(LiteTeacher(seconds), clips, load_clips(data, "val"), settings)
    save_activity(work / ACTIVITY, active)
    palette = build_palette(clips, active, load_rooms(data, "train"), {})
    judge = train_judge(LiteTeacher(windows), palette, augment=AugmentSettings(), settings=settings, seed=seed)
    judge.save(work / JUDGE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--weights", type=Path, required=True, metavar="NPZ", help="the teacher's audioset_mn04.npz")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder for what the teacher says")
    parser.add_argument("--seed", type=int, default=1, help="of the mixed windows and of the judge (default 1)")


def run(args: argparse.Namespace) -> int:
    """Teach, and say how much of the cry clips is a cry."""
    args.work.mkdir(parents=True, exist_ok=True)
    teach(args.weights, args.data, args.work, seed=args.seed)
    marks = load_activity(args.work / ACTIVITY).values()
    seconds = sum(float(mask.sum()) for mask in marks) * STEP_SAMPLES / _SECOND
    print(f"{len(marks)} cry clips hold {seconds / 60:.1f} minutes of crying")
    return 0
