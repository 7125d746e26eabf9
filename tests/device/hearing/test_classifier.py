"""A network is believed once it has reproduced its golden numbers here, and its failures have names."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from device.errors import BundleError, ClassifierError, MissingExtraError
from device.hearing.bundle.reader import read_bundle
from device.hearing.classifier import Classifier
from device.hearing.features import window_features
from device.hearing.inference import interpreter as under_test
from device.hearing.inference.forward import WholeNetwork
from device.hearing.network.probabilities import sigmoid

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from device.hearing.bundle.contents import Bundle
    from device.hearing.inference.loaded_graph import LoadedGraph

    Float32 = npt.NDArray[np.float32]


ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def tone(tiny_bundle_path: Path) -> Bundle:
    return read_bundle(tiny_bundle_path)


@pytest.fixture(scope="module")
def low(tiny_low_bundle_path: Path) -> Bundle:
    return read_bundle(tiny_low_bundle_path)


def _graph(classifier: Classifier) -> LoadedGraph:
    """What a classifier of a network in one part runs."""
    assert isinstance(classifier._forward, WholeNetwork)
    return classifier._forward._graph


def _features(bundle: Bundle, hz: float, gain: float = 0.1) -> list[Float32]:
    seconds = np.arange(bundle.window_samples) / bundle.sample_rate_hz
    noise = np.random.default_rng(0).normal(0, 1e-3, bundle.window_samples)
    samples = (gain * np.sin(2 * np.pi * hz * seconds) + noise).astype(np.float32)
    return [window_features(spec, samples) for spec in bundle.specs]


def test_a_tone_is_heard_and_another_is_not(tone: Bundle, low: Bundle) -> None:
    with Classifier.open(tone) as classifier:
        assert classifier.classify(_features(tone, 1000.0)).probabilities[0] > 0.95
        assert classifier.classify(_features(tone, 3000.0)).probabilities[0] < 0.05
    with Classifier.open(low) as classifier:
        probabilities = classifier.classify(_features(low, 300.0)).probabilities
        assert probabilities.shape == (2,)
        assert probabilities.dtype == np.float32
        assert probabilities[0] > 0.95
        assert probabilities[1] < 0.05


def test_inputs_are_found_by_name_not_by_their_order_in_the_graph(tone: Bundle) -> None:
    """The converter put `input_1` first; a classifier that goes by order would not even open."""
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=tone.network)
    assert [detail["name"].split("_")[-1][:1] for detail in interpreter.get_input_details()] == ["1", "0"]
    Classifier.open(tone).close()


def test_the_same_features_give_the_same_bits_again_and_with_any_thread_count(tone: Bundle) -> None:
    features = [_features(tone, hz) for hz in (500.0, 900.0, 1000.0, 1100.0)]
    with Classifier.open(tone) as one, Classifier.open(tone, threads=2) as two:
        first = [one.classify(each).probabilities for each in features]
        for classifier in (one, two):
            for each, expected in zip(reversed(features), reversed(first), strict=True):
                np.testing.assert_array_equal(classifier.classify(each).probabilities, expected)


def test_the_plain_kernels_hear_the_same_within_their_rounding(tone: Bundle) -> None:
    with Classifier.open(tone) as fast, Classifier(tone, accelerated=False) as plain:
        for hz in (500.0, 1000.0, 3000.0):
            found = plain.classify(_features(tone, hz)).probabilities
            np.testing.assert_allclose(found, fast.classify(_features(tone, hz)).probabilities, atol=0.1)


def test_a_result_does_not_change_when_the_next_window_is_classified(tone: Bundle) -> None:
    with Classifier.open(tone) as classifier:
        kept = classifier.classify(_features(tone, 1000.0))
        copy = kept.probabilities.copy()
        classifier.classify(_features(tone, 3000.0))
        np.testing.assert_array_equal(kept.probabilities, copy)


def test_quantization_rounds_half_to_even_and_clips(low: Bundle) -> None:
    with Classifier.open(low) as classifier:
        tensor = _graph(classifier).inputs["input_0"]
        steps = np.array([0.0, 0.5, 1.5, -0.5, 1e6, -1e6])
        values = np.zeros(low.specs[0].shape, np.float32)
        tensor._scale, tensor._zero_point = np.float32(1.0), np.float32(0.0)
        values[0, : len(steps)] = steps
        assert tensor.quantized(values)[0, 0, : len(steps), 0].tolist() == [0, 0, 2, 0, 127, -128]


def test_it_says_what_runs_it_and_when_it_is_closed(tone: Bundle) -> None:
    classifier = Classifier.open(tone)
    assert repr(classifier) == f"Classifier('tiny-tone', {classifier.runtime}, 2 inputs, 1 labels)"
    assert classifier.runtime.split()[0] in ("ai-edge-litert", "tflite-runtime")
    classifier.close()
    classifier.close()
    assert classifier.closed
    assert repr(classifier).endswith("closed)")
    with pytest.raises(ClassifierError, match="the classifier is closed"):
        classifier.classify(_features(tone, 1000.0))


# --- what open refuses --------------------------------------------------------------------------


def _golden(bundle: Bundle, change: Callable[[Any], Any]) -> Bundle:
    return replace(bundle, golden=(bundle.golden[0], change(bundle.golden[1])))


def test_features_that_differ_from_golden_are_refused(tone: Bundle) -> None:
    def shifted(case: Any) -> Any:
        return replace(case, features=(case.features[0], case.features[1] + np.float32(0.01)))

    with pytest.raises(
        BundleError, match=r"golden case 'sine': features 1 are .* from the golden ones .* within 0\.0001"
    ):
        Classifier.open(_golden(tone, shifted))


def test_features_within_the_tolerance_are_accepted(tone: Bundle) -> None:
    def shifted(case: Any) -> Any:
        return replace(case, features=tuple(array + np.float32(5e-5) for array in case.features))

    Classifier.open(_golden(tone, shifted)).close()


def test_a_case_without_features_is_judged_by_those_of_this_machine(tone: Bundle) -> None:
    Classifier.open(_golden(tone, lambda case: replace(case, features=()))).close()

    def another_sound(case: Any) -> Any:
        return replace(case, features=(), samples=np.zeros_like(case.samples))

    with pytest.raises(BundleError, match=r"golden case 'sine': tone scores 0\.0\d+ on .*, must be within"):
        Classifier.open(_golden(tone, another_sound))


def test_a_score_that_differs_from_golden_is_refused_with_case_figure_and_tolerance(tone: Bundle) -> None:
    def moved(case: Any) -> Any:
        return replace(case, probabilities=case.probabilities - np.float32(0.15))

    with pytest.raises(BundleError, match=r"'sine': tone scores 0\.99\d\d on .*, must be within 0\.\d+ of 0\.84"):
        Classifier.open(_golden(tone, moved))


def test_a_score_within_the_tolerance_is_accepted(tone: Bundle) -> None:
    def moved(case: Any) -> Any:
        return replace(case, probabilities=case.probabilities - np.float32(0.015))

    Classifier.open(_golden(tone, moved)).close()


def test_another_number_of_labels_is_refused(tone: Bundle) -> None:
    more = (*tone.labels, replace(tone.labels[0], name="more"))
    with pytest.raises(BundleError, match=r"scores has shape \(1, 1\), labels and specs need \(1, 2\)"):
        Classifier.open(replace(tone, labels=more))


def test_another_shape_or_number_of_inputs_is_refused(tone: Bundle, low: Bundle) -> None:
    with pytest.raises(BundleError, match=r"input_0 has shape \(1, 62, 16, 1\), .* need \(1, 62, 15, 1\)"):
        Classifier.open(replace(low, specs=(replace(low.specs[0], n_mels=15, mean=(0.0,), scale=(1.0,)),)))
    with pytest.raises(BundleError, match=r"inputs are input_0, input_1, the specs need input_0$"):
        Classifier.open(replace(tone, specs=tone.specs[:1]))


def test_what_is_no_graph_is_refused(low: Bundle) -> None:
    with pytest.raises(BundleError, match="model tiny-low: the network cannot be loaded: "):
        Classifier.open(replace(low, network=b"\x1c\x00\x00\x00TFL3" + bytes(500)))


def test_a_wrong_output_kind_is_refused(low: Bundle) -> None:
    """Logits that are said to be probabilities lie outside 0 to 1, and a golden case shows it."""
    with pytest.raises(BundleError, match="golden case 'silence' fails: model tiny-low: a probability of -5"):
        Classifier.open(replace(low, output="probabilities"))


# --- what classify refuses ----------------------------------------------------------------------


def test_odd_features_are_refused_and_the_next_good_ones_are_not(tone: Bundle) -> None:
    good = _features(tone, 1000.0)
    broken = [good[0].copy(), good[1]]
    broken[0][3, 4] = np.nan
    with Classifier.open(tone) as classifier:
        expected = classifier.classify(good).probabilities
        for odd, sentence in (
            (good[:1], "1 feature given, needs 2"),
            ([good[0], good[0]], r"input_1 has shape \(62, 24\), must be \(62, 8\)"),
            (broken, "input_0 holds a feature that is no finite number"),
        ):
            with pytest.raises(ClassifierError, match=sentence):
                classifier.classify(odd)
        np.testing.assert_array_equal(classifier.classify(good).probabilities, expected)


class _Interpreter:
    """A runtime that returns the scripted scores, or fails."""

    def __init__(self, answer: float | Exception) -> None:
        self.answer = answer

    def set_tensor(self, _: int, __: npt.NDArray[Any]) -> None:
        pass

    def invoke(self) -> None:
        if isinstance(self.answer, Exception):
            raise self.answer

    def get_tensor(self, _: int) -> npt.NDArray[Any]:
        return np.full((1, 1), self.answer, np.float32)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (float("nan"), "a score is nan, no finite number"),
        (float("inf"), "a score is inf, no finite number"),
        (RuntimeError("Node number 3 (CONV_2D) failed\nat 0x00"), r"tiny-tone: Node number 3 \(CONV_2D\) failed$"),
    ],
)
def test_a_failing_network_raises_a_classifier_error(tone: Bundle, answer: float | Exception, sentence: str) -> None:
    with Classifier.open(tone) as classifier:
        _graph(classifier).outputs["scores"]._is_float = True
        _graph(classifier)._interpreter = _Interpreter(answer)
        with pytest.raises(ClassifierError, match=sentence):
            classifier.classify(_features(tone, 1000.0))


def test_further_outputs_come_as_extras_by_name(tone: Bundle) -> None:
    with Classifier.open(tone) as classifier:
        assert classifier.classify(_features(tone, 1000.0)).extras == {}
        _graph(classifier).outputs["embedding"] = _graph(classifier).outputs["scores"]
        found = classifier.classify(_features(tone, 1000.0))
        np.testing.assert_array_equal(sigmoid(found.extras["embedding"]), found.probabilities)


# --- runtime and its chatter --------------------------------------------------------------------


def test_without_a_runtime_the_extra_is_named(tone: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ai_edge_litert", "ai_edge_litert.interpreter", "tflite_runtime", "tflite_runtime.interpreter"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'auricle\[device\]'"):
        Classifier.open(tone)


def test_the_older_runtime_serves_where_litert_is_missing(tone: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    litert = importlib.import_module("ai_edge_litert.interpreter")
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime", litert)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", litert)
    monkeypatch.setattr("importlib.metadata.version", lambda name: {"tflite-runtime": "2.14.0"}[name])
    with Classifier.open(
        _golden(tone, lambda case: replace(case, probabilities=case.probabilities - np.float32(0.09)))
    ) as c:
        assert c.runtime == "tflite-runtime 2.14.0"


def test_a_daemon_without_stderr_opens_it_too(tiny_low_bundle_path: Path) -> None:
    program = (
        "import os, sys; os.close(2)\n"
        "from device.hearing.bundle.reader import read_bundle\n"
        "from device.hearing.classifier import Classifier\n"
        "with Classifier.open(read_bundle(sys.argv[1])) as classifier: print(classifier.name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tiny_low_bundle_path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "tiny-low\n"


def test_opening_says_nothing_on_stderr(tone: Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    Classifier.open(tone).close()
    assert capfd.readouterr().err == ""


def test_what_others_say_meanwhile_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with under_test._without_info_lines():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nERROR: a real one\n")
        os.write(2, b"INFO: from another thread\n")
    assert capfd.readouterr().err == "ERROR: a real one\nINFO: from another thread\n"


def test_stderr_is_itself_again_after_a_failure(low: Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BundleError):
        Classifier.open(replace(low, network=b"\x1c\x00\x00\x00TFL3" + bytes(500)))
    capfd.readouterr()
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"


def test_opening_from_several_threads_leaves_stderr_as_it_was(low: Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    threads = [threading.Thread(target=lambda: Classifier.open(low).close()) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"


@given(hnp.arrays(np.float32, 5, elements=st.floats(width=32, allow_nan=False)))
def test_the_sigmoid_neither_overflows_nor_leaves_its_range(logits: Float32) -> None:
    found = sigmoid(logits)
    assert found.dtype == np.float32
    assert np.all((found >= 0) & (found <= 1))
    np.testing.assert_allclose(found + sigmoid(-logits), 1, atol=1e-6)


def test_the_sigmoid_is_the_logistic_function() -> None:
    logits = np.linspace(-20, 20, 101, dtype=np.float32)
    np.testing.assert_allclose(sigmoid(logits), 1 / (1 + np.exp(-logits.astype(np.float64))), atol=1e-7)
