"""Windows of a finished run: balanced, of the right subjects, and those on which its predictions were made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest

from device.hearing.network.probabilities import sigmoid
from tests.training.train.system.small_collection import write_collection
from training.__main__ import main
from training.train.handover.windows_command import FILES
from training.train.judging.prediction_file import load_predictions

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch whose `run.json` quotes the command that makes it."""
    folder = tmp_path_factory.mktemp("run")
    sounds, split = map(str, write_collection(folder / "small"))
    out = folder / "runs" / "cnn-1"
    words = ["train", "--system", "cnn_bilstm/cnn", "--data", sounds, "--split", split, "--out", str(out)]
    assert main([*words, "--workers", "1", "--cache", str(folder / "cache"), "--epochs", "1"]) == 0
    record = json.loads((out / "run.json").read_text())
    record["command"] = " ".join(["python", "-m", "training", *words, "--epochs", "1"])
    (out / "run.json").write_text(json.dumps(record))
    return out


def windows(run: Path, out: Path) -> int:
    return main(["windows", str(run.parent), "--out", str(out), "--workers", "1", "--cache", str(out / "cache")])


@pytest.mark.slow
def test_the_test_windows_give_the_predictions_and_the_others_are_many_and_balanced(run: Path, tmp_path: Path) -> None:
    assert windows(run, tmp_path) == 0
    made: dict[str, Any] = {}
    for name in FILES:
        with np.load(tmp_path / "cnn-1" / name) as file:
            made[name] = {key: file[key] for key in file.files}
    predictions = load_predictions(run / "predictions-test.npz")
    network = keras.saving.load_model(run / "model.keras")
    scores = sigmoid(np.asarray(network(made["test.npz"]["input_0"])))
    assert scores == pytest.approx(predictions.probability, abs=1e-5)
    np.testing.assert_array_equal(made["test.npz"]["target"], predictions.target)
    assert [len(made[name]["target"]) for name in FILES] == [512, 512, 8]
    kinds, counts = np.unique(made["calibration.npz"]["target"], axis=0, return_counts=True)
    assert len(kinds) == 4  # neither, wheeze, crackle, both
    assert counts.max() - counts.min() <= 1
    before = [(tmp_path / "cnn-1" / name).stat().st_mtime_ns for name in FILES]
    assert windows(run, tmp_path) == 0
    assert [(tmp_path / "cnn-1" / name).stat().st_mtime_ns for name in FILES] == before


@pytest.mark.slow
def test_data_that_changed_since_are_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = json.loads((run / "run.json").read_text())
    other = tmp_path / "runs" / "cnn-2"
    other.mkdir(parents=True)
    for name in ("model.keras", "description.json", "predictions-val.npz"):
        (other / name).write_bytes((run / name).read_bytes())
    (other / "predictions-test.npz").write_bytes((run / "predictions-val.npz").read_bytes())
    (other / "run.json").write_text(json.dumps(record))
    assert windows(other, tmp_path / "windows") == 2
    assert "the data hold another test part than when it was trained" in capsys.readouterr().err
