"""Hierarchical attention network over log-mel with differences: normal, wheeze, crackle or both in a breath cycle.

Within each frame a bidirectional GRU (50 units) reads the bands from low to high and an attention weights them; over
the frames a second one (100 units) reads time, with an attention of its own. Both attentions are additive: a dense
layer with tanh, one score, a softmax. Besides the logits the network returns the scores of both attentions before
their softmax, because eight bits resolve scores where they do not resolve the weights. Its ablation `single` reads
time alone, with one attention.
"""

from __future__ import annotations

from typing import Any

from device.hearing.network.attention import AttentionOutputs
from device.hearing.spec import FeatureSpec
from training.networks.network_form import NetworkForm, feature_inputs

LABELS = ("normal", "wheeze", "crackle", "both")
BAND_UNITS = 50
TIME_UNITS = 100
CHANNELS = 3
BANDS = 32
TIME, BOTH = AttentionOutputs("time_scores"), AttentionOutputs("time_scores", "band_scores")
"""Names of the outputs that hold the scores."""

STREAMING_LOG_MEL = FeatureSpec(
    sample_rate_hz=4_000,
    window_samples=8_000,
    frame_length=256,
    n_fft=256,
    hop=125,
    n_mels=BANDS,
    f_min_hz=50.0,
    f_max_hz=2_000.0,
    floor=1e-8,
    floor_at="add",
    deltas=2,
    normalization="standardize",
)
"""Log-mel, its differences and their differences of 2 s at 4 kHz: 62 frames x (3 x 32)."""


def forms() -> tuple[NetworkForm, ...]:
    """The hierarchical network and its ablation with one attention."""
    spec = STREAMING_LOG_MEL
    return (
        NetworkForm("han", "published", LABELS, "softmax", (spec,), lambda seed: build(spec, seed), attention=BOTH),
        NetworkForm("han", "single", LABELS, "softmax", (spec,), lambda seed: build_single(spec, seed), attention=TIME),
    )


def build(spec: FeatureSpec, seed: int) -> Any:
    """(frames, 3 x bands, 1) -> [logits (4,), band scores (frames, bands), time scores (frames,)]."""
    import keras

    keras.utils.set_random_seed(seed)
    (inputs,) = feature_inputs((spec,))
    frames, bands = spec.frame_count, spec.static_bins
    tensor = _as_channels(inputs, frames, bands)  # (frames, bands, 3)
    # Every frame is a sequence of its own: TimeDistributed would trace the recurrence once for each frame.
    sequences = keras.ops.reshape(tensor, (-1, bands, CHANNELS))
    read = keras.layers.Bidirectional(keras.layers.GRU(BAND_UNITS, return_sequences=True), name="bands")(sequences)
    read = keras.ops.reshape(read, (-1, frames, bands, 2 * BAND_UNITS))
    band_scores = _scores(read, BAND_UNITS, "band_scores")  # (frames, bands)
    weights = keras.layers.Reshape((frames, bands, 1))(keras.layers.Softmax()(band_scores))
    frame_vectors = keras.ops.sum(keras.layers.Multiply()([read, weights]), axis=2)  # (frames, 2 x BAND_UNITS)
    pooled, time_scores = _read_time(frame_vectors)
    logits = keras.layers.Dense(len(LABELS), name="logits")(pooled)
    return keras.Model(inputs, [logits, band_scores, time_scores], name="han")


def build_single(spec: FeatureSpec, seed: int) -> Any:
    """The ablation with attention over time alone: (frames, 3 x bands, 1) -> [logits (4,), time scores (frames,)]."""
    import keras

    keras.utils.set_random_seed(seed)
    (inputs,) = feature_inputs((spec,))
    frames = keras.layers.Reshape((spec.frame_count, spec.bins))(inputs)
    pooled, time_scores = _read_time(frames)
    return keras.Model(inputs, [keras.layers.Dense(len(LABELS), name="logits")(pooled), time_scores], name="han_single")


def _as_channels(tensor: Any, frames: int, bands: int) -> Any:
    """Static bands, differences and their differences stand behind each other in a frame -> three channels a band."""
    import keras

    tensor = keras.layers.Reshape((frames, CHANNELS, bands))(tensor)
    return keras.layers.Permute((1, 3, 2))(tensor)


def _read_time(frames: Any) -> tuple[Any, Any]:
    """(frames, n) -> the attended summary (2 x TIME_UNITS,) and the scores of the frames (frames,)."""
    import keras

    read = keras.layers.Bidirectional(keras.layers.GRU(TIME_UNITS, return_sequences=True), name="time")(frames)
    scores = _scores(read, TIME_UNITS, "time_scores")
    weights = keras.layers.Reshape((frames.shape[1], 1))(keras.layers.Softmax()(scores))
    return keras.ops.sum(keras.layers.Multiply()([read, weights]), axis=1), scores


def _scores(read: Any, units: int, name: str) -> Any:
    """Additive attention before its softmax: (..., n) -> (...)."""
    import keras

    hidden = keras.layers.Dense(2 * units, activation="tanh")(read)
    score = keras.layers.Dense(1, use_bias=False)(hidden)
    return keras.layers.Reshape(read.shape[1:-1], name=name)(score)
