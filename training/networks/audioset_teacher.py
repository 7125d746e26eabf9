"""The teacher: EfficientAT's mn04_as, rebuilt in Keras from its published weights.

F. Schmid et al., "Efficient Large-scale Audio Tagging via Transformer-to-CNN Knowledge
Distillation", ICASSP 2023; MIT License, Copyright (c) 2022 Florian Schmid. A MobileNetV3-Large of
width 0.4 that knows the 527 classes of AudioSet. It maps windows of any length at 16 kHz to
an embedding (384 values) and a logit for each class. It labels training sound; it is never shipped.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft

from training.data.clips import SAMPLE_RATE_HZ
from training.networks.audioset.mn04 import (
    BANDS,
    CLASS_COUNT,
    EMBEDDING_SIZE,
    class_logits_of,
    embedding_of,
    load_published,
)

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

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

_FFT = 512
_FRAME = 400
_HOP = 160
_PUBLISHED_RATE_HZ = 32_000


def log_mel(samples: Float32) -> Float32:
    """The teacher's input: (windows, n) at 16 kHz in [-1, 1] -> (windows, n // 160, 128).

    The published front end works at 32 kHz; at half the rate the same numbers come from half the
    FFT, four times the power, and the pre-emphasis y[n] = x[n] - 0.97 x[n-1] of 32 kHz as its
    squared gain in the mel product. `audioset.reference_forms.published_spec` says the same as a `FeatureSpec`.
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
    edges = np.linspace(0.0, 1127.0 * np.log(1.0 + 15_000.0 / 700.0), BANDS + 2)
    rising = (mel[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - mel[:, None]) / np.diff(edges)[1:]
    gain = np.abs(1.0 - 0.97 * np.exp(-2j * np.pi * bin_hz / _PUBLISHED_RATE_HZ)) ** 2
    gain *= (_PUBLISHED_RATE_HZ / SAMPLE_RATE_HZ) ** 2
    matrix: Float32 = (np.maximum(0.0, np.minimum(rising, falling)) * gain[:, None]).astype(np.float32)
    return matrix


def build(weights_path: Path) -> Any:
    """The network with its published weights: (frames, 128, 1) -> [embedding (384,), logits (527,)].

    Raises:
        ConfigError: the file does not hold them.
    """
    import keras

    inputs = keras.Input((None, BANDS, 1), name="log_mel")
    embedding = embedding_of(inputs)
    network = keras.Model(inputs, [embedding, class_logits_of(embedding)], name="mn04_as")
    load_published(network, weights_path)
    return network


def convert(weights_path: Path, *, frames: int) -> bytes:
    """The network as LiteRT runs it, for windows of `frames` frames: float, twice as fast as TensorFlow."""
    import keras
    import tensorflow as tf

    inputs = keras.Input(batch_shape=(1, frames, BANDS, 1))
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
