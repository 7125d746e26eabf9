"""Training on torch: the same command, the same networks, and weights that pass to TensorFlow and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.training.train.system import tiny_run
from tests.training.train.system.small_collection import write_collection
from training.__main__ import main
from training.train.system.stop_request import StopRequest

ROOT = Path(__file__).parents[3]
FORMS = (
    "cnn_bilstm/published",
    "residual_dual/streaming",
    "han/published",
    "transfer/dual",
    "transfer/mobilenetv3-large",
    "resnet34/streaming",
    "baseline/lung",
    "audioset/fine-tuned-4k",
)
"""One of each system, and all kinds of recurrent networks."""

TOLERANCE = 1e-5

pytestmark = [
    pytest.mark.timeout(900),  # eight networks on each of two backends, and the machine may be busy
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras's own
]


def on(backend: str, *words: str) -> None:
    """Run `backend_scores` with a backend in a process of its own."""
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    module = "tests.training.torch_backend.backend_scores"
    subprocess.run([sys.executable, "-m", module, *words], cwd=ROOT, env=environment, check=True, timeout=800)


def farthest(folder: Path) -> dict[str, float]:
    """For each network how far the scores of the two backends are apart, in units of the largest score, or of 1."""
    found = {}
    for file in sorted(folder.glob("*.keras")):
        with np.load(file.with_suffix(".npz")) as wrote, np.load(file.with_suffix(".read.npz")) as read:
            assert wrote.files == read.files
            pairs = [(wrote[name], read[name]) for name in wrote.files]
        found[file.stem] = max(float(np.abs(a - b).max() / max(1.0, np.abs(a).max())) for a, b in pairs)
    return found


@pytest.mark.parametrize(("writer", "reader"), [("torch", "tensorflow"), ("tensorflow", "torch")])
def test_networks_pass_from_one_backend_to_the_other(
    writer: str, reader: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on(writer, "write", str(tmp_path), *FORMS)
    on(reader, "read", str(tmp_path))
    found = farthest(tmp_path)
    with capsys.disabled():
        shown = ", ".join(f"{name} {value:.1e}" for name, value in found.items())
        print(f"\n{writer} to {reader}: {shown}")  # noqa: T201 - the figures are what people run it for
    assert len(found) == len(FORMS)
    assert max(found.values()) < TOLERANCE


@pytest.mark.parametrize("name", ["cnn_bilstm/streaming", "han/single", "residual_dual/streaming"])
def test_the_command_trains_on_torch(name: str, tmp_path: Path) -> None:
    assert keras.backend.backend() == "torch"
    sounds, split = map(str, write_collection(tmp_path / "small"))
    out = tmp_path / "run"
    words = [
        "--system",
        name,
        "--data",
        sounds,
        "--split",
        split,
        "--out",
        str(out),
        "--cache",
        str(tmp_path / "cache"),
    ]
    assert main(["train", *words, "--epochs", "2", "--workers", "1"]) == 0
    record = json.loads((out / "run.json").read_text())
    assert record["versions"]["torch"]
    assert (record["epochs"], record["ended"]) == (2, "finished")
    assert (out / "model.keras").is_file()


class _Killed(Exception):  # noqa: N818 - it stands for a signal
    pass


class _KilledAt(StopRequest):
    """Raises in the middle of a later epoch, as if the process ended there."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self._left = batch

    @property
    def wanted(self) -> bool:
        self._left -= 1
        if self._left == 0:
            raise _Killed
        return False


def test_a_run_that_ended_in_an_epoch_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole = tiny_run.train(tmp_path / "whole", epochs=3)
    with pytest.raises(_Killed):
        tiny_run.train(tmp_path / "killed", epochs=3, stop=_KilledAt(8))
    resumed = tiny_run.train(tmp_path / "killed", epochs=3)
    assert [line.loss for line in resumed.lines] == [line.loss for line in whole.lines]
    states = [np.load(tmp_path / name / "resume" / "state.npz") for name in ("whole", "killed")]
    names = [name for name in states[0].files if name.startswith("v")]
    assert len(names) > 15
    assert all(np.array_equal(states[0][name], states[1][name]) for name in names)
    for state in states:
        state.close()
