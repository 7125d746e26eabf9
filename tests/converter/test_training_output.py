"""What training hands over is read as it stands, or refused by file and figure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from converter.training_output import read_training_output
from device.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _describe(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "description.json"
    value = json.loads(path.read_text(encoding="utf-8"))
    edit(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def _rewrite(folder: Path, name: str, **changes: Any) -> None:
    """Change arrays of an npz; None removes one."""
    with np.load(folder / name) as file:
        arrays = {key: file[key] for key in file.files} | changes
    np.savez(folder / name, **{key: array for key, array in arrays.items() if array is not None})


def test_a_folder_is_read(tone_folder: Path) -> None:
    trained = read_training_output(tone_folder)
    assert (trained.name, trained.version, trained.output) == ("tiny-tone", "1.0.0", "logits")
    assert [label.name for label in trained.labels] == ["tone"]
    assert [array.shape for array in trained.calibration] == [(512, 62, 24, 1), (512, 62, 8, 1)]
    assert trained.target.shape == (512, 1)
    assert trained.target.dtype == np.float32


@pytest.mark.parametrize("name", ["model.keras", "description.json", "calibration.npz", "agreement.npz"])
def test_a_missing_file_is_named(tone_folder: Path, name: str) -> None:
    (tone_folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        read_training_output(tone_folder)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda value: value.update(hop_s=0.0), "hop_s is 0, must be 0.01 to 60 seconds"),
        (lambda value: value.update(hop_s="0.5"), "hop_s must be a number"),
        (lambda value: value.pop("version"), "lacks 'version'"),
        (lambda value: value.update(seed=1), "unknown member 'seed'"),
        (lambda value: value.update(output="odds"), "output is 'odds', must be one of logits, softmax, probabilities"),
        (lambda value: value["labels"][0]["operating_point"].update(on=1.5), "0 < off <= on < 1"),
        (lambda value: value["specs"][1].update(hop=0), "spec 1: feature spec: hop is 0"),
        (lambda value: value["specs"].__setitem__(0, 5), "spec 0 must be an object"),
    ],
)
def test_an_odd_description_is_refused(
    tone_folder: Path, edit: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    _describe(tone_folder, edit)
    with pytest.raises(BundleError, match=rf"description\.json.*{sentence}"):
        read_training_output(tone_folder)


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("calibration.npz", {"input_1": None}, "input_1 is missing, must be float32"),
        ("calibration.npz", {"input_0": np.zeros((512, 62, 24), np.float32)}, r"input_0 is float32 \(512, 62, 24\)"),
        ("calibration.npz", {"input_0": np.zeros((512, 62, 24, 1))}, "input_0 is float64"),
        ("calibration.npz", {"input_0": np.zeros((0, 62, 24, 1), np.float32)}, r"is float32 \(0, 62"),
        ("calibration.npz", {"input_0": np.zeros((9, 62, 24, 1), np.float32)}, r"hold \[9, 512\] windows"),
        ("agreement.npz", {"input_0": np.full((512, 62, 24, 1), np.nan, np.float32)}, "not finite"),
        ("agreement.npz", {"target": None}, r"target is missing, must be float32 \(512, 1\)"),
        ("agreement.npz", {"target": np.zeros((512, 2), np.float32)}, r"target is \(512, 2\)"),
        ("agreement.npz", {"target": np.full((512, 1), 2.0, np.float32)}, "must hold numbers from 0 to 1"),
    ],
)
def test_odd_windows_are_refused(tone_folder: Path, name: str, changes: dict[str, Any], sentence: str) -> None:
    _rewrite(tone_folder, name, **changes)
    with pytest.raises(BundleError, match=f"{name}.*{sentence}"):
        read_training_output(tone_folder)


def test_objects_in_an_npz_are_not_unpickled(tone_folder: Path) -> None:
    np.savez(tone_folder / "calibration.npz", input_0=np.array([{}], dtype=object))
    with pytest.raises(BundleError, match=r"calibration\.npz cannot be read"):
        read_training_output(tone_folder)


def test_a_damaged_npz_is_refused(tone_folder: Path) -> None:
    (tone_folder / "agreement.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(BundleError, match=r"agreement\.npz cannot be read"):
        read_training_output(tone_folder)
