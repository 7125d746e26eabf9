"""A run folder and its windows as training leaves them, of the tone network: one label, on windows of six subjects."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from converter import toolchain
from converter.predictions import keras_probabilities
from converter.rebuilding.rebuild import load_network
from converter.report.run_files import write_predictions
from converter.training_output import read_training_output

if TYPE_CHECKING:
    from pathlib import Path

RECORD: dict[str, Any] = {
    "system": "cnn_bilstm",
    "form": "published",
    "task": "own",
    "labels": ["tone"],
    "activation": "sigmoid",
    "seed": 1,
    "measure": "ROC AUC",
    "thresholds": {"tone": 0.5},
    "test": {"measure": 1.0},
}


def finished_run(hand_over: Path, folder: Path, name: str = "tone-1", **changed: Any) -> tuple[Path, Path]:
    """Write `folder/runs/NAME` and `folder/windows/NAME`; both paths. The agreement windows judge as test part too."""
    run, windows = folder / "runs" / name, folder / "windows" / name
    run.mkdir(parents=True)
    windows.mkdir(parents=True)
    for file in ("model.keras", "description.json"):
        shutil.copy(hand_over / file, run / file)
    for file, source in (("calibration", "calibration"), ("agreement", "agreement"), ("test", "agreement")):
        shutil.copy(hand_over / f"{source}.npz", windows / f"{file}.npz")
    (run / "run.json").write_text(json.dumps(RECORD | changed), encoding="utf-8")
    trained = read_training_output(run, calibration=windows)
    with toolchain.quietly():
        probability = keras_probabilities(load_network(trained.network), trained)
    count = len(probability)
    predicted = {
        "file": np.array([f"{index % 6}.wav" for index in range(count)]),
        "start_s": np.arange(count, dtype=np.float32),
        "end_s": np.arange(1, count + 1, dtype=np.float32),
        "subject": np.array([f"s{index % 6}" for index in range(count)]),
        "target": trained.target,
    }
    write_predictions(run / "predictions-test.npz", predicted, probability)
    return run, windows
