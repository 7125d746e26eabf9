"""The device's listener and networks of others, as detectors."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from device.errors import BundleError, ConfigError
from device.hearing.bundle.reader import read_bundle
from device.hearing.decision import OperatingPoint
from device.hearing.features import window_features
from training.evaluation.alarm_counting import decide_alarms
from training.evaluation.detectors import (
    FLOAT,
    INT8,
    ListenerDetector,
    PeerDetector,
    evaluated_label,
    open_detectors,
)
from training.evaluation.keras_network import KerasNetwork
from training.mixing.scenes import mix_scenes, plan_scenes

if TYPE_CHECKING:
    from pathlib import Path

    from device.hearing.bundle.contents import Bundle
    from tests.training.conftest import Collection

Float32 = npt.NDArray[np.float32]

POINT = OperatingPoint(on=0.5, off=0.25, confirm_s=1.0, confirm_of_s=1.0, min_length_s=0.0, hold_s=1.0, cooldown_s=2.0)


def beep(quiet_s: float = 4.0, tone_s: float = 4.0) -> Float32:
    """Hiss with a tone of 1 kHz in its middle."""
    rng = np.random.default_rng(1)
    samples = 1e-3 * rng.standard_normal(round((2 * quiet_s + tone_s) * 16_000))
    first, count = round(quiet_s * 16_000), round(tone_s * 16_000)
    samples[first : first + count] += 0.2 * np.sin(2 * np.pi * 1000 * np.arange(count) / 16_000)
    return samples.astype(np.float32)


def test_the_listener_yields_the_time_of_its_decision(tiny_bundle_path: Path) -> None:
    (detector,) = open_detectors(tiny_bundle_path)
    detections = detector.detect(beep(), "s")[INT8]
    assert len(detections.alarms_s) == 1
    assert 5 < detections.alarms_s[0] < 7
    assert detections.alarms_s[0] in detections.windows.ends_s
    assert detections.windows.probabilities.max() > 0.9
    assert detections.windows.probabilities[0] < 0.1


def test_the_decider_over_the_scores_raises_the_alarms_of_the_listener(
    collection: Collection, tiny_bundle_path: Path
) -> None:
    """So a point that is chosen on scores is chosen by the alarms that an evaluation counts."""
    (detector,) = open_detectors(tiny_bundle_path)
    (system,) = detector.systems
    raised = 0
    for plan in plan_scenes(collection.data, "test", split=collection.split):
        for _, samples in mix_scenes(plan, [], seed=1):
            detections = detector.detect(samples, "s")[INT8]
            assert decide_alarms(detections.windows, system.point) == detections.alarms_s
            raised += len(detections.alarms_s)
    assert raised


def test_a_system_is_named_with_its_window_and_the_bundles_own_point(tiny_bundle_path: Path) -> None:
    (detector,) = open_detectors(tiny_bundle_path)
    (system,) = detector.systems
    assert system.window_s == 2.0
    assert system.point == read_bundle(tiny_bundle_path).labels[0].operating_point


def test_faults_of_the_microphone_are_reported(tiny_bundle_path: Path) -> None:
    (detector,) = open_detectors(tiny_bundle_path)
    assert "silence" in detector.detect(np.zeros(80_000, np.float32), "s")[INT8].faults


def _renamed(bundle: Bundle, **roles: str) -> Bundle:
    labels = tuple(dataclasses.replace(bundle.labels[0], name=name, role=role) for name, role in roles.items())  # type: ignore[arg-type]  # roles are given as words
    return dataclasses.replace(bundle, labels=labels)


def test_the_only_alarm_is_judged_unless_another_label_is_wanted(tiny_bundle_path: Path) -> None:
    bundle = _renamed(read_bundle(tiny_bundle_path), cry="alarm", cough="info")
    assert evaluated_label(bundle).name == "cry"
    assert evaluated_label(bundle, "cough").name == "cough"


@pytest.mark.parametrize("wanted", [None, "wheeze"])
def test_a_label_that_is_not_clear_is_refused_with_those_there_are(tiny_bundle_path: Path, wanted: str | None) -> None:
    bundle = _renamed(read_bundle(tiny_bundle_path), cry="alarm", scream="alarm")
    with pytest.raises(ConfigError, match="cry, scream"):
        evaluated_label(bundle, wanted)


# --- the float network -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def float_path(tiny_bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with the inputs of the tiny bundle, its weights drawn."""
    from converter import toolchain

    keras = toolchain.keras()
    keras.utils.set_random_seed(3)
    path = tmp_path_factory.mktemp("float") / "model.keras"
    inputs = [keras.Input((*spec.shape, 1)) for spec in read_bundle(tiny_bundle_path).specs]
    pooled = [keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(one)) for one in inputs]
    network = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Concatenate()(pooled)))
    with toolchain.quietly():
        network.save(path)
    return path


def test_a_float_network_answers_as_keras_does(float_path: Path, tiny_bundle_path: Path) -> None:
    from converter import toolchain

    bundle = read_bundle(tiny_bundle_path)
    features = [window_features(spec, beep()[64_000:96_000]) for spec in bundle.specs]
    with toolchain.quietly():
        network = toolchain.keras().saving.load_model(float_path)
    logit = network([one[None, ..., None] for one in features]).numpy()[0]
    answer = KerasNetwork(float_path, bundle).classify(features).probabilities
    assert answer == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)


def test_float_and_int8_hear_the_same_windows(float_path: Path, tiny_bundle_path: Path) -> None:
    (detector,) = open_detectors(tiny_bundle_path, float_path=float_path)
    detections = detector.detect(beep(), "s")
    assert set(detections) == {INT8, FLOAT}
    assert np.array_equal(detections[INT8].windows.ends_s, detections[FLOAT].windows.ends_s)
    assert "int8, float" in repr(detector)


def test_a_float_network_of_another_model_is_refused(float_path: Path, tiny_low_bundle_path: Path) -> None:
    with pytest.raises(BundleError, match="tiny-low takes"):
        KerasNetwork(float_path, read_bundle(tiny_low_bundle_path))


def test_a_damaged_float_network_is_refused(tmp_path: Path, tiny_bundle_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"no network")
    with pytest.raises(BundleError, match=r"model\.keras cannot be loaded"):
        KerasNetwork(path, read_bundle(tiny_bundle_path))


# --- YAMNet ---------------------------------------------------------------------------------------------


@pytest.mark.real_audio
def test_yamnet_hears_a_real_cry_and_no_tone(peers_dir: Path, data_dir: Path) -> None:
    import soundfile

    detector = PeerDetector(peers_dir / "yamnet.tflite", POINT)
    cry, _ = soundfile.read(data_dir / "babycry" / "cry" / "margot.m4a_10.ogg", dtype="float32")
    detections = detector.detect(cry, "s")
    assert set(detections) == {"yamnet 0.3", "yamnet 0.5"}
    assert detections["yamnet 0.3"].alarms_s
    assert detections["yamnet 0.3"].windows.ends_s[0] == pytest.approx(0.975)
    assert not detector.detect(beep(), "s")["yamnet 0.3"].alarms_s


def test_a_detector_names_its_networks_and_label(tiny_bundle_path: Path) -> None:
    (detector,) = open_detectors(tiny_bundle_path)
    assert isinstance(detector, ListenerDetector)
    assert repr(detector) == "ListenerDetector(int8; tone)"
