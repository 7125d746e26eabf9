"""The teacher: EfficientAT's mn04_as, rebuilt in Keras from its published weights.

F. Schmid et al., "Efficient Large-scale Audio Tagging via Transformer-to-CNN Knowledge
Distillation", ICASSP 2023; MIT License, Copyright (c) 2022 Florian Schmid. A MobileNetV3-Large of
width 0.4 that knows the 527 classes of AudioSet. It maps windows of any length at 16 kHz to
an embedding (384 values) and a logit for each class. It labels training sound; it is never shipped.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft

from training.data.clips import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

EMBEDDING_SIZE = 384
CLASS_COUNT = 527
CRYING_SOBBING = 22
BABY_CRY = 23

LICENCE = """MIT License

Copyright (c) 2022 Florian Schmid

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE."""

_MELS = 128
_FFT = 512
_FRAME = 400
_HOP = 160
_PUBLISHED_RATE_HZ = 32_000
_EPSILON = 1e-3


@dataclass(frozen=True, slots=True)
class _Block:
    """One inverted residual block of MobileNetV3."""

    expand: int
    kernel: int
    out: int
    squeeze: int
    activation: str
    stride: int


_BLOCKS = (
    _Block(8, 3, 8, 0, "relu", 1),
    _Block(24, 3, 16, 0, "relu", 2),
    _Block(32, 3, 16, 0, "relu", 1),
    _Block(32, 5, 16, 8, "relu", 2),
    _Block(48, 5, 16, 16, "relu", 1),
    _Block(48, 5, 16, 16, "relu", 1),
    _Block(96, 3, 32, 0, "hard_swish", 2),
    _Block(80, 3, 32, 0, "hard_swish", 1),
    _Block(72, 3, 32, 0, "hard_swish", 1),
    _Block(72, 3, 32, 0, "hard_swish", 1),
    _Block(192, 3, 48, 48, "hard_swish", 1),
    _Block(272, 3, 48, 72, "hard_swish", 1),
    _Block(272, 5, 64, 72, "hard_swish", 2),
    _Block(384, 5, 64, 96, "hard_swish", 1),
    _Block(384, 5, 64, 96, "hard_swish", 1),
)


def log_mel(samples: Float32) -> Float32:
    """The teacher's input: (windows, n) at 16 kHz in [-1, 1] -> (windows, n // 160, 128).

    The published front end works at 32 kHz; at half the rate the same numbers come from half the
    FFT, four times the power, and the pre-emphasis y[n] = x[n] - 0.97 x[n-1] of 32 kHz as its
    squared gain in the mel product. It is not a `FeatureSpec`, whose pre-emphasis is that of its own rate.
    """
    padded = np.pad(samples, ((0, 0), (_FFT // 2, _FFT // 2)), mode="reflect")
    views = np.lib.stride_tricks.sliding_window_view(padded, _FFT, axis=1)[:, ::_HOP]
    views = views[:, : samples.shape[1] // _HOP]  # (windows, frames, _FFT)
    spectrum = scipy.fft.rfft(views * _window())
    power = spectrum.real**2 + spectrum.imag**2
    logarithm: Float32 = np.log(power @ _mel_matrix() + np.float32(1e-5))
    logarithm += np.float32(4.5)
    logarithm /= np.float32(5.0)
    return logarithm


@functools.cache
def _window() -> Float32:
    """Symmetric Hann of 400 samples in the middle of 512."""
    table = np.zeros(_FFT, np.float32)
    start = (_FFT - _FRAME) // 2
    table[start : start + _FRAME] = np.hanning(_FRAME)
    return table


@functools.cache
def _mel_matrix() -> Float32:
    """Triangles linear on Kaldi's mel scale up to 15 kHz, gains folded in: (_FFT / 2 + 1, 128)."""
    bin_hz = np.arange(_FFT // 2 + 1) * SAMPLE_RATE_HZ / _FFT
    mel = 1127.0 * np.log(1.0 + bin_hz / 700.0)
    edges = np.linspace(0.0, 1127.0 * np.log(1.0 + 15_000.0 / 700.0), _MELS + 2)
    rising = (mel[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - mel[:, None]) / np.diff(edges)[1:]
    gain = np.abs(1.0 - 0.97 * np.exp(-2j * np.pi * bin_hz / _PUBLISHED_RATE_HZ)) ** 2
    gain *= (_PUBLISHED_RATE_HZ / SAMPLE_RATE_HZ) ** 2
    matrix: Float32 = (np.maximum(0.0, np.minimum(rising, falling)) * gain[:, None]).astype(np.float32)
    return matrix


def build(weights_path: Path) -> Any:
    """The network with its published weights: (frames, 128, 1) -> [embedding (384,), logits (527,)]."""
    import keras

    with np.load(weights_path) as archive:
        weights = {name: archive[name] for name in archive.files}
    inputs = keras.Input((None, _MELS, 1), name="log_mel")
    tensor = _normed(inputs, weights, "features.0", kernel=3, stride=2, activation="hard_swish")
    for index, block in enumerate(_BLOCKS, start=1):
        tensor = _inverted_residual(tensor, weights, f"features.{index}.block", block)
    tensor = _normed(tensor, weights, "features.16", kernel=1, stride=1, activation="hard_swish")
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(tensor)
    hidden = _dense(embedding, weights, "classifier.2", activation="hard_swish")
    return keras.Model(inputs, [embedding, _dense(hidden, weights, "classifier.5", activation=None)], name="mn04_as")


def _inverted_residual(tensor: Any, weights: dict[str, Float32], name: str, block: _Block) -> Any:
    import keras

    entry, part = tensor, 0
    if block.expand != tensor.shape[-1]:
        tensor = _normed(tensor, weights, f"{name}.{part}", kernel=1, stride=1, activation=block.activation)
        part += 1
    tensor = _normed(
        tensor, weights, f"{name}.{part}", kernel=block.kernel, stride=block.stride, activation=block.activation
    )
    part += 1
    if block.squeeze:
        tensor = _squeezed(tensor, weights, f"{name}.{part}")
        part += 1
    tensor = _normed(tensor, weights, f"{name}.{part}", kernel=1, stride=1, activation=None)
    if block.stride == 1 and block.out == entry.shape[-1]:
        tensor = keras.layers.Add()([entry, tensor])
    return tensor


def _normed(
    tensor: Any, weights: dict[str, Float32], name: str, *, kernel: int, stride: int, activation: str | None
) -> Any:
    """Convolution (depthwise where the weights say so), BatchNorm, activation, as PyTorch pads."""
    import keras

    matrix = weights[f"{name}.0.weight"].transpose(3, 2, 1, 0)  # (time, frequency, in, out)
    depthwise = matrix.shape[2] == 1 and tensor.shape[-1] > 1
    tensor = keras.layers.ZeroPadding2D((kernel - 1) // 2)(tensor) if kernel > 1 else tensor
    if depthwise:
        layer = keras.layers.DepthwiseConv2D(kernel, strides=stride, use_bias=False)
        matrix = matrix.transpose(0, 1, 3, 2)
    else:
        layer = keras.layers.Conv2D(matrix.shape[-1], kernel, strides=stride, use_bias=False)
    tensor = layer(tensor)
    layer.set_weights([matrix])
    norm = keras.layers.BatchNormalization(epsilon=_EPSILON)
    tensor = norm(tensor)
    norm.set_weights([weights[f"{name}.1.{part}"] for part in ("weight", "bias", "running_mean", "running_var")])
    return keras.layers.Activation(activation)(tensor) if activation else tensor


def _squeezed(tensor: Any, weights: dict[str, Float32], name: str) -> Any:
    """Squeeze and excitation: mean, ReLU layer, sigmoid layer, multiply."""
    import keras

    prefix = next(key for key in weights if key.startswith(f"{name}.") and key.endswith("fc1.weight"))[
        : -len("1.weight")
    ]
    mean = keras.layers.GlobalAveragePooling2D()(tensor)
    gain = _dense(_dense(mean, weights, f"{prefix}1", activation="relu"), weights, f"{prefix}2", activation="sigmoid")
    return keras.layers.Multiply()([tensor, keras.layers.Reshape((1, 1, tensor.shape[-1]))(gain)])


def _dense(tensor: Any, weights: dict[str, Float32], name: str, *, activation: str | None) -> Any:
    import keras

    matrix, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    layer = keras.layers.Dense(len(bias), activation=activation)
    tensor = layer(tensor)
    layer.set_weights([matrix.reshape(len(bias), -1).T, bias])
    return tensor


def convert(weights_path: Path, *, frames: int) -> bytes:
    """The network as LiteRT runs it, for windows of `frames` frames: float, twice as fast as TensorFlow."""
    import keras
    import tensorflow as tf

    inputs = keras.Input(batch_shape=(1, frames, _MELS, 1))
    fixed = keras.Model(inputs, build(weights_path)(inputs))
    content: bytes = tf.lite.TFLiteConverter.from_keras_model(fixed).convert()
    return content


def _at_full_level(window: Float32) -> Float32:
    """Scaled to a peak of half full scale; digital silence is unchanged."""
    peak = float(np.abs(window).max())
    return window * np.float32(0.5 / peak) if peak > 0 else window


class LiteTeacher:
    """The converted network on the LiteRT interpreter."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = {int(one["shape"][-1]): one["index"] for one in self._interpreter.get_output_details()}

    def embed(self, samples: Float32) -> Float32:
        """(windows, n) at 16 kHz -> embeddings (windows, EMBEDDING_SIZE)."""
        return self.infer(samples)[0]

    def infer(self, samples: Float32) -> tuple[Float32, Float32]:
        """(windows, n) at 16 kHz -> embeddings (windows, 384) and logits (windows, 527).

        Each window is brought to the level of AudioSet's recordings first: the floor of
        the published front end hides a window of -60 dBFS.
        """
        outputs = [self._run(log_mel(_at_full_level(window)[None])[..., None]) for window in samples]
        return np.concatenate([one[0] for one in outputs]), np.concatenate([one[1] for one in outputs])

    def _run(self, mel: Float32) -> tuple[Float32, Float32]:
        self._interpreter.set_tensor(self._input, mel)
        self._interpreter.invoke()
        return tuple(self._interpreter.get_tensor(self._outputs[size]) for size in (EMBEDDING_SIZE, CLASS_COUNT))
