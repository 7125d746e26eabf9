"""`python -m training bench`, as a process, on a made-up collection of ten infants."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 16_000
_COLUMNS = ("file", "set", "labels", "subject", "session", "split", "sr", "duration", "source_file", "events", "note")
_PATIENCE_S = 120


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ten infants, each of whom cries for one of two reasons."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(3)
    rows = []
    for infant in range(10):
        reason = "hungry" if infant % 2 else "tired"
        file = f"cry/{infant}.wav"
        (folder / "donateacry" / "cry").mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / "donateacry" / file, 0.1 * rng.standard_normal(3 * RATE_HZ), RATE_HZ)
        told = {"file": file, "set": "donateacry", "labels": f"cry|{reason}", "subject": f"infant-{infant}"}
        rows.append(told | {"sr": RATE_HZ, "duration": 3})
    with (folder / "donateacry" / "manifest.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, _COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    (folder / "weights.npz").touch()
    return folder


def command(data: Path, runs: Path, *options: str) -> list[str]:
    paths = ("--data", str(data), "--weights", str(data / "weights.npz"), "--out", str(runs))
    return [sys.executable, "-m", "training", "bench", *paths, *options]


def bench(data: Path, runs: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(data, runs, *options), check=False, capture_output=True, text=True)


def test_list_prints_every_command_and_runs_none(data: Path, tmp_path: Path) -> None:
    done = bench(data, tmp_path / "runs", "--list")
    assert done.returncode == 0
    assert "python -m training train --system han/published" in done.stdout
    assert not (tmp_path / "runs").exists()


def test_a_step_that_fails_is_named_and_the_next_ones_run(data: Path, tmp_path: Path) -> None:
    done = bench(data, tmp_path, "--only", "svm-1", "folds", "leak")
    assert done.returncode == 1
    assert "2 of 3 failed: svm-1, leak" in done.stderr
    assert (tmp_path / "splits" / "folds" / "fold-4.csv").is_file()


def test_what_is_there_is_not_made_again(data: Path, tmp_path: Path) -> None:
    assert bench(data, tmp_path, "--only", "folds").returncode == 0
    before = (tmp_path / "splits" / "folds" / "fold-0.csv").stat().st_mtime_ns
    again = bench(data, tmp_path, "--only", "folds")
    assert (again.returncode, again.stdout) == (0, "nothing was left to run\n")
    assert (tmp_path / "splits" / "folds" / "fold-0.csv").stat().st_mtime_ns == before


def test_a_pattern_that_names_nothing_is_refused(data: Path, tmp_path: Path) -> None:
    done = bench(data, tmp_path, "--only", "hann-*")
    assert done.returncode == 2
    assert 'training bench: --only "hann-*" names no run; --list shows all names that there are' in done.stderr


def test_missing_weights_are_refused_before_anything_runs(data: Path, tmp_path: Path) -> None:
    done = bench(data, tmp_path / "runs", "--only", "folds", "--weights", str(tmp_path / "none.npz"))
    assert done.returncode == 2
    assert "none.npz is no file" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_run_that_is_stopped_goes_on_with_the_same_command(data: Path, tmp_path: Path) -> None:
    wanted = ("--only", "folds", "baseline-cry-reason-1-fold-0")
    folder = tmp_path / "baseline-cry-reason-1-fold-0"
    process = subprocess.Popen(command(data, tmp_path, *wanted), stderr=subprocess.PIPE, text=True)
    deadline_s = time.monotonic() + _PATIENCE_S
    while not (folder / "history.csv").exists() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 128 + signal.SIGTERM, told
    assert "stopped in baseline-cry-reason-1-fold-0; the same command goes on" in told
    assert not (folder / "run.json").exists()
    again = bench(data, tmp_path, *wanted)
    assert again.returncode == 0, again.stderr
    assert (folder / "run.json").is_file()
