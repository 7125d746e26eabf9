"""The reference `audioset` hears through the device's features what its publishers' front end heard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
import soxr

from device.hearing.features import window_features
from training.data.datasets.annotated_recording import load_audio
from training.data.datasets.manifest_csv import read_manifest
from training.networks import audioset_teacher
from training.networks.audioset.mn04 import BANDS, block_of
from training.networks.audioset.reference_forms import (
    ALARM_LOG_MEL,
    LOUDEST_DB,
    LUNG_LOG_MEL,
    any_level,
    published_spec,
    start_from,
)
from training.networks.catalog import find_form
from training.preparation.window_fit import fitted

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

SHARED = Path(__file__).resolve().parents[5] / "shared"
WEIGHTS = SHARED / "peers" / "audioset_mn04.npz"
LEVELS_DBFS = (-20, -40, -60)

# Keras's own, of numpy's interface.
keras_loads = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def check() -> dict[str, Float32]:
    with np.load(WEIGHTS.with_name("audioset_mn04_check.npz")) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.fixture(scope="module")
def teacher() -> keras.Model:
    return audioset_teacher.build(WEIGHTS)


def noise(count: int) -> Float32:
    return (0.1 * np.random.default_rng(4).standard_normal(count)).astype(np.float32)


def test_the_spec_at_16_khz_agrees_with_the_teachers_front_end() -> None:
    samples = noise(32_000)
    centred = window_features(replace(published_spec(16_000), centre=True), samples)
    assert np.abs(centred[:200] - audioset_teacher.log_mel(samples[None])[0]).max() < 1e-4


def test_frames_that_stream_are_those_of_the_middle() -> None:
    """Half an FFT later, and without reflected edges: frame k is centred at sample 160 k + 256."""
    samples = noise(32_000)
    streamed = window_features(published_spec(16_000), samples)
    shifted = window_features(replace(published_spec(16_000), centre=True), np.pad(samples, (64, 0))[:32_000])
    assert streamed.shape == (197, BANDS)
    assert np.abs(streamed[:190] - shifted[2:192]).max() < 1e-5


@pytest.mark.real_audio
def test_the_specs_features_give_the_published_mel_embedding_and_logits(
    check: dict[str, Float32], teacher: keras.Model
) -> None:
    """At 32 kHz, with the filter on the signal; the published filter drops the first sample."""
    spec = replace(
        published_spec(32_000),
        window_samples=63_999,
        centre=True,
        pre_emphasis_in="signal",
        pre_emphasis_rate_hz=None,
    )
    features = window_features(spec, check["waveform"][1:])
    assert np.abs(features - check["mel"].T)[2:].max() < 1e-4
    features[:2] = check["mel"].T[:2]  # they hold that first sample
    embedding, logits = teacher(features[None, ..., None])
    assert np.abs(np.asarray(embedding)[0] - check["embedding"]).max() < 1e-4
    assert np.abs(np.asarray(logits)[0] - check["logits"]).max() < 1e-3


@pytest.mark.real_audio
@pytest.mark.parametrize(("rate_hz", "bands", "silent_from"), [(16_000, 100, 106), (4_000, 52, 57)])
def test_lower_rates_give_the_published_bands(
    check: dict[str, Float32], rate_hz: int, bands: int, silent_from: int
) -> None:
    samples = soxr.resample(check["waveform"], 32_000, rate_hz).astype(np.float32)
    features = window_features(replace(published_spec(rate_hz), centre=True), samples)[:200]
    assert np.abs(features - check["mel"].T)[:, :bands].mean() < 0.04
    assert np.allclose(features[:, silent_from:], (np.log(1e-5) + 4.5) / 5, atol=1e-6)


@pytest.mark.parametrize("name", ["audioset/frozen", "audioset/fine-tuned-4k"])
def test_only_what_the_form_says_learns(name: str) -> None:
    network = find_form(name).build(1)
    learning = _learning(network)
    assert "logits" in learning
    assert not {layer.name for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)} & learning
    if "frozen" in name:
        assert learning == {"logits"}
    else:
        blocks = {block for layer in learning if (block := block_of(layer)) is not None}
        assert blocks == set(range(7, 17))


def test_the_form_for_int8_has_no_late_hard_swish_and_learns_its_late_statistics() -> None:
    network = find_form("audioset/relu6-4k").build(1)
    late = [layer for layer in network.layers if isinstance(layer, keras.layers.Activation)]
    assert {keras.activations.serialize(layer.activation) for layer in late[-6:]} == {"relu6"}
    assert [keras.activations.serialize(layer.activation) for layer in late].count("hard_silu") == 1
    learning = _learning(network)
    assert {block for layer in learning if (block := block_of(layer)) is not None} == set(range(7, 17))
    assert "features_9_block_0_1" in learning
    assert "features_3_block_0_1" not in learning


@keras_loads
@pytest.mark.real_audio
def test_the_form_embeds_as_the_teacher_does_and_a_saved_one_holds_the_weights(
    tmp_path: Path, teacher: keras.Model
) -> None:
    form = find_form("audioset/frozen")
    network = form.build(1)
    start_from(network, WEIGHTS)
    windows = np.stack([window_features(published_spec(16_000), noise(32_000) * gain) for gain in (1, 3)])[..., None]
    embedding = np.asarray(teacher(windows)[0])
    weights, bias = network.get_layer("logits").get_weights()
    logits = np.asarray(network(windows))
    assert np.abs(logits - (embedding @ weights + bias)).max() < 1e-4
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert np.abs(np.asarray(loaded(windows)) - logits).max() < 1e-6
    assert _learning(loaded) == _learning(network) == {"logits"}


def _learning(network: keras.Model) -> set[str]:
    return {layer.name for layer in network.layers if layer.trainable_weights}


def test_another_task_keeps_the_backbone_as_it_was() -> None:
    form = find_form("audioset/fine-tuned-4k").with_labels(("normal", "wheeze", "crackle", "both"), "softmax")
    network = form.build(1)
    assert network.outputs[0].shape == (None, 4)
    assert not network.get_layer("features_3_block_0_0").trainable
    assert network.get_layer("features_9_block_0_0").trainable


@pytest.mark.real_audio
def test_a_window_of_any_level_is_embedded_as_at_full_level(teacher: keras.Model) -> None:
    """The published floor hides a quiet room; the spec that the device runs does not."""
    windows = _real_windows()
    wanted = _embedded(teacher, published_spec(16_000), windows)
    for level_dbfs in LEVELS_DBFS:
        quiet = np.stack([one * np.float32(10 ** (level_dbfs / 20) / np.sqrt(np.mean(one**2))) for one in windows])
        sixteen_bits = np.round(quiet * 32_768).astype(np.float32) / np.float32(32_768)
        levelled = _agreement(_embedded(teacher, ALARM_LOG_MEL, sixteen_bits), wanted)
        assert np.median(levelled) > (0.93 if level_dbfs == -60 else 0.97)
        if level_dbfs == -60:
            published = _agreement(_embedded(teacher, published_spec(16_000), sixteen_bits), wanted)
            assert np.median(published) < 0.8


def _real_windows() -> Float32:
    """A cry, cats, a dog, speech and screams, each at half of full scale."""
    picked = [
        read_manifest(SHARED / "data" / name)[index] for name in ("donateacry", "pets", "scream") for index in (3, 60)
    ]
    found = [fitted(load_audio(one, 16_000), 32_000, "loudest") for one in picked]
    return np.stack([one * np.float32(0.5 / np.abs(one).max()) for one in found])


def _embedded(teacher: keras.Model, spec: object, windows: Float32) -> Float32:
    features = np.stack([window_features(spec, one) for one in windows])  # type: ignore[arg-type]
    return np.asarray(teacher(features[..., None])[0])


def _agreement(one: Float32, other: Float32) -> Float32:
    """Cosine of each pair."""
    return np.asarray(np.sum(one * other, axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1))


def test_silence_is_not_raised_and_levels_above_it_change_nothing() -> None:
    for spec in (ALARM_LOG_MEL, LUNG_LOG_MEL):
        samples = noise(spec.window_samples)
        loud, quiet = (window_features(spec, samples * np.float32(gain)) for gain in (1.0, 0.01))
        assert np.abs(loud - quiet).max() < 1e-3
        silent = window_features(spec, np.zeros(spec.window_samples, np.float32))
        assert silent.max() < loud.min() + 0.1
        assert spec.streamable


def test_the_level_that_is_assumed_is_the_one_at_which_nothing_changes() -> None:
    """A window whose loudest band lies at `LOUDEST_DB` has the published numbers, down to the floor."""
    published = published_spec(16_000)
    samples = noise(32_000)
    peak_db = window_features(replace(any_level(published), normalization="none", reference=1.0), samples).max()
    scaled = samples * np.float32(10 ** ((LOUDEST_DB[16_000] - peak_db) / 20))
    difference = np.abs(window_features(any_level(published), scaled) - window_features(published, scaled))
    audible = window_features(published, scaled) > (np.log(1e-5) + 4.5) / 5 + 0.8
    assert audible.mean() > 0.5
    assert difference[audible].max() < 0.01
    assert difference.max() < 0.15  # near the floor, which the one limits and the other adds
