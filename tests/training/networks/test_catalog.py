"""Every form of every published system: builtin layers, inputs as its specs say, the sizes that documents state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest

from device.errors import ConfigError
from device.hearing.features import window_features
from training.networks import cnn_bilstm, han, residual_dual, resnet34, transfer
from training.networks.catalog import all_forms, find_form
from training.networks.networks_command import multiplications

if TYPE_CHECKING:
    from pathlib import Path

    from training.networks.network_form import NetworkForm

FORMS = all_forms()
HEAVY = (
    "transfer/",
    "resnet34/published",
    "resnet34/abnormal",
    "audioset/fine-tuned",
    "audioset/frozen-4k",
    "audioset/relu6",
)
QUICK = [name for name in FORMS if not name.startswith(HEAVY)]
ONE_EACH = ["cnn_bilstm/published", "residual_dual/streaming", "han/published", "transfer/dual", "baseline/lung"]
PARAMETERS = {
    "cnn_bilstm/published": 87_490,
    "residual_dual/published": 560_514,
    "residual_dual/streaming": 210_754,
    "han/published": 189_104,
    "resnet34/streaming": 1_338_194,
    "resnet34/abnormal": 1_338_323,
}

# Keras's own, of numpy's interface.
keras_loads = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def _outputs(network: keras.Model, form: NetworkForm, *, windows: int = 2) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    inputs = [rng.random((windows, *spec.shape, 1), np.float32) for spec in form.specs]
    outputs = network.predict_on_batch(inputs[0] if len(inputs) == 1 else inputs)
    return [np.asarray(one) for one in (outputs if isinstance(outputs, list | tuple) else [outputs])]


@pytest.mark.parametrize("name", QUICK)
def test_the_first_output_is_one_finite_logit_for_each_label(name: str) -> None:
    form = FORMS[name]
    logits = _outputs(form.build(1), form)[0]
    assert logits.shape == (2, len(form.labels))
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("name", ONE_EACH)
def test_the_seed_decides_the_weights(name: str) -> None:
    form = FORMS[name]
    first, again, other = (form.build(seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not all(np.array_equal(one, two) for one, two in zip(first, other, strict=True))


@keras_loads
@pytest.mark.parametrize("name", ONE_EACH)
def test_a_saved_network_loads_without_code_and_answers_the_same(name: str, tmp_path: Path) -> None:
    form = FORMS[name]
    network = form.build(3)
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    for one, two in zip(_outputs(network, form), _outputs(loaded, form), strict=True):
        assert np.allclose(one, two, atol=1e-6)


@pytest.mark.parametrize("name", QUICK)
def test_layers_are_builtin_and_none_is_a_lambda(name: str) -> None:
    layers = FORMS[name].build(1).layers
    assert all(type(layer).__module__.startswith("keras.") for layer in layers)
    assert not any(isinstance(layer, keras.layers.Lambda) for layer in layers)


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_the_number_of_parameters_is_the_documented_one(name: str, parameters: int) -> None:
    assert FORMS[name].build(1).count_params() == parameters


@pytest.mark.parametrize("name", [name for name in FORMS if name.startswith("baseline/")])
def test_the_baseline_stays_below_150_thousand_parameters(name: str) -> None:
    assert FORMS[name].build(1).count_params() <= 150_000


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet34/published-picture", "transfer/vgg16", "transfer/mobilenetv3-large"])
def test_heavy_networks_build_with_a_logit_for_each_label(name: str) -> None:
    form = FORMS[name]
    network = form.build(1)
    assert network.outputs[0].shape == (None, len(form.labels))
    assert [tensor.shape[1:] for tensor in network.inputs] == [(*spec.shape, 1) for spec in form.specs]
    if form.system == "resnet34":
        assert 21.2e6 < network.count_params() < 21.4e6


def test_specs_have_the_published_shapes_and_streaming_ones_stream() -> None:
    assert [spec.shape for spec in FORMS["residual_dual/published"].specs] == [(188, 13), (188, 128)]
    assert FORMS["cnn_bilstm/published"].specs[0].shape == (100, 13)
    assert FORMS["resnet34/published"].specs[0].shape == (862, 64)
    for name in ("cnn_bilstm/streaming", "residual_dual/streaming", "resnet34/streaming", "han/published"):
        for spec in FORMS[name].specs:
            assert spec.streamable
            assert spec.window_samples == 2 * spec.sample_rate_hz


def test_a_name_that_no_network_has_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r'no network is called "hann"; there are cnn_bilstm/published, .*baseline'):
        find_form("hann")
    assert find_form("han/published").labels == ("normal", "wheeze", "crackle", "both")


@pytest.mark.parametrize("name", ["cnn_bilstm/streaming", "han/published", "residual_dual/streaming"])
def test_a_form_takes_the_labels_of_another_task(name: str) -> None:
    form = FORMS[name].with_labels(("a", "b", "c"), "softmax")
    network = form.build(1)
    outputs = _outputs(network, form)
    assert (form.name, form.labels, outputs[0].shape) == (name, ("a", "b", "c"), (2, 3))
    assert [one.shape for one in outputs[1:]] == [one.shape for one in _outputs(FORMS[name].build(1), form)[1:]]
    again = form.build(1).get_weights()
    assert all(np.array_equal(one, two) for one, two in zip(network.get_weights(), again, strict=True))


def test_a_form_refuses_features_of_another_shape() -> None:
    form = FORMS["residual_dual/streaming"]
    assert form.with_specs(form.specs[::1]) == form
    with pytest.raises(
        ValueError, match=r"takes features of \[\(62, 13\), \(62, 64\)\], not of \[\(62, 64\), \(62, 13\)\]"
    ):
        form.with_specs(form.specs[::-1])


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        # Forward and backward: 25 steps of (3 x 32 inputs + 64 units) x 4 gates x 64 units; and two convolutions.
        ("cnn_bilstm/published", (100 * 13 * 9 * 16 + 50 * 6 * 9 * 16 * 32 + 2 * 25 * (96 + 64) * 256 + 256) / 1e6),
        # 62 frames of 32 bands are read by 2 x 50 units, then 62 frames by 2 x 100; attention is two dense layers each.
        (
            "han/published",
            62 * 32 * (2 * (3 + 50) * 150 + 100 * 100 + 100) / 1e6
            + 62 * (2 * (100 + 100) * 300 + 200 * 200 + 200) / 1e6
            + 800 / 1e6,
        ),
    ],
)
def test_multiplications_count_every_step_of_a_recurrence(name: str, millions: float) -> None:
    assert multiplications(FORMS[name].build(1)) / 1e6 == pytest.approx(millions, rel=1e-6)


# --- what is particular to one of them


def test_standardization_is_learned_from_the_windows_that_are_given() -> None:
    rng = np.random.default_rng(1)
    spec = residual_dual.STREAMING_MFCC
    windows = np.stack([window_features(spec, rng.normal(0, 0.1, 32_000).astype(np.float32)) for _ in range(8)])
    learned = residual_dual.standardized(spec, windows)
    scaled = (windows - np.array(learned.mean)) / np.array(learned.scale)
    assert np.abs(scaled.mean(axis=(0, 1))).max() < 1e-3
    assert np.abs(scaled.std(axis=(0, 1)) - 1.0).max() < 1e-3
    assert learned.spec_hash != spec.spec_hash


def test_a_band_that_is_empty_in_training_does_not_blow_up_on_a_recording_that_fills_it() -> None:
    spec = residual_dual.STREAMING_LOG_MEL
    noise = np.random.default_rng(1).normal(0, 0.1, 32_000).astype(np.float32)
    narrow = np.fft.rfft(noise)
    narrow[len(narrow) // 2 :] = 0  # nothing above 4 kHz, as in a recording at 8 kHz
    learned = residual_dual.standardized(
        spec, window_features(spec, np.fft.irfft(narrow).astype(np.float32))[np.newaxis]
    )
    assert np.abs(window_features(learned, noise)).max() < 100
    assert min(learned.scale) == residual_dual.SMALLEST_SPREAD


def test_both_attentions_come_out_as_scores_of_frames_and_bands() -> None:
    form = FORMS["han/published"]
    logits, band_scores, time_scores = _outputs(form.build(1), form)
    assert (logits.shape, band_scores.shape, time_scores.shape) == ((2, 4), (2, 62, 32), (2, 62))
    assert band_scores.std() > 0


def test_differences_enter_as_channels_of_their_band() -> None:
    """A frame holds static bands, deltas, then delta-deltas: band 5 of each must meet in one channel vector."""
    spec = han.STREAMING_LOG_MEL
    frame = np.arange(spec.bins, dtype=np.float32)
    tensor = han._as_channels(keras.ops.array(np.tile(frame, (1, spec.frame_count, 1))), spec.frame_count, 32)
    assert np.asarray(tensor)[0, 0, 5].tolist() == [5.0, 37.0, 69.0]


@pytest.mark.parametrize(
    ("value", "colour"),
    [(0.0, (0.2670, 0.0049, 0.3294)), (0.2, (0.2539, 0.2653, 0.5300)), (1.0, (0.9932, 0.9062, 0.1439))],
)
def test_pictures_have_the_colours_of_viridis(value: float, colour: tuple[float, float, float]) -> None:
    """The colours are those that matplotlib 3.11 gives for 0, 51/255 and 1."""
    seen = np.asarray(resnet34.viridis(np.full((1, 1, 1, 1), value, np.float32)))[0, 0, 0]
    assert np.abs(seen - np.array(colour)).max() < 0.022


def test_weights_that_cannot_be_downloaded_are_said_and_training_starts_from_scratch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_given: object, **_named: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(keras.applications, "VGG16", refuse)
    weights, sentence = transfer.starting_weights("vgg16", None)
    assert weights is None
    assert sentence == "vgg16 is trained from scratch: no file was named and Keras cannot download (no route to host)"


@keras_loads
def test_named_weights_are_loaded_into_the_backbone(tmp_path: Path) -> None:
    keras.utils.set_random_seed(9)
    backbone = keras.applications.MobileNetV3Large(
        include_top=False, weights=None, input_shape=(128, 128, 3), include_preprocessing=True
    )
    backbone.save_weights(tmp_path / "named.weights.h5")
    weights, sentence = transfer.starting_weights("mobilenetv3-large", tmp_path / "named.weights.h5")
    assert sentence == f"mobilenetv3-large starts from {tmp_path / 'named.weights.h5'}"
    built = transfer.build("mobilenetv3-large", transfer.LUNG_LOG_MEL, transfer.LABELS, 1)
    transfer.start_from(built, "mobilenetv3-large", str(weights))
    inner = next(layer for layer in built.layers if isinstance(layer, keras.Model))
    assert all(np.array_equal(a, b) for a, b in zip(inner.get_weights(), backbone.get_weights(), strict=True))


@keras_loads
def test_weights_of_another_backbone_are_refused_in_one_sentence(tmp_path: Path) -> None:
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    built = transfer.build("mobilenetv3-large", transfer.LUNG_LOG_MEL, transfer.LABELS, 1)
    with pytest.raises(ConfigError, match=r"other.weights.h5 does not hold the weights of mobilenetv3-large"):
        transfer.start_from(built, "mobilenetv3-large", str(tmp_path / "other.weights.h5"))


def test_cepstra_of_a_breath_cycle_are_100_frames() -> None:
    cycle = np.random.default_rng(2).normal(0, 0.1, cnn_bilstm.PUBLISHED_MFCC.window_samples).astype(np.float32)
    assert window_features(cnn_bilstm.PUBLISHED_MFCC, cycle).shape == (100, 13)
