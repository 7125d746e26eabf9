"""Reads a finished run, and the windows that `python -m training windows` wrote for it.

RUN/run.json, model.keras, description.json     what was trained, for what, and its figure on the test part
RUN/predictions-test.npz                        file, start_s, end_s, subject, target, probability
WINDOWS/calibration.npz, agreement.npz          what `training_output` reads
WINDOWS/test.npz                                features of the test part, in the order of the predictions
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.training_output import TrainingOutput, read_training_output, read_windows
from converter.window_sequences import sequence_numbers
from device.errors import BundleError
from device.strict_json import members, parse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from converter.window_sequences import Numbers

    Float32 = npt.NDArray[np.float32]

_MEMBERS = {"system": str, "form": str, "task": str, "labels": list, "activation": str, "measure": str, "test": dict}
_PREDICTED = ("file", "start_s", "end_s", "subject", "target", "probability")
_FIGURES_VERSION = b"2"  # of `conversion.json`: older figures are measured again
_WINDOW_FILES = ("calibration.npz", "agreement.npz", "test.npz")


@dataclass(frozen=True, slots=True, eq=False)
class RunFiles:
    """One finished run.

    Attributes:
        name: of its folder.
        record: `run.json`.
        trained: as the converter reads it.
        test: features of the test part, one float32 (n, frames, bins, 1) for each spec.
        predicted: the arrays of `predictions-test.npz`.
        test_sequence: which windows of the test part follow one another; None for a network that keeps nothing.
    """

    name: str
    record: Mapping[str, Any]
    trained: TrainingOutput
    test: tuple[Float32, ...]
    predicted: Mapping[str, Any]
    test_sequence: Numbers | None = None


def read_run_files(run: Path, windows: Path) -> RunFiles:
    """A run with its windows.

    Raises:
        BundleError: a file is missing, its content is invalid, or the files do not belong together.
    """
    record = read_record(run)
    trained = read_training_output(run, calibration=windows)
    test, rest = read_windows(windows / "test.npz", trained.specs)
    numbers = None
    if trained.agreement_sequence is not None:
        numbers = sequence_numbers(str(windows / "test.npz"), rest.get("sequence"), len(test[0]))
    predicted = _predictions(run / "predictions-test.npz")
    if len(predicted["target"]) != len(test[0]):
        raise BundleError(
            f"{windows / 'test.npz'} holds {len(test[0])} windows, {run.name} was judged by "
            f"{len(predicted['target'])}; write them again with python -m training windows"
        )
    return RunFiles(run.name, record, trained, test, predicted, numbers)


def read_record(run: Path) -> dict[str, Any]:
    """What `run.json` says.

    Raises:
        BundleError: it is missing, or not what training writes.
    """
    path = run / "run.json"
    if not path.is_file():
        raise BundleError(f"{run} holds no run.json; name the folder of a finished run")
    value = parse(path.read_bytes(), str(path))
    if not isinstance(value, dict):
        raise BundleError(f"{path} must be an object")
    members({name: value.get(name) for name in _MEMBERS}, str(path), _MEMBERS)
    return value


def content_hash(run: Path, windows: Path) -> str:
    """SHA-256 over everything that a run's conversion depends on.

    Raises:
        BundleError: a file is missing.
    """
    files = [run / "run.json", run / "model.keras", run / "description.json"]
    files += [windows / name for name in _WINDOW_FILES]
    total = hashlib.sha256(_FIGURES_VERSION)
    for path in files:
        if not path.is_file():
            raise BundleError(f"{path.parent}: {path.name} is missing")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def write_predictions(path: Path, predicted: Mapping[str, Any], probability: Float32) -> None:
    """Write predictions of the same windows with other probabilities; `numpy.savez` knows no array called `file`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _PREDICTED:
            values = probability if name == "probability" else predicted[name]
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, values, allow_pickle=False)


def _predictions(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in _PREDICTED}
    except (KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is not what a training run leaves: {error}") from None
