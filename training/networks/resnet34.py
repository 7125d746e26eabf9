"""ResNet34 on log-mel: screams and other sounds that mean an emergency.

Basic blocks in stages of 3, 4, 6 and 3, as in K. He et al., "Deep Residual Learning for Image Recognition", CVPR 2016,
with a width factor. The published form hears 20 s at 22,050 Hz as 64 mel bands x 862 frames, log2 of the power,
scaled to 0..1 in each recording; log2 and the scale cancel, so the spec's decibels give the same numbers. The
streaming form hears 2 s at 16 kHz. The published pictures, the same features through matplotlib's viridis, are made by
`viridis` in front of the stem.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from device.hearing.spec import FeatureSpec
from training.networks.network_form import NetworkForm, feature_inputs

LABELS = ("scream", "other")
ABNORMAL_LABELS = ("scream", "glass_breaking", "siren")
BLOCKS = (3, 4, 6, 3)
FULL_WIDTH = 64
STREAMING_WIDTH = 0.25

PUBLISHED_LOG_MEL = FeatureSpec(
    sample_rate_hz=22_050,
    window_samples=441_000,
    frame_length=1_024,
    n_fft=1_024,
    hop=512,
    centre=True,
    n_mels=64,
    f_max_hz=11_025.0,
    floor=1e-10,
    floor_at="add",
    normalization="min_max",
)
"""862 frames x 64 of 20 s."""

STREAMING_LOG_MEL = replace(
    PUBLISHED_LOG_MEL, sample_rate_hz=16_000, window_samples=32_000, hop=500, centre=False, f_max_hz=8_000.0
)
"""62 frames x 64 of 2 s."""

_VIRIDIS = (
    (0.2670, 0.0049, 0.3294),
    (0.2823, 0.0950, 0.4173),
    (0.2788, 0.1755, 0.4834),
    (0.2590, 0.2515, 0.5247),
    (0.2297, 0.3224, 0.5457),
    (0.1994, 0.3876, 0.5546),
    (0.1727, 0.4488, 0.5579),
    (0.1490, 0.5081, 0.5573),
    (0.1276, 0.5669, 0.5506),
    (0.1206, 0.6258, 0.5335),
    (0.1579, 0.6838, 0.5017),
    (0.2461, 0.7389, 0.4520),
    (0.3692, 0.7889, 0.3829),
    (0.5160, 0.8312, 0.2943),
    (0.6785, 0.8637, 0.1895),
    (0.8456, 0.8873, 0.0997),
    (0.9932, 0.9062, 0.1439),
)
"""matplotlib's viridis (CC0) at 0, 1/16, ... 1; a straight line between them is within 0.022 of it."""


def forms() -> tuple[NetworkForm, ...]:
    """The published form, as numbers and as pictures, the streaming form, and that one with each sound by itself."""
    streaming = _form("streaming", STREAMING_LOG_MEL, width=STREAMING_WIDTH, as_picture=False)
    return (
        _form("published", PUBLISHED_LOG_MEL, width=1.0, as_picture=False),
        _form("published-picture", PUBLISHED_LOG_MEL, width=1.0, as_picture=True),
        streaming,
        replace(streaming.with_labels(ABNORMAL_LABELS, "sigmoid"), form="abnormal"),
    )


def _form(name: str, spec: FeatureSpec, *, width: float, as_picture: bool) -> NetworkForm:
    def fresh(seed: int) -> Any:
        return build(spec, seed, width=width, as_picture=as_picture)

    return NetworkForm("resnet34", name, LABELS, "softmax", (spec,), fresh)


def build(spec: FeatureSpec, seed: int, *, width: float, as_picture: bool = False) -> Any:
    """(frames, bands, 1) -> logits (2,).

    Args:
        spec: of the features, scaled to 0..1.
        seed: of the weights.
        width: factor on the 64, 128, 256 and 512 filters of the four stages.
        as_picture: colour the features first.
    """
    import keras

    keras.utils.set_random_seed(seed)
    (inputs,) = feature_inputs((spec,))
    filters = max(8, round(FULL_WIDTH * width))
    tensor = _convolved(viridis(inputs) if as_picture else inputs, filters, kernel=7, stride=2)
    tensor = keras.layers.MaxPooling2D(3, strides=2, padding="same")(keras.layers.ReLU()(tensor))
    for stage, blocks in enumerate(BLOCKS):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            tensor = _basic_block(tensor, filters << stage, stride)
    tensor = keras.layers.GlobalAveragePooling2D()(tensor)
    return keras.Model(inputs, keras.layers.Dense(len(LABELS), name="logits")(tensor), name="resnet34")


def viridis(tensor: Any) -> Any:
    """Values in 0..1 -> the colours of matplotlib's viridis, piecewise linear: (frames, bands, 1) -> (..., 3)."""
    import keras

    steps = len(_VIRIDIS) - 1
    colour = keras.ops.zeros_like(keras.ops.concatenate([tensor] * 3, axis=-1)) + keras.ops.array(_VIRIDIS[0])
    for index in range(steps):
        rise = keras.ops.array([b - a for a, b in zip(_VIRIDIS[index], _VIRIDIS[index + 1], strict=True)])
        colour = colour + rise * keras.ops.clip(tensor * steps - index, 0.0, 1.0)
    return colour


def _basic_block(tensor: Any, filters: int, stride: int) -> Any:
    import keras

    shortcut = tensor
    inner = keras.layers.ReLU()(_convolved(tensor, filters, kernel=3, stride=stride))
    inner = _convolved(inner, filters, kernel=3, stride=1)
    if stride != 1 or shortcut.shape[-1] != filters:
        shortcut = _convolved(shortcut, filters, kernel=1, stride=stride)
    return keras.layers.ReLU()(keras.layers.Add()([inner, shortcut]))


def _convolved(tensor: Any, filters: int, *, kernel: int, stride: int) -> Any:
    import keras

    convolution = keras.layers.Conv2D(
        filters, kernel, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal"
    )
    return keras.layers.BatchNormalization()(convolution(tensor))
