"""EfficientAT's mn04_as in builtin Keras layers: a MobileNetV3-Large of width 0.4, and how its published weights enter.

F. Schmid et al., "Efficient Large-scale Audio Tagging via Transformer-to-CNN Knowledge Distillation", ICASSP 2023;
MIT License, Copyright (c) 2022 Florian Schmid. Layers bear the published names, dots written as underscores;
those without weights a word before it, so that two networks built from the same weights are equal to the letter.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

BANDS = 128
EMBEDDING_SIZE = 384
CLASS_COUNT = 527

_EPSILON = 1e-3
_LAST = 16
_FIRST_HARD_SWISH = 7


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


def embedding_of(inputs: Any, *, late_activation: str = "hard_swish") -> Any:
    """The backbone: (frames, BANDS, 1) -> (EMBEDDING_SIZE,), for any number of frames.

    Args:
        inputs: a Keras tensor.
        late_activation: of blocks 7 to 16, published with "hard_swish", whose wide ranges int8 resolves badly.
    """
    import keras

    tensor = _convolved(inputs, "features.0", 8, kernel=3, stride=2, activation="hard_swish")
    for index, block in enumerate(_BLOCKS, start=1):
        activation = late_activation if index >= _FIRST_HARD_SWISH else block.activation
        tensor = _inverted_residual(tensor, f"features.{index}.block", replace(block, activation=activation))
    tensor = _convolved(tensor, f"features.{_LAST}", EMBEDDING_SIZE, kernel=1, stride=1, activation=late_activation)
    return keras.layers.GlobalAveragePooling2D(name="embedding")(tensor)


def class_logits_of(embedding: Any) -> Any:
    """The published head: (EMBEDDING_SIZE,) -> (CLASS_COUNT,), independent logits."""
    import keras

    hidden = keras.layers.Dense(512, activation="hard_swish", name="classifier_2")(embedding)
    return keras.layers.Dense(CLASS_COUNT, name="classifier_5")(hidden)


def block_of(layer_name: str) -> int | None:
    """Which of the published `features` a layer belongs to, 0 to 16; None for the heads and what has no weights."""
    words = layer_name.split("_")
    return int(words[1]) if words[0] == "features" else None


def load_published(network: Any, weights_path: Path) -> None:
    """Put the published weights into all layers of a network that bear a published name.

    Args:
        network: holds the backbone, and the published head or another one.
        weights_path: an .npz of the published arrays by their original names, shaped as PyTorch lays them out.

    Raises:
        ConfigError: the file is missing, is no such archive, or lacks weights of the backbone.
    """
    published = _published_arrays(weights_path)
    for layer in network.layers:
        if block_of(layer.name) is None and not layer.name.startswith("classifier_"):
            continue
        arrays = published.get(layer.name)
        if arrays is None:
            raise ConfigError(f"{weights_path} has no weights of {layer.name}: give those of mn04_as")
        try:
            layer.set_weights(_as_keras(layer, arrays))
        except (KeyError, ValueError) as error:
            raise ConfigError(f"{weights_path} is not of mn04_as: {layer.name} has other shapes") from error


def _published_arrays(weights_path: Path) -> dict[str, dict[str, Float32]]:
    """Layer name -> its arrays by the last part of their published names."""
    try:
        with np.load(weights_path) as archive:
            published: dict[str, dict[str, Float32]] = {}
            for name in archive.files:
                layer, _, part = name.rpartition(".")
                published.setdefault(layer.replace(".", "_"), {})[part] = archive[name]
            return published
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{weights_path} cannot be read as an archive of weights ({error})") from error


def _as_keras(layer: Any, arrays: dict[str, Float32]) -> list[Float32]:
    """A layer's weights in Keras's order and shapes."""
    import keras

    if isinstance(layer, keras.layers.BatchNormalization):
        return [arrays[part] for part in ("weight", "bias", "running_mean", "running_var")]
    if isinstance(layer, keras.layers.Dense):
        return [arrays["weight"].reshape(len(arrays["bias"]), -1).T, arrays["bias"]]
    matrix = arrays["weight"].transpose(3, 2, 1, 0)  # (time, frequency, in, out)
    return [matrix.transpose(0, 1, 3, 2) if isinstance(layer, keras.layers.DepthwiseConv2D) else matrix]


def _inverted_residual(tensor: Any, name: str, block: _Block) -> Any:
    import keras

    entry, part = tensor, 0
    if block.expand != tensor.shape[-1]:
        tensor = _convolved(tensor, f"{name}.0", block.expand, kernel=1, stride=1, activation=block.activation)
        part = 1
    tensor = _convolved(
        tensor, f"{name}.{part}", None, kernel=block.kernel, stride=block.stride, activation=block.activation
    )
    if block.squeeze:
        part += 1
        tensor = _squeezed(tensor, f"{name}.{part}.conc_se_layers.0", block.squeeze)
    tensor = _convolved(tensor, f"{name}.{part + 1}", block.out, kernel=1, stride=1, activation=None)
    if block.stride == 1 and block.out == entry.shape[-1]:
        tensor = keras.layers.Add(name=f"sum_{name.replace('.', '_')}")([entry, tensor])
    return tensor


def _convolved(tensor: Any, name: str, out: int | None, *, kernel: int, stride: int, activation: str | None) -> Any:
    """Convolution (depthwise where `out` is None), BatchNorm, activation, padded as PyTorch pads."""
    import keras

    name = name.replace(".", "_")
    tensor = keras.layers.ZeroPadding2D((kernel - 1) // 2, name=f"pad_{name}")(tensor) if kernel > 1 else tensor
    if out is None:
        layer = keras.layers.DepthwiseConv2D(kernel, strides=stride, use_bias=False, name=f"{name}_0")
    else:
        layer = keras.layers.Conv2D(out, kernel, strides=stride, use_bias=False, name=f"{name}_0")
    tensor = keras.layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_1")(layer(tensor))
    return keras.layers.Activation(activation, name=f"active_{name}")(tensor) if activation else tensor


def _squeezed(tensor: Any, name: str, units: int) -> Any:
    """Squeeze and excitation: mean, ReLU layer, sigmoid layer, multiply."""
    import keras

    name, channels = name.replace(".", "_"), tensor.shape[-1]
    mean = keras.layers.GlobalAveragePooling2D(name=f"mean_{name}")(tensor)
    hidden = keras.layers.Dense(units, activation="relu", name=f"{name}_fc1")(mean)
    gain = keras.layers.Dense(channels, activation="sigmoid", name=f"{name}_fc2")(hidden)
    shaped = keras.layers.Reshape((1, 1, channels), name=f"gain_{name}")(gain)
    return keras.layers.Multiply(name=f"scaled_{name}")([tensor, shaped])
