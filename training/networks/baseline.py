"""The small residual network that every published design must beat to be shipped: at most 150,000 parameters.

A stride-2 stem and three stages of one residual block each, 3x3 convolutions with BatchNorm and ReLU alone, averaged
over time and frequency: layers that quantize well and run fast. It hears the same log-mel features as the
design it is compared with, standardized over the window.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from training.networks import han, resnet34
from training.networks.network_form import NetworkForm, feature_inputs

if TYPE_CHECKING:
    from device.hearing.spec import FeatureSpec

FILTERS = (16, 32, 64)
MOST_PARAMETERS = 150_000

LUNG_LOG_MEL = replace(han.STREAMING_LOG_MEL, n_mels=64, deltas=0, n_fft=512, frame_length=256)
"""61 frames x 64 of 2 s at 4 kHz."""

ALARM_LOG_MEL = replace(resnet34.STREAMING_LOG_MEL, normalization="standardize", floor=1e-8)
"""62 frames x 64 of 2 s at 16 kHz."""

TASKS = {
    "lung": (("wheeze", "crackle"), "sigmoid", LUNG_LOG_MEL),
    "cry": (("cry",), "sigmoid", ALARM_LOG_MEL),
    "scream": (("scream",), "sigmoid", ALARM_LOG_MEL),
    "cry-reason": (("hungry", "other"), "softmax", ALARM_LOG_MEL),
}


def forms() -> tuple[NetworkForm, ...]:
    """One for each task."""
    return tuple(_form(task) for task in TASKS)


def _form(task: str) -> NetworkForm:
    labels, activation, spec = TASKS[task]
    return NetworkForm(
        "baseline",
        task,
        labels,
        "softmax" if activation == "softmax" else "sigmoid",
        (spec,),
        lambda seed: build(spec, labels, seed),
    )


def build(spec: FeatureSpec, labels: tuple[str, ...], seed: int) -> Any:
    """(frames, bands, 1) -> a logit for each label."""
    import keras

    keras.utils.set_random_seed(seed)
    (inputs,) = feature_inputs((spec,))
    tensor = keras.layers.ReLU()(_convolved(inputs, FILTERS[0], stride=2))
    for filters in FILTERS:
        tensor = _block(tensor, filters, stride=1 if filters == FILTERS[0] else 2)
    tensor = keras.layers.GlobalAveragePooling2D()(tensor)
    return keras.Model(inputs, keras.layers.Dense(len(labels), name="logits")(tensor), name="baseline")


def _block(tensor: Any, filters: int, *, stride: int) -> Any:
    import keras

    inner = keras.layers.ReLU()(_convolved(tensor, filters, stride=stride))
    inner = _convolved(inner, filters)
    shortcut = tensor if stride == 1 and tensor.shape[-1] == filters else _convolved(tensor, filters, stride=stride)
    return keras.layers.ReLU()(keras.layers.Add()([inner, shortcut]))


def _convolved(tensor: Any, filters: int, *, stride: int = 1) -> Any:
    import keras

    convolution = keras.layers.Conv2D(
        filters, 3, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal"
    )
    return keras.layers.BatchNormalization(momentum=0.95)(convolution(tensor))
