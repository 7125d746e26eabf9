"""The residual MFCC + log-mel network, in its global-pooling form for small computers.

Two branches process the same two seconds: log-mel bands, standardized over the whole window (the
level of the microphone drops out), and cepstra, standardized bin by bin (what the microphone, the
room and a telephone codec do to the spectrum drops out too). Each branch is a 4x4 convolution of
stride 2 and two residual blocks of two 4x4 convolutions; each is averaged over time in four bands
of frequency, and one linear layer reads both. 133,633 parameters, 106 million multiplications.

Only layers that Keras brings, BatchNormalization right after its convolution so that it folds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from device.hearing.spec import FeatureSpec
from training.data.clips import SAMPLE_RATE_HZ

CHANNELS = 32
KERNEL = 4
POOLED_BANDS = 4
LEAK = 0.1

LOG_MEL = FeatureSpec(
    sample_rate_hz=SAMPLE_RATE_HZ,
    window_samples=32_000,
    frame_length=1024,
    n_fft=1024,
    hop=500,
    n_mels=64,
    f_min_hz=125.0,
    f_max_hz=7500.0,
    # The noise of 16 bits lies near 2e-9 of band power: digital silence looks like a quiet room.
    floor=1e-8,
    floor_at="add",
    normalization="standardize",
)
"""Log-mel bands, 62 frames x 64, zero mean and unit spread over the window."""

MFCC = replace(LOG_MEL, n_mfcc=40, normalization="standardize_bins")
"""Cepstra of the same bands, 62 frames x 40, zero mean and unit spread in each coefficient."""

SPECS = (LOG_MEL, MFCC)
"""The network's inputs, in order."""


@dataclass(frozen=True, slots=True)
class StudentNetwork:
    """The network with its training head.

    Attributes:
        network: inputs of `SPECS`, shaped (frames, bins, 1) -> logit (1,): the part that is shipped.
        trainable: the same inputs -> [logit, embedding]. The embedding (embedding_size,) is compared with the
            teacher's and dropped after training.
    """

    network: Any
    trainable: Any


def build(*, embedding_size: int, dropout: float, seed: int) -> StudentNetwork:
    """A fresh network and its training head, weights drawn with `seed`.

    Args:
        embedding_size: size of the teacher's embedding of a window.
        dropout: share of the pooled values that is dropped in training, 0 (then there is no such layer) to 1.
        seed: of the weights and of the dropout.
    """
    import keras

    keras.utils.set_random_seed(seed)
    inputs = [keras.Input((*spec.shape, 1), name=name) for spec, name in zip(SPECS, ("log_mel", "mfcc"), strict=True)]
    pooled = keras.layers.Concatenate(name="pooled")([_branch(tensor) for tensor in inputs])
    kept = keras.layers.Dropout(dropout, seed=seed, name="dropout")(pooled) if dropout else pooled
    logit = keras.layers.Dense(1, name="cry")(kept)
    embedding = keras.layers.Dense(embedding_size, name="embedding")(pooled)
    return StudentNetwork(keras.Model(inputs, logit, name="residual"), keras.Model(inputs, [logit, embedding]))


def _branch(tensor: Any) -> Any:
    """(frames, bins, 1) -> (POOLED_BANDS * CHANNELS,)."""
    import keras

    name = tensor.name
    tensor = _activated(_convolved(tensor, f"{name}_stem", stride=2))  # (frames / 2, bins / 2, CHANNELS)
    for block in range(2):
        inner = _activated(_convolved(tensor, f"{name}_{block}a"))
        inner = _convolved(inner, f"{name}_{block}b")
        tensor = _activated(keras.layers.Add(name=f"{name}_{block}_sum")([tensor, inner]))
    frames, bins = tensor.shape[1:3]
    pooled = keras.layers.AveragePooling2D((frames, bins // POOLED_BANDS), name=f"{name}_mean")(tensor)
    return keras.layers.Flatten(name=f"{name}_flat")(pooled)


def _convolved(tensor: Any, name: str, *, stride: int = 1) -> Any:
    import keras

    convolution = keras.layers.Conv2D(
        CHANNELS, KERNEL, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )
    return keras.layers.BatchNormalization(momentum=0.95, name=f"{name}_norm")(convolution(tensor))


def _activated(tensor: Any) -> Any:
    import keras

    return keras.layers.LeakyReLU(LEAK)(tensor)
