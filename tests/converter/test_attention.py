"""A hierarchical attention network from scratch: converted, verified, replayed, its attention over the spectrogram."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from converter.convert import verified
from converter.convert_graphs import converted
from converter.training_output import read_training_output
from device.__main__ import main
from device.errors import BundleError
from device.hearing.bundle.reader import decode_bundle, read_bundle
from device.hearing.bundle.writer import encode_bundle, write_bundle
from device.hearing.classifier import Classifier
from device.hearing.network.attention import AttentionOutputs
from device.hearing.spec import FeatureSpec
from device.tools.models.models_command import verify
from tests.converter.family_output import FEW, hand_over
from training.networks.han import BOTH, LABELS, build
from training.networks.network_form import NetworkForm

if TYPE_CHECKING:
    from pathlib import Path

    from converter.convert_graphs import Converted
    from converter.training_output import TrainingOutput
    from device.hearing.bundle.contents import Bundle

SPEC = FeatureSpec(
    sample_rate_hz=4000,
    window_samples=2000,
    frame_length=256,
    n_fft=256,
    hop=250,
    n_mels=8,
    f_min_hz=50.0,
    f_max_hz=1500.0,
    floor=1e-8,
    floor_at="add",
    deltas=2,
    delta_width=3,
    normalization="standardize",
)
SHARPER = 3.0
"""Random weights attend nearly evenly; a trained network does not."""


def _attending(seed: int) -> Any:
    network = build(SPEC, seed)
    for layer in network.layers:
        if layer.name.startswith("dense") and layer.units == 1:
            layer.set_weights([SHARPER * weights for weights in layer.get_weights()])
    return network


FORM = NetworkForm("han", "small", LABELS, "softmax", (SPEC,), _attending, attention=BOTH)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingOutput, Converted]:
    folder = tmp_path_factory.mktemp("trained")
    hand_over(FORM, folder, windows=24)
    trained = read_training_output(folder)
    return trained, converted(trained)


@pytest.fixture(scope="module")
def made(
    networks: tuple[TrainingOutput, Converted], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("han")
    report, bundle = verified(*networks, bounds=FEW, sounds=("silence", "sine"))
    write_bundle(folder / "made.tflite", bundle)
    return folder, report


@pytest.fixture(scope="module")
def bundle(made: tuple[Path, dict[str, Any]]) -> Bundle:
    return read_bundle(made[0] / "made.tflite")


def test_the_bundle_names_the_outputs_with_their_axes_and_is_read_again(bundle: Bundle) -> None:
    assert bundle.attention == AttentionOutputs("time_scores", "band_scores")
    file = encode_bundle(bundle)
    assert b'"axes": [\n    "s",\n    "Hz"\n   ]' in file
    assert decode_bundle(file).attention == bundle.attention


def test_int8_attends_to_what_keras_attends_to(made: tuple[Path, dict[str, Any]]) -> None:
    moved = made[1]["attention_moved"]
    assert moved["mean"] < FEW.attention
    assert moved["mean"] < moved["even"]
    assert list(verify(str(made[0] / "made.tflite")))[-1].endswith("is sound")


def test_a_network_that_attends_to_something_else_in_int8_is_refused(
    networks: tuple[TrainingOutput, Converted],
) -> None:
    with pytest.raises(BundleError, match=r"\d\.\d% of the attention lies elsewhere in the converted network"):
        verified(*networks, bounds=dataclasses.replace(FEW, attention=1e-9), sounds=("silence",))


def test_a_description_that_names_another_output_is_refused(networks: tuple[TrainingOutput, Converted]) -> None:
    trained = dataclasses.replace(networks[0], attention=AttentionOutputs("time_scores", "sight"))
    with pytest.raises(BundleError, match=r"'sight' is said to be attention of shape \(7, 8\), the network has no"):
        verified(trained, networks[1], bounds=FEW, sounds=("silence",))


@pytest.mark.parametrize(
    ("outputs", "sentence"),
    [
        (AttentionOutputs("sight"), "no output 'sight'"),
        (AttentionOutputs("band_scores"), r"band_scores has shape \(1, 7, 8\), labels and specs need \(1, 7\)"),
        (AttentionOutputs("time_scores", "time_scores"), "names the output 'time_scores' twice"),
    ],
)
def test_outputs_that_are_no_attention_are_refused(bundle: Bundle, outputs: AttentionOutputs, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        decode_bundle(encode_bundle(dataclasses.replace(bundle, attention=outputs)))


def test_what_is_not_asked_for_is_not_read(bundle: Bundle) -> None:
    features = bundle.golden[1].features
    with Classifier(bundle) as asked, Classifier(bundle, further=False) as plain:
        assert set(asked.classify(features).extras) == {"time_scores", "band_scores"}
        assert plain.classify(features).extras == {}
        np.testing.assert_array_equal(asked.classify(features).probabilities, plain.classify(features).probabilities)


def test_a_replay_draws_it_over_the_spectrogram_of_the_event_alone(
    made: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    page = _replayed(made[0] / "made.tflite", tmp_path)
    (veil,) = re.findall(r'<image class="attention"[^>]*href="data:image/png;base64,([^"]*)"', page)
    opacity = np.asarray(Image.open(io.BytesIO(base64.b64decode(veil))))[..., 3]
    assert opacity.shape[0] == 128
    assert opacity.max() > 100  # random weights attend hardly sharper than evenly
    assert len(np.unique(opacity)) > 8
    assert not opacity[:20].any()  # above the highest band
    assert "attention during an event" in page


def _replayed(bundle: Path, folder: Path) -> str:
    """The page of ten seconds of a gliding tone in noise."""
    seconds = np.arange(40_000) / 4000
    tone = 0.3 * np.sin(2 * np.pi * (200 * seconds + 40 * seconds**2))
    sound = tone + np.random.default_rng(0).normal(0.0, 0.02, len(seconds))
    soundfile.write(folder / "tone.wav", sound, 4000)
    words = ["replay", "--model", str(bundle), "--report", str(folder / "page.html"), str(folder / "tone.wav")]
    assert main(words) == 0
    return (folder / "page.html").read_text(encoding="utf-8")
