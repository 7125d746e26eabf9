"""The whole walk, with a real network: a verified bundle comes out, or a sentence and no file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from converter import toolchain
from converter.convert import convert
from converter.gate import Bounds
from converter.training_output import read_training_output
from device.errors import BundleError
from device.hearing.bundle.reader import read_bundle
from device.hearing.classifier import Classifier, case_features
from device.hearing.features import window_features
from device.hearing.network.graph import read_graph

if TYPE_CHECKING:
    from pathlib import Path

    from device.hearing.bundle.contents import Bundle


@pytest.fixture(scope="module")
def converted(tiny_bundles: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("trained")
    tiny_bundles.hand_over(tiny_bundles.LOW, folder)
    out = folder / "low.tflite"
    return out, convert(read_training_output(folder), out)


@pytest.fixture(scope="module")
def bundle(converted: tuple[Path, dict[str, Any]]) -> Bundle:
    return read_bundle(converted[0])


def test_the_bundle_carries_all_golden_sounds_and_opens(bundle: Bundle) -> None:
    assert [case.name for case in bundle.golden] == ["silence", "noise", "sine", "click", "clipping", "cry-like"]
    with Classifier.open(bundle) as classifier:
        for case in bundle.golden:
            np.testing.assert_array_equal(
                classifier.classify(case_features(bundle, case)).probabilities, case.probabilities
            )


def test_two_cases_keep_their_features(bundle: Bundle) -> None:
    assert [case.name for case in bundle.golden if case.features] == ["noise", "cry-like"]


def test_the_report_stands_in_the_card_beside_what_training_said(
    bundle: Bundle, converted: tuple[Path, dict[str, Any]]
) -> None:
    report = converted[1]
    assert bundle.card["conversion"] == report
    assert bundle.card["licence"] == "Apache-2.0"
    assert report["network_bytes"] == len(bundle.network)
    assert report["agreement_windows"] == report["calibration_windows"] == 512
    assert [row["label"] for row in report["agreement"]] == ["low", "normal"]
    assert all(row["auc_float"] > 0.99 and row["mean_difference"] < 0.02 for row in report["agreement"])
    assert 0 <= report["plain_kernels"]["largest_difference"] < 0.1
    assert all(
        row["auc_lost_95"][0] <= row["auc_float"] - row["auc_int8"] <= row["auc_lost_95"][1]
        for row in report["agreement"]
    )
    assert report["saturated"] == [pytest.approx(0.0, abs=0.001)]
    assert report["operations"] == read_graph(bundle.network).counts
    assert {"keras", "numpy", "ai-edge-litert"} <= set(report["tools"])
    assert json.loads(json.dumps(report)) == report


def test_converting_again_gives_the_same_bytes(converted: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    again = tmp_path / "again.tflite"
    convert(read_training_output(converted[0].parent), again)
    assert again.read_bytes() == converted[0].read_bytes()


def test_int8_agrees_with_keras_on_sounds_it_was_not_calibrated_with(bundle: Bundle, tiny_bundles: Any) -> None:
    inputs, _ = tiny_bundles.windows(tiny_bundles.LOW, np.random.default_rng(99))
    scores = np.asarray(tiny_bundles.network(tiny_bundles.LOW)(inputs, training=False))
    expected = 1 / (1 + np.exp(-scores))
    with Classifier.open(bundle) as classifier:
        found = np.stack([classifier.classify([window[..., 0]]).probabilities for window in inputs[0]])
    assert np.abs(found - expected).mean() < 0.02
    assert np.mean((found >= 0.5) == (expected >= 0.5)) > 0.98


@pytest.mark.slow
def test_the_script_makes_the_committed_bundles(
    tiny_bundles: Any, tiny_bundle_path: Path, tiny_low_bundle_path: Path, tmp_path: Path
) -> None:
    """Networks may differ by a step from one TensorFlow to the next; what they hear may not."""
    for tiny, committed in ((tiny_bundles.TONE, tiny_bundle_path), (tiny_bundles.LOW, tiny_low_bundle_path)):
        tiny_bundles.make(tiny, tmp_path / "made.tflite")
        made, kept = read_bundle(tmp_path / "made.tflite"), read_bundle(committed)
        assert (made.name, made.version, made.labels, made.specs, made.output) == (
            kept.name, kept.version, kept.labels, kept.specs, kept.output,
        )  # fmt: skip
        seconds = np.arange(made.window_samples) / made.sample_rate_hz
        with Classifier.open(made) as one, Classifier.open(kept) as other:
            for hz in (150.0, 400.0, 1000.0, 2500.0):
                samples = (0.1 * np.sin(2 * np.pi * hz * seconds)).astype(np.float32)
                features = [window_features(spec, samples) for spec in made.specs]
                found, expected = one.classify(features).probabilities, other.classify(features).probabilities
                np.testing.assert_allclose(found, expected, atol=0.02)


# --- refusals: no file is left ------------------------------------------------------------------


def _refused(folder: Path, sentence: str, bounds: Bounds | None = None) -> None:
    out = folder / "out.tflite"
    with pytest.raises(BundleError, match=sentence):
        convert(read_training_output(folder), out, bounds=bounds)
    assert not out.exists()


def _rewrite(folder: Path, name: str, **changes: Any) -> None:
    with np.load(folder / name) as file:
        arrays = {key: file[key] for key in file.files} | changes
    np.savez(folder / name, **arrays)


def test_a_calibration_out_of_all_proportion_is_refused(tone_folder: Path) -> None:
    """One wild window stretches the int8 range until everything else falls on a few steps."""
    with np.load(tone_folder / "calibration.npz") as file:
        wild = {key: file[key].copy() for key in file.files}
    for array in wild.values():
        array[0] *= 1000.0
    _rewrite(tone_folder, "calibration.npz", **wild)
    _refused(
        tone_folder,
        "tone: (mean difference|99th percentile|int8 gives every window|ROC AUC lost).*; agreement window .* layer ",
    )


def test_a_calibration_that_never_saw_a_sound_is_refused(tone_folder: Path) -> None:
    with np.load(tone_folder / "calibration.npz") as file:
        quiet = {key: np.repeat(file[key][:1] * 1e-3, 512, axis=0) for key in file.files}
    _rewrite(tone_folder, "calibration.npz", **quiet)
    _refused(tone_folder, "tone: ")


def test_too_few_calibration_windows_are_refused(tone_folder: Path) -> None:
    with np.load(tone_folder / "calibration.npz") as file:
        few = {key: file[key][:20] for key in file.files}
    _rewrite(tone_folder, "calibration.npz", **few)
    _refused(tone_folder, "20 windows of calibration")


def _resave(folder: Path, change: Any) -> None:
    keras = toolchain.keras()
    with toolchain.quietly():
        model = keras.saving.load_model(folder / "model.keras", compile=False)
        change(keras, model).save(folder / "model.keras")


def test_nan_weights_are_refused(tone_folder: Path) -> None:
    def spoil(_: Any, model: Any) -> Any:
        model.get_layer("logit").set_weights([np.full((3, 1), np.nan, np.float32), np.zeros(1, np.float32)])
        return model

    _resave(tone_folder, spoil)
    _refused(tone_folder, "weight logit/kernel holds a number that is not finite")


def test_a_network_that_fails_on_silence_alone_is_refused(tone_folder: Path) -> None:
    """The spread of a constant window is 0, and its logarithm is no number; no agreement window shows it here."""
    with np.load(tone_folder / "agreement.npz") as file:
        varied = file["input_0"].std(axis=(1, 2, 3)) > 0
        kept = {key: np.concatenate([file[key][varied]] * 2)[:512] for key in file.files}
    _rewrite(tone_folder, "agreement.npz", **kept)

    def spoil(keras: Any, model: Any) -> Any:
        spread = keras.ops.log(
            keras.ops.max(model.inputs[0], axis=(1, 2)) - keras.ops.min(model.inputs[0], axis=(1, 2))
        )
        return keras.Model(model.inputs, model.outputs[0] + 0.0 * spread)

    _resave(tone_folder, spoil)
    _refused(tone_folder, "the Keras network answers 1 of 6 golden sounds with no finite number, number 0 first")


def test_an_input_whose_range_cuts_off_loud_sound_is_refused(tone_folder: Path) -> None:
    with np.load(tone_folder / "calibration.npz") as file:
        quiet = {key: file[key] * 0.5 for key in file.files}
    _rewrite(tone_folder, "calibration.npz", **quiet)
    lax = Bounds(mean_difference=1.0, p99_difference=1.0, same_side=0.0, auc_drop=1.0, spread=0.0)
    _refused(tone_folder, r"the int8 range of input_0 cuts off \d+\.\d\d% of the values of loud windows", lax)


def test_a_network_that_overflows_is_refused(tone_folder: Path) -> None:
    def spoil(_: Any, model: Any) -> Any:
        model.get_layer("scores").set_weights([np.full((1, 1), 3e38, np.float32), np.zeros(1, np.float32)])
        return model

    _resave(tone_folder, spoil)
    _refused(tone_folder, "no finite number|int8 gives every window|TensorFlow cannot convert")


def test_a_network_that_always_answers_the_same_is_refused(tone_folder: Path) -> None:
    def spoil(_: Any, model: Any) -> Any:
        model.get_layer("scores").set_weights([np.zeros((1, 1), np.float32), np.ones(1, np.float32)])
        return model

    _resave(tone_folder, spoil)
    _refused(tone_folder, r"int8 gives every window 0\.7\d\d to 0\.7\d\d")


def test_another_number_of_labels_is_refused(tone_folder: Path) -> None:
    def spoil(keras: Any, model: Any) -> Any:
        wider = keras.layers.Dense(2, name="two")(model.get_layer("scores").input)
        return keras.Model(model.inputs, wider)

    _resave(tone_folder, spoil)
    _refused(tone_folder, r"gives scores of shape \(2,\), the description has 1 labels")


def test_a_lambda_layer_is_refused(tone_folder: Path) -> None:
    def spoil(keras: Any, model: Any) -> Any:
        return keras.Model(model.inputs, keras.layers.Lambda(lambda values: values * 2)(model.outputs[0]))

    _resave(tone_folder, spoil)
    _refused(tone_folder, "holds a Lambda layer, which is code")


def test_stricter_bounds_refuse_what_the_default_accepts(tone_folder: Path) -> None:
    _refused(tone_folder, "tone: mean difference", Bounds(mean_difference=1e-9))
    _refused(tone_folder, "golden case 'silence' differs by .* without XNNPACK", Bounds(plain_kernels=-1.0))


def test_a_name_that_no_bundle_may_have_is_refused_by_path(tone_folder: Path) -> None:
    path = tone_folder / "description.json"
    path.write_text(path.read_text(encoding="utf-8").replace("tiny-tone", "Tiny Tone"), encoding="utf-8")
    _refused(tone_folder, r"out\.tflite: name is 'Tiny Tone', must match")
