"""The loop: it survives a kill to the last bit, ends when it is asked to, and keeps the best weights."""

from __future__ import annotations

import csv
import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import astuple, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest

from device.errors import ConfigError
from tests.training.train.system import tiny_run
from training.train.judging.task_measures import probabilities, task_measure
from training.train.system import epoch_loop
from training.train.system.stop_request import StopRequest, TrainingStopped

if TYPE_CHECKING:
    from training.train.system.training_state import Progress

ROOT = Path(__file__).parents[4]
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONPATH": str(ROOT),
}

# Keras's own, of numpy's interface.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def variables(folder: Path) -> dict[str, np.ndarray]:
    """All variables of the saved state: weights, statistics, dropout's generator, both moments of the optimizer."""
    with np.load(folder / "resume" / "state.npz") as archive:
        return {name: archive[name] for name in archive.files if name.startswith("v")}


def history(folder: Path) -> list[list[str]]:
    """`history.csv` without the column of seconds."""
    rows = list(csv.reader((folder / "history.csv").read_text().splitlines()))
    return [row[:-1] for row in rows]


def weights(file: Path) -> list[np.ndarray]:
    return [np.asarray(one) for one in keras.saving.load_model(file, compile=False).get_weights()]


def run_alone(folder: Path, pause_s: float) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tests.training.train.system.tiny_run", str(folder), "5", str(pause_s)]
    return subprocess.Popen(words, cwd=ROOT, env=os.environ | ONE_THREAD)


def epochs_saved(folder: Path) -> int:
    state = folder / "resume" / "state.npz"
    if not state.exists():
        return 0
    with np.load(state) as archive:
        return str(archive["progress"]).count('"epoch"')


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits_as_one_that_was_not(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    first = run_alone(killed, 0.2)
    deadline = time.monotonic() + 240
    while epochs_saved(killed) < 2 and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.02)
    time.sleep(0.3)  # into the third epoch, whose five batches take a second
    first.send_signal(signal.SIGKILL)
    assert first.wait(30) == -signal.SIGKILL
    assert 2 <= epochs_saved(killed) < 5
    assert not (killed / "history.csv").exists()
    for process in [run_alone(folder, 0.0) for folder in (killed, whole)]:
        assert process.wait(240) == 0
    before, after = variables(whole), variables(killed)
    assert len(before) > 15
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert history(whole) == history(killed)
    best = [weights(folder / "best.keras") for folder in (whole, killed)]
    assert all(np.array_equal(one, two) for one, two in zip(*best, strict=True))


class _StoppedAt(StopRequest):
    """Sends this process a real signal after some batches."""

    def __init__(self, batch: int, number: int) -> None:
        super().__init__()
        self._left, self._number = batch, number

    def noted_only(self) -> object:  # type: ignore[override]
        self._left -= 1
        inner = super().noted_only()
        request = self

        class Sending:
            def __enter__(self) -> None:
                inner.__enter__()
                if request._left == 0:
                    os.kill(os.getpid(), request._number)

            def __exit__(self, *error: object) -> None:
                inner.__exit__(*error)  # type: ignore[arg-type]

        return Sending()


def lines(progress: Progress) -> list[tuple[float, ...]]:
    return [astuple(replace(line, seconds=0.0)) for line in progress.lines]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_between_two_batches_and_the_same_command_goes_on(number: int, tmp_path: Path) -> None:
    stop = _StoppedAt(8, number)
    with (
        stop.listening(),
        pytest.raises(TrainingStopped, match="stopped in epoch 2: what it had after epoch 1 is saved") as told,
    ):
        tiny_run.train(tmp_path, epochs=3, stop=stop)
    assert told.value.signal_number == number
    assert lines(tiny_run.train(tmp_path, epochs=3)) == lines(tiny_run.train(tmp_path / "whole", epochs=3))


