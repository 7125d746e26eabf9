"""The device's listener and networks of others, as ears."""

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
from device.messages import Scores
from training.evaluation.detectors import (
    FLOAT,
    INT8,
    KerasNetwork,
    ListenerDetector,
    PeerDetector,
    begun,
    judged_label,
    open_detectors,
)

if TYPE_CHECKING:
    from pathlib import Path

    from device.hearing.bundle.contents import Bundle

Float32 = npt.NDArray[np.float32]

POINT = OperatingPoint(on=0.5, off=0.25, confirm_s=1.0, confirm_of_s=1.0, min_length_s=0.0, hold_s=1.0, cooldown_s=2.0)


def beep(quiet_s: float = 4.0, tone_s: float = 4.0) -> Float32:
    """Hiss with a tone of 1 kHz in its middle."""
    rng = np.random.default_rng(1)
    samples = 1e-3 * rng.standard_normal(round((2 * quiet_s + tone_s) * 16_000))
    first, count = round(quiet_s * 16_000), round(tone_s * 16_000)
    samples[first : first + count] += 0.2 * np.sin(2 * np.pi * 1000 * np.arange(count) / 16_000)
    return samples.astype(np.float32)


def scores(probabilities: list[float]) -> list[Scores]:
    return [Scores("cry", {"cry": value}, index / 2, index / 2 + 2) for index, value in enumerate(probabilities)]


def test_the_listener_tells_when_an_event_was_decided(tiny_bundle_path: Path) -> None:
    (ear,) = open_detectors(tiny_bundle_path)
    heard = ear.hear(beep(), "s")[INT8]
    assert len(heard.begun_s) == 1
    assert 5 < heard.begun_s[0] < 7
    assert heard.begun_s[0] in heard.ends_s
    assert heard.probabilities.max() > 0.9
    assert heard.probabilities[0] < 0.1


def test_a_system_is_named_with_its_window_and_the_bundles_own_point(tiny_bundle_path: Path) -> None:
    (ear,) = open_detectors(tiny_bundle_path)
    (system,) = ear.systems
    assert system.window_s == 2.0
    assert system.point == read_bundle(tiny_bundle_path).labels[0].operating_point


def test_faults_of_the_microphone_are_told(tiny_bundle_path: Path) -> None:
    (ear,) = open_detectors(tiny_bundle_path)
    assert "silence" in ear.hear(np.zeros(80_000, np.float32), "s")[INT8].faults


def test_events_begin_as_the_decider_says_and_a_reopened_one_is_not_told_anew() -> None:
    found = begun(scores([0, 0.9, 0.9, 0, 0, 0.9, 0.9, 0]), POINT, prefix="s")
    assert found == (3.0,)
    apart = dataclasses.replace(POINT, cooldown_s=0.0)
    assert begun(scores([0, 0.9, 0.9, 0, 0, 0, 0, 0.9, 0.9]), apart, prefix="s") == (3.0, 6.0)
    assert begun([], POINT, prefix="s") == ()


def test_a_file_of_one_window_is_judged_by_it() -> None:
    assert begun(scores([0.9]), POINT, prefix="s") == (2.0,)


def _renamed(bundle: Bundle, **roles: str) -> Bundle:
    labels = tuple(dataclasses.replace(bundle.labels[0], name=name, role=role) for name, role in roles.items())  # type: ignore[arg-type]  # roles are given as words
    return dataclasses.replace(bundle, labels=labels)


def test_the_only_alarm_is_judged_unless_another_label_is_wanted(tiny_bundle_path: Path) -> None:
    bundle = _renamed(read_bundle(tiny_bundle_path), cry="alarm", cough="info")
    assert judged_label(bundle).name == "cry"
    assert judged_label(bundle, "cough").name == "cough"


@pytest.mark.parametrize("wanted", [None, "wheeze"])
def test_a_label_that_is_not_clear_is_refused_with_those_there_are(tiny_bundle_path: Path, wanted: str | None) -> None:
    bundle = _renamed(read_bundle(tiny_bundle_path), cry="alarm", scream="alarm")
    with pytest.raises(ConfigError, match="cry, scream"):
        judged_label(bundle, wanted)


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
    (ear,) = open_detectors(tiny_bundle_path, float_path=float_path)
    heard = ear.hear(beep(), "s")
    assert set(heard) == {INT8, FLOAT}
    assert np.array_equal(heard[INT8].ends_s, heard[FLOAT].ends_s)
    assert "int8, float" in repr(ear)


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

    ear = PeerDetector(peers_dir / "yamnet.tflite", POINT)
    cry, _ = soundfile.read(data_dir / "babycry" / "cry" / "margot.m4a_10.ogg", dtype="float32")
    heard = ear.hear(cry, "s")
    assert set(heard) == {"yamnet 0.3", "yamnet 0.5"}
    assert heard["yamnet 0.3"].begun_s
    assert heard["yamnet 0.3"].ends_s[0] == pytest.approx(0.975)
    assert not ear.hear(beep(), "s")["yamnet 0.3"].begun_s


def test_an_ear_says_who_listens(tiny_bundle_path: Path) -> None:
    (ear,) = open_detectors(tiny_bundle_path)
    assert isinstance(ear, ListenerDetector)
    assert repr(ear) == "ListenerDetector(int8; tone)"
