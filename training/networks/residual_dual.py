"""Residual network with two branches, MFCC and log-mel: the reason of an infant's cry, hungry against other.

The published form hears 6 s at 16 kHz as 13 MFCC x 188 frames and 128 mel bands x 188 frames. In each branch a 4x4
convolution with 32 filters, BatchNorm and LeakyReLU, then two residual blocks of the same convolutions; both maps are
flattened and concatenated before one dense layer. Standardization is learned on the training side only: pass the
specs that `standardized` returns.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from device.hearing.spec import FeatureSpec
from training.networks.network_form import NetworkForm, feature_inputs

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LABELS = ("hungry", "other")
FILTERS = 32
KERNEL = 4
LEAK = 0.1
SMALLEST_SPREAD = 1.0
"""dB: about how far noise alone spreads a mel band of thirty FFT bins from frame to frame (one bin: 5.6 dB)."""

PUBLISHED_LOG_MEL = FeatureSpec(
    sample_rate_hz=16_000,
    window_samples=96_000,
    frame_length=2_048,
    n_fft=2_048,
    hop=512,
    centre=True,
    n_mels=128,
    f_max_hz=8_000.0,
    floor=1e-8,
    floor_at="add",
    normalization="fixed",
)
"""188 frames x 128 of 6 s."""

PUBLISHED_MFCC = replace(PUBLISHED_LOG_MEL, n_mfcc=13)
"""188 frames x 13 of the same bands."""

STREAMING_LOG_MEL = replace(
    PUBLISHED_LOG_MEL, window_samples=32_000, frame_length=1_024, n_fft=1_024, hop=500, centre=False, n_mels=64
)
"""62 frames x 64 of 2 s."""

STREAMING_MFCC = replace(STREAMING_LOG_MEL, n_mfcc=13)
"""62 frames x 13 of 2 s."""


def forms() -> tuple[NetworkForm, ...]:
    """The published 6 s form and the 2 s streaming form."""
    return (
        _form("published", (PUBLISHED_MFCC, PUBLISHED_LOG_MEL)),
        _form("streaming", (STREAMING_MFCC, STREAMING_LOG_MEL)),
    )


def _form(name: str, specs: tuple[FeatureSpec, ...]) -> NetworkForm:
    return NetworkForm("residual_dual", name, LABELS, "softmax", specs, lambda seed: build(specs, seed))


def standardized(spec: FeatureSpec, features: npt.NDArray[np.float32]) -> FeatureSpec:
    """The spec with the mean and spread of each bin, learned from training windows.

    A bin that hardly varies in training (a band above the recordings' bandwidth) keeps `SMALLEST_SPREAD` as its scale,
    so that a recording in which it does vary gives no input thousands of times as large as any in training.

    Args:
        spec: with normalization "fixed", in dB.
        features: dB, of training windows alone, (windows, frames, bins), computed with mean 0 and scale 1.
    """
    mean = features.mean(axis=(0, 1), dtype="float64")
    spread = features.std(axis=(0, 1), dtype="float64")
    return replace(spec, mean=tuple(mean.tolist()), scale=tuple(max(SMALLEST_SPREAD, one) for one in spread.tolist()))


def build(specs: tuple[FeatureSpec, ...], seed: int) -> Any:
    """One (frames, bins, 1) for each spec -> logits (2,)."""
    import keras

    keras.utils.set_random_seed(seed)
    inputs = feature_inputs(specs)
    flat = [keras.layers.Flatten()(_branch(tensor)) for tensor in inputs]
    logits = keras.layers.Dense(len(LABELS), name="logits")(keras.layers.Concatenate()(flat))
    return keras.Model(inputs, logits, name="residual_dual")


def _branch(tensor: Any) -> Any:
    """(frames, bins, 1) -> (frames / 2, bins / 2, FILTERS)."""
    import keras

    tensor = _activated(_convolved(tensor, stride=2))
    for _ in range(2):
        inner = _convolved(_activated(_convolved(tensor)))
        tensor = _activated(keras.layers.Add()([tensor, inner]))
    return tensor


def _convolved(tensor: Any, *, stride: int = 1) -> Any:
    import keras

    convolution = keras.layers.Conv2D(
        FILTERS, KERNEL, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal"
    )
    return keras.layers.BatchNormalization()(convolution(tensor))


def _activated(tensor: Any) -> Any:
    import keras

    return keras.layers.LeakyReLU(LEAK)(tensor)
