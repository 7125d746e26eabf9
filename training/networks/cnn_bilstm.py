"""CNN and bidirectional LSTM over cepstra: wheezes and crackles in breath sounds, each label by itself.

The published form: 13 cepstral coefficients x 100 frames of a breath cycle, standardized; convolution, ReLU and max
pooling twice; the pooled map read as a sequence by a bidirectional LSTM of 64 units; one logit for each label,
trained by binary cross entropy with a weight for positives. Its ablations are here too: a plain multilayer
perceptron, the CNN without the LSTM, and both with dropout.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from device.hearing.spec import FeatureSpec
from training.networks.network_form import NetworkForm, feature_inputs

LABELS = ("wheeze", "crackle")
FILTERS = (16, 32)
LSTM_UNITS = 64
DENSE_UNITS = 128
DROPOUT = 0.3

STREAMING_MFCC = FeatureSpec(
    sample_rate_hz=4_000,
    window_samples=8_000,
    frame_length=256,
    n_fft=256,
    hop=80,
    n_mels=40,
    f_min_hz=50.0,
    f_max_hz=2_000.0,
    floor=1e-8,
    floor_at="add",
    n_mfcc=13,
    normalization="standardize_bins",
)
"""Cepstra of 2 s on the streaming grid: 97 frames x 13, zero mean and unit spread in each coefficient."""

PUBLISHED_MFCC = replace(STREAMING_MFCC, window_samples=7_920, centre=True)
"""100 frames x 13 of a breath cycle that is cut or padded to 1.98 s; centred, so it cannot be streamed."""

RAW_MFCC = replace(PUBLISHED_MFCC, normalization="none")
"""The same cepstra as they are: a hundred times larger, on which the published perceptron diverged."""


def forms() -> tuple[NetworkForm, ...]:
    """The published form, the streaming one, and the published ablations."""
    return (
        _form("published", PUBLISHED_MFCC, cnn_bilstm),
        _form("streaming", STREAMING_MFCC, cnn_bilstm),
        _form("mlp", PUBLISHED_MFCC, mlp),
        _form("mlp-raw", RAW_MFCC, mlp),
        _form("cnn", PUBLISHED_MFCC, cnn),
        _form("cnn-dropout", PUBLISHED_MFCC, lambda spec, seed: cnn(spec, seed, dropout=DROPOUT)),
        _form("dropout", PUBLISHED_MFCC, lambda spec, seed: cnn_bilstm(spec, seed, dropout=DROPOUT)),
    )


def _form(name: str, spec: FeatureSpec, build: Any) -> NetworkForm:
    return NetworkForm("cnn_bilstm", name, LABELS, "sigmoid", (spec,), lambda seed: build(spec, seed))


def cnn_bilstm(spec: FeatureSpec, seed: int, *, dropout: float = 0.0) -> Any:
    """(frames, coefficients, 1) -> logits (2,)."""
    import keras

    keras.utils.set_random_seed(seed)
    (inputs,) = feature_inputs((spec,))
    tensor = _convolutions(inputs)  # (frames / 4, coefficients / 4, FILTERS[-1])
    frames, bins, channels = tensor.shape[1:]
    tensor = keras.layers.Reshape((frames, bins * channels))(tensor)
    tensor = keras.layers.Bidirectional(keras.layers.LSTM(LSTM_UNITS))(tensor)
    return keras.Model(inputs, _logits(tensor, dropout, seed), name="cnn_bilstm")


def cnn(spec: FeatureSpec, seed: int, *, dropout: float = 0.0) -> Any:
    """The same convolutions, flattened, without a recurrent layer: (frames, coefficients, 1) -> logits (2,)."""
    import keras

    keras.utils.set_random_seed(seed)
    (inputs,) = feature_inputs((spec,))
    tensor = keras.layers.Flatten()(_convolutions(inputs))
    tensor = keras.layers.Dense(DENSE_UNITS, activation="relu")(tensor)
    return keras.Model(inputs, _logits(tensor, dropout, seed), name="cnn")


def mlp(spec: FeatureSpec, seed: int) -> Any:
    """Two dense layers on the flattened cepstra: (frames, coefficients, 1) -> logits (2,)."""
    import keras

    keras.utils.set_random_seed(seed)
    (inputs,) = feature_inputs((spec,))
    tensor = keras.layers.Flatten()(inputs)
    for units in (DENSE_UNITS, DENSE_UNITS // 2):
        tensor = keras.layers.Dense(units, activation="relu")(tensor)
    return keras.Model(inputs, _logits(tensor, 0.0, seed), name="mlp")


def _convolutions(tensor: Any) -> Any:
    import keras

    for filters in FILTERS:
        tensor = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(tensor)
        tensor = keras.layers.MaxPooling2D(2)(tensor)
    return tensor


def _logits(tensor: Any, dropout: float, seed: int) -> Any:
    import keras

    tensor = keras.layers.Dropout(dropout, seed=seed)(tensor) if dropout else tensor
    return keras.layers.Dense(len(LABELS), name="logits")(tensor)