def test_the_average_of_the_weights_is_judged_and_saved_and_training_goes_on_from_the_weights(tmp_path: Path) -> None:
    """Whoever stops after the first epoch and goes on gets the same: the average is part of the state."""
    plain = tiny_run.train(tmp_path / "plain", epochs=3)
    averaged = tiny_run.train(tmp_path / "averaged", epochs=3, average=0.9)
    assert [one.loss for one in averaged.lines] == [one.loss for one in plain.lines]
    assert [one.val_loss for one in averaged.lines] != [one.val_loss for one in plain.lines]
    stop = _StoppedAt(8, signal.SIGTERM)
    with stop.listening(), pytest.raises(TrainingStopped):
        tiny_run.train(tmp_path / "stopped", epochs=3, average=0.9, stop=stop)
    assert lines(tiny_run.train(tmp_path / "stopped", epochs=3, average=0.9)) == lines(averaged)
    network = keras.saving.load_model(tmp_path / "averaged" / "best.keras")
    val = tiny_run.part(40, 2)
    scores = probabilities(np.asarray(network.predict_on_batch(val.inputs[0])), "sigmoid")
    assert averaged.best is not None
    assert task_measure(val.targets, scores, tiny_run.LABELS, "sigmoid") == averaged.best.val_measure


def test_the_best_weights_are_kept_and_nothing_of_the_training_is_in_their_file(tmp_path: Path) -> None:
    progress = tiny_run.train(tmp_path, epochs=4)
    best = progress.best
    assert best is not None
    assert best.val_measure == max(line.val_measure for line in progress.lines)
    network = keras.saving.load_model(tmp_path / "best.keras", safe_mode=True)
    assert not network.compiled
    logits = epoch_loop.logits_of(epoch_loop.logits_alone(network), tiny_run.part(40, 2).inputs)
    scores = probabilities(logits, "sigmoid")
    measure = task_measure(tiny_run.part(40, 2).targets, scores, tiny_run.LABELS, "sigmoid")
    assert measure == pytest.approx(best.val_measure)
    assert [row[0] for row in history(tmp_path)] == ["epoch", "1", "2", "3", "4"]


def test_a_spent_budget_ends_the_epoch_under_way_and_is_called_so(tmp_path: Path) -> None:
    progress = tiny_run.train(tmp_path, epochs=5, budget_s=1e-3)
    assert (progress.ended, len(progress.lines), progress.lines[0].batches) == ("budget", 1, 1)
    assert tiny_run.train(tmp_path, epochs=5) == progress


def test_a_budget_counts_processor_time_and_a_machine_that_is_busy_takes_no_step_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SimpleNamespace(monotonic=itertools.count(0.0, 1e4).__next__, process_time=time.process_time)
    monkeypatch.setattr(epoch_loop, "time", slow)
    progress = tiny_run.train(tmp_path, epochs=3, budget_s=3000.0)
    assert (progress.ended, len(progress.lines)) == ("finished", 3)
    assert progress.seconds >= 3e4


def test_epochs_without_a_better_measure_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measures = iter([0.4, 0.6, 0.6, 0.5, 0.59, 0.9])
    monkeypatch.setattr(epoch_loop, "task_measure", lambda *_given: next(measures))
    monkeypatch.setattr(tiny_run, "RECIPE", replace(tiny_run.RECIPE, patience=3))
    progress = tiny_run.train(tmp_path, epochs=9)
    assert (progress.ended, len(progress.lines)) == ("early stopping", 5)
    assert progress.best is not None
    assert progress.best.epoch == 2


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    tiny_run.train(tmp_path, epochs=1, seed=7)
    with pytest.raises(ConfigError, match="holds a run with seed 7, not 8"):
        tiny_run.train(tmp_path, epochs=1, seed=8)


def test_a_damaged_state_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "resume").mkdir()
    (tmp_path / "resume" / "state.npz").write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(ConfigError, match=r"cannot be read .*: remove the run's folder and train anew"):
        tiny_run.train(tmp_path, epochs=1)
