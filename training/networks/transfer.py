"""Image networks on mel spectrograms: VGG16, VGG19, MobileNetV3-Large, InceptionV3, ResNet152V2, and a dual network.

The published designs saw pictures of 128 x 128; here the features become three equal channels of that size, scaled
as each architecture expects. They start from ImageNet weights that the user names or that Keras downloads. If neither
can be had, `starting_weights` says so and they are trained from scratch.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from device.errors import ConfigError
from device.hearing.spec import FeatureSpec
from training.networks.network_form import NetworkForm, feature_inputs
from training.networks.resnet34 import STREAMING_LOG_MEL as MIN_MAX_LOG_MEL

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("normal", "wheeze", "crackle", "both")
PICTURE = 128
DUAL_FILTERS = (32, 64, 128)

LUNG_LOG_MEL = FeatureSpec(
    sample_rate_hz=4_000,
    window_samples=8_000,
    frame_length=512,
    n_fft=512,
    hop=80,
    n_mels=PICTURE,
    f_min_hz=0.0,
    f_max_hz=2_000.0,
    floor=1e-8,
    floor_at="add",
    normalization="min_max",
)
"""94 frames x 128 of 2 s at 4 kHz, 0..1; resized to 128 x 128 in the network."""

SCREAM_LOG_MEL = replace(MIN_MAX_LOG_MEL, n_mels=PICTURE, hop=250, n_fft=1_024, frame_length=1_024)
"""124 frames x 128 of 2 s at 16 kHz, 0..1."""


@dataclass(frozen=True, slots=True)
class Backbone:
    """An architecture of `keras.applications`.

    Attributes:
        maker: name of the function that makes it.
        scale: factor on pixels of 0..255 before they enter it.
        offset: added after that.
        options: further arguments of the function.
    """

    maker: str
    scale: float
    offset: float
    options: tuple[tuple[str, Any], ...] = ()


BACKBONES = {
    "vgg16": Backbone("VGG16", 1.0, -117.0),
    "vgg19": Backbone("VGG19", 1.0, -117.0),
    "mobilenetv3-large": Backbone("MobileNetV3Large", 1.0, 0.0, (("include_preprocessing", True),)),
    "inceptionv3": Backbone("InceptionV3", 1 / 127.5, -1.0),
    "resnet152v2": Backbone("ResNet152V2", 1 / 127.5, -1.0),
}
"""The scales are those of Keras's `preprocess_input`; a grey picture has one mean for VGG's three."""


def forms() -> tuple[NetworkForm, ...]:
    """Each backbone from scratch, and the two-branch network, on lung sounds."""
    made = [_form(name, lambda seed, name=name: build(name, LUNG_LOG_MEL, LABELS, seed)) for name in BACKBONES]
    return (*made, _form("dual", lambda seed: build_dual(LUNG_LOG_MEL, LABELS, seed)))


def _form(name: str, build_one: Any) -> NetworkForm:
    return NetworkForm("transfer", name, LABELS, "softmax", (LUNG_LOG_MEL,), build_one)


def starting_weights(name: str, named: Path | None) -> tuple[str | None, str]:
    """The weights that a backbone starts from, and a sentence that says which they are.

    Args:
        name: of the backbone.
        named: a `.weights.h5` file of the backbone without its top; None to let Keras download ImageNet's.
    """
    if named is not None:
        return str(named), f"{name} starts from {named}"
    try:
        _application(name, "imagenet")
    except Exception as error:  # noqa: BLE001 - a download fails in as many ways as there are networks
        return (
            None,
            f"{name} is trained from scratch: no file was named and Keras cannot download ({_first_line(error)})",
        )
    return "imagenet", f"{name} starts from the ImageNet weights that Keras downloads"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def start_from(network: Any, name: str, weights: str) -> None:
    """Replace a built network's backbone weights by those that `starting_weights` found.

    Raises:
        ConfigError: the file does not hold that backbone's weights.
    """
    import keras

    backbone = next(layer for layer in network.layers if isinstance(layer, keras.Model))
    if weights == "imagenet":
        backbone.set_weights(_application(name, weights).get_weights())
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # by which Keras says that it kept random weights
            backbone.load_weights(weights)
    except (KeyError, OSError, UserWarning, ValueError) as error:
        reason = _first_line(error)
        raise ConfigError(f"{weights} does not hold the weights of {name} without its top: {reason}") from error


def build(name: str, spec: FeatureSpec, labels: tuple[str, ...], seed: int, *, weights: str | None = None) -> Any:
    """(frames, bands, 1) in 0..1 -> a logit for each label.

    Args:
        name: of the backbone.
        spec: of the features.
        labels: of the logits.
        seed: of all weights that are not loaded.
        weights: as `starting_weights` returns them; None for random ones.
    """
    import keras

    keras.utils.set_random_seed(seed)
    backbone, (inputs,) = BACKBONES[name], feature_inputs((spec,))
    tensor = keras.layers.Rescaling(255.0 * backbone.scale, offset=backbone.offset)(picture(inputs))
    tensor = _application(name, weights)(tensor)
    tensor = keras.layers.GlobalAveragePooling2D()(tensor)
    return keras.Model(inputs, keras.layers.Dense(len(labels), name="logits")(tensor), name=name.replace("-", "_"))


def build_dual(spec: FeatureSpec, labels: tuple[str, ...], seed: int) -> Any:
    """Two branches with kernels of 3 and 5 on the same picture: (frames, bands, 1) -> a logit for each label."""
    import keras

    keras.utils.set_random_seed(seed)
    (inputs,) = feature_inputs((spec,))
    seen = picture(inputs)
    pooled = [_branch(seen, kernel) for kernel in (3, 5)]
    tensor = keras.layers.Dense(DUAL_FILTERS[-1], activation="relu")(keras.layers.Concatenate()(pooled))
    return keras.Model(inputs, keras.layers.Dense(len(labels), name="logits")(tensor), name="dual")


def picture(tensor: Any) -> Any:
    """(frames, bands, 1) -> (128, 128, 3), three equal channels."""
    import keras

    tensor = keras.layers.Resizing(PICTURE, PICTURE, interpolation="bilinear")(tensor)
    return keras.layers.Concatenate()([tensor, tensor, tensor])


def _branch(tensor: Any, kernel: int) -> Any:
    import keras

    for filters in DUAL_FILTERS:
        tensor = keras.layers.Conv2D(filters, kernel, padding="same", use_bias=False)(tensor)
        tensor = keras.layers.ReLU()(keras.layers.BatchNormalization()(tensor))
        tensor = keras.layers.MaxPooling2D(2)(tensor)
    return keras.layers.GlobalAveragePooling2D()(tensor)


def _application(name: str, weights: str | None) -> Any:
    import keras

    backbone = BACKBONES[name]
    maker = getattr(keras.applications, backbone.maker)
    return maker(include_top=False, weights=weights, input_shape=(PICTURE, PICTURE, 3), **dict(backbone.options))
