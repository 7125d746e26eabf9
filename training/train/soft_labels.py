"""Soft labels: how probably a mixed window holds a cry, by a small network over the teacher's embeddings.

It is trained on windows mixed as for training, whose true share of a cry is known. Its probability is a part
of the student's targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.network.probabilities import sigmoid
from training.mixing.augment import example
from training.networks.audioset.mn04 import EMBEDDING_SIZE

if TYPE_CHECKING:
    from pathlib import Path

    from training.mixing.augment import AugmentSettings, Palette
    from training.mixing.signal import Float32
    from training.networks.audioset_teacher import LiteTeacher


@dataclass(frozen=True, slots=True)
class SoftLabelSettings:
    """How the soft labeller is trained.

    Attributes:
        windows: number of mixed windows that it is trained on.
        hidden: units of its hidden layer.
        epochs: passes over the windows.
    """

    windows: int = 12_000
    hidden: int = 96
    epochs: int = 12


@dataclass(frozen=True, slots=True, eq=False)
class SoftLabeller:
    """Two dense layers over the teacher's standardized embeddings of mixed windows.

    Attributes:
        mean: of the embeddings (EMBEDDING_SIZE,).
        scale: their standard deviation (EMBEDDING_SIZE,).
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

    def standardized(self, embeddings: Float32) -> Float32:
        """The student's second target: (n, EMBEDDING_SIZE) -> the same shape."""
        values: Float32 = (embeddings - self.mean) / self.scale
        return values

    def __call__(self, embeddings: Float32) -> Float32:
        """Probability of a cry: (n, EMBEDDING_SIZE) -> (n,)."""
        hidden = np.maximum(self.standardized(embeddings) @ self.hidden + self.hidden_bias, 0)
        return sigmoid((hidden @ self.output + self.output_bias)[:, 0])

    def save(self, path: Path) -> None:
        """Write as an npz archive."""
        np.savez(path, **{name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def load(cls, path: Path) -> SoftLabeller:
        """Read what `save` wrote."""
        with np.load(path) as archive:
            return cls(**{name: archive[name] for name in cls.__slots__})


def train_soft_labeller(
    teacher: LiteTeacher, palette: Palette, *, augment: AugmentSettings, settings: SoftLabelSettings, seed: int
) -> SoftLabeller:
    """Train a soft labeller on the embeddings of freshly mixed windows."""
    import keras

    keras.utils.set_random_seed(seed)
    embeddings, targets = embedded_windows(teacher, palette, augment=augment, count=settings.windows, seed=seed)
    mean, scale = embeddings.mean(axis=0), embeddings.std(axis=0) + np.float32(1e-3)
    network = _network(settings.hidden)
    network.fit((embeddings - mean) / scale, targets, batch_size=128, epochs=settings.epochs, verbose=0)
    return SoftLabeller(mean, scale, *network.get_weights())


def _network(hidden: int) -> Any:
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


def embedded_windows(
    teacher: LiteTeacher, palette: Palette, *, augment: AugmentSettings, count: int, seed: int
) -> tuple[Float32, Float32]:
    """Embeddings (count, EMBEDDING_SIZE) and targets (count,) of freshly mixed windows."""
    rng = np.random.default_rng([seed, 0x7EAC])
    examples = [example(rng, palette, augment) for _ in range(count)]
    embeddings = np.concatenate([teacher.embed(one.samples[None]) for one in examples])
    return embeddings, np.array([one.target for one in examples], np.float32)
