"""The reference `audioset`: what AudioSet taught, with a head of one layer; frozen, fine-tuned gently, or for int8.

The published front end works at 32 kHz and a fixed level. Here the same bands are had at 16 kHz and 4 kHz by a
`FeatureSpec`: half or an eighth of its FFT, the power scaled to that of 32 kHz, the pre-emphasis of 32 kHz folded into
the mel product, bands above half the rate at the floor. The published floor of 1e-5 hides a quiet room, so the bands
are taken relative to the loudest of the window, which stands where it stands in a recording of AudioSet's level, and
the floor follows it. A window is raised by `RAISED_BY_DB` at most, so silence stays silence.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from device.hearing.spec import FeatureSpec
from training.networks.audioset.mn04 import BANDS, block_of, embedding_of, load_published
from training.networks.network_form import Activation, NetworkForm, feature_inputs

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHED_RATE_HZ = 32_000
PUBLISHED_FLOOR = 1e-5
LOUDEST_DB = {16_000: 21.4, 4_000: 8.4}
"""The loudest band of a window whose samples peak at half of full scale: medians of 72 real windows each."""
RAISED_BY_DB = 60.0
"""A window is raised by this at most."""
FROZEN_BLOCKS = 6
"""Fine-tuning leaves the stem and this many blocks as they are, and the statistics of every normalization."""

Learning = Literal["head", "late", "late_relu6"]
"""The head alone; what follows the frozen blocks; the same with ReLU6 for hard-swish, so that int8 keeps the scores."""

_PER_NEPER = 10 / math.log(10)


def published_spec(sample_rate_hz: int) -> FeatureSpec:
    """The published front end at another rate, its floor and level included: 2 s -> 197 frames x 128."""
    factor = PUBLISHED_RATE_HZ // sample_rate_hz
    return FeatureSpec(
        sample_rate_hz=sample_rate_hz,
        window_samples=2 * sample_rate_hz,
        frame_length=800 // factor,
        n_fft=1024 // factor,
        hop=320 // factor,
        window_periodic=False,
        pre_emphasis=0.97,
        pre_emphasis_rate_hz=PUBLISHED_RATE_HZ,
        spectrum_scale=float(factor**2),
        n_mels=BANDS,
        mel_scale="kaldi",
        triangles_in="mel",
        mel_norm="none",
        f_max_hz=15_000.0,
        log="ln",
        floor=PUBLISHED_FLOOR,
        floor_at="add",
        normalization="fixed",
        mean=(-4.5,),
        scale=(5.0,),
    )


def any_level(spec: FeatureSpec) -> FeatureSpec:
    """The published front end's numbers for a window of any level, in decibels below its loudest band."""
    loudest_db = LOUDEST_DB[spec.sample_rate_hz]
    return replace(
        spec,
        log="db",
        floor=1e-12,
        reference=10 ** ((loudest_db - RAISED_BY_DB) / 10),
        top_db=loudest_db - _PER_NEPER * math.log(PUBLISHED_FLOOR),
        normalization="peak",
        mean=(-loudest_db - 4.5 * _PER_NEPER,),
        scale=(5.0 * _PER_NEPER,),
    )


ALARM_LOG_MEL = any_level(published_spec(16_000))
"""197 frames x 128 of 2 s at 16 kHz; 105 bands hold energy."""

LUNG_LOG_MEL = any_level(published_spec(4_000))
"""197 frames x 128 of 2 s at 4 kHz; 56 bands hold energy."""


def forms() -> tuple[NetworkForm, ...]:
    """Frozen, fine-tuned, and fine-tuned for int8; at 16 kHz for cries and at 4 kHz for breath sounds."""
    learns: tuple[tuple[str, Learning], ...] = (("frozen", "head"), ("fine-tuned", "late"), ("relu6", "late_relu6"))
    sounds = (("", ("cry",), ALARM_LOG_MEL), ("-4k", ("wheeze", "crackle"), LUNG_LOG_MEL))
    return tuple(
        _form(name + ending, labels, "sigmoid", spec, what) for ending, labels, spec in sounds for name, what in learns
    )


def _form(
    name: str, labels: tuple[str, ...], activation: Activation, spec: FeatureSpec, learning: Learning
) -> NetworkForm:
    return NetworkForm("audioset", name, labels, activation, (spec,), lambda seed: build(spec, labels, seed, learning))


def build(spec: FeatureSpec, labels: tuple[str, ...], seed: int, learning: Learning) -> Any:
    """(frames, 128, 1) -> a logit for each label, from random weights: `start_from` puts AudioSet's into it."""
    import keras

    keras.utils.set_random_seed(seed)
    (inputs,) = feature_inputs((spec,))
    embedding = embedding_of(inputs, late_activation="relu6" if learning == "late_relu6" else "hard_swish")
    logits = keras.layers.Dense(len(labels), name="logits")(embedding)
    network = keras.Model(inputs, logits, name="audioset")
    for layer in network.layers:
        layer.trainable = layer.name == "logits" or (learning != "head" and not _is_kept(layer, learning))
    return network


def _is_kept(layer: Any, learning: Learning) -> bool:
    """Whether fine-tuning leaves a layer as it is; behind other activations the statistics must be learned anew."""
    import keras

    block = block_of(layer.name)
    early = block is not None and block <= FROZEN_BLOCKS
    return early or (learning == "late" and isinstance(layer, keras.layers.BatchNormalization))


def start_from(network: Any, weights_path: Path) -> None:
    """Replace a built network's backbone by what AudioSet taught; a saved network holds it from then on.

    Raises:
        ConfigError: the file does not hold the weights of mn04_as.
    """
    load_published(network, weights_path)
