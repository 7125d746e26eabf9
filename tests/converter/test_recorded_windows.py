"""Windows of recordings: balanced over classes, each file in its turn, and none both calibrates and compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from converter import recorded_windows as module
from converter.recorded_windows import recorded_windows
from device.errors import BundleError, RecordingError
from device.hearing.bundle.reader import read_bundle
from device.hearing.features import window_features

if TYPE_CHECKING:
    from pathlib import Path

    from device.hearing.bundle.contents import Bundle


@pytest.fixture
def bundle(tiny_low_bundle_path: Path) -> Bundle:
    """Labels `low` and `normal`, 8 kHz, windows of 2 s."""
    return read_bundle(tiny_low_bundle_path)


def _write(path: Path, level: float, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(round(seconds * 8000), level), 8000, subtype="FLOAT")


def _levels(features: np.ndarray, bundle: Bundle) -> list[float]:
    """Which level each window was written with, found by its features."""
    (spec,) = bundle.specs
    known = {level: window_features(spec, np.full(16000, level, np.float32)) for level in (0.1, 0.2, 0.3, 0.4)}
    return [min(known, key=lambda level: float(np.abs(known[level] - window[..., 0]).max())) for window in features]


def test_every_class_gives_as_many_and_every_other_file_compares(tmp_path: Path, bundle: Bundle) -> None:
    _write(tmp_path / "low" / "a.wav", 0.1, 20.0)
    _write(tmp_path / "low" / "b.wav", 0.2, 20.0)
    _write(tmp_path / "street" / "a.wav", 0.3, 5.0)
    _write(tmp_path / "street" / "b.wav", 0.4, 6.0)
    (ranges, *_), (compared, target, _) = recorded_windows(tmp_path, bundle.labels, bundle.specs)
    assert _levels(ranges[0], bundle) == [0.1] * 2 + [0.3] * 2
    assert _levels(compared[0], bundle) == [0.2] * 3 + [0.4] * 3
    assert target.tolist() == [[1.0, 0.0]] * 3 + [[0.0, 0.0]] * 3


def test_files_take_turns_and_a_short_one_fills_a_window(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CALIBRATION_WINDOWS", 3)
    for name, level, seconds in (("a", 0.1, 20.0), ("b", 0.4, 2.0), ("c", 0.2, 1.0), ("d", 0.4, 2.0)):
        _write(tmp_path / f"{name}.wav", level, seconds)
    (ranges, *_), _ = recorded_windows(tmp_path, bundle.labels, bundle.specs)
    assert len(ranges[0]) == 3
    assert _levels(ranges[0][:2], bundle) == [0.1, 0.2]


def test_a_class_of_one_file_and_an_empty_folder_are_refused(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(RecordingError):
        recorded_windows(tmp_path, bundle.labels, bundle.specs)
    _write(tmp_path / "low" / "a.wav", 0.1, 2.0)
    with pytest.raises(BundleError, match="low holds one recording; at least two are needed"):
        recorded_windows(tmp_path, bundle.labels, bundle.specs)


def test_for_a_network_with_a_past_windows_follow_one_another(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEQUENCE", 4)
    monkeypatch.setattr(module, "CALIBRATION_WINDOWS", 12)
    rng, spec = np.random.default_rng(0), bundle.specs[0]
    sounds = {name: rng.normal(0, 0.1, 8000 * seconds).astype(np.float32) for name, seconds in (("a", 6), ("c", 4))}
    for name, sound in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", sound, 8000, subtype="FLOAT")
        _write(tmp_path / f"{name}x.wav", 0.1, 2.0)
    ranges, compared = recorded_windows(tmp_path, bundle.labels, bundle.specs, hop_s=0.5)
    assert ranges.sequence is not None
    assert ranges.sequence.tolist() == [0] * 4 + [1] * 4 + [2] * 4  # 9 windows of a, 5 of c: 4, 4, then 4 more of a
    for place in range(4):
        for first, name, start in ((0, "a", 0), (4, "c", 0), (8, "a", 4)):
            samples = sounds[name][(start + place) * 4000 :][:16000]
            np.testing.assert_array_equal(ranges.inputs[0][first + place, ..., 0], window_features(spec, samples))
    assert compared.sequence is not None
    assert compared.sequence.tolist() == [0, 1]
