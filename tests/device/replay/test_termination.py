"""A replay that is ended, in whatever way, leaves neither a process nor half a file."""

from __future__ import annotations

import os
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

WITHIN_S = 60.0


def _children(pid: int) -> set[int]:
    """All processes below one."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:  # noqa: PTH123 - no path
            below = {int(child) for child in file.read().split()}
    except FileNotFoundError:
        return set()
    return below.union(*map(_children, below)) if below else below


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - no path
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait_until(what: str, is_so: object) -> None:
    deadline_s = time.monotonic() + WITHIN_S
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < deadline_s, what
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_all_workers_and_leaves_no_half_file(
    tmp_path: Path, tiny_bundle_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "nights").mkdir()
    samples = np.tile(np.random.default_rng(0).integers(-30, 30, 1800 * 16000, dtype=np.int16), 2)
    for name in ("a", "b", "c"):
        soundfile.write(tmp_path / "nights" / f"{name}.wav", samples, 16000)
    (tmp_path / "scores.csv").write_text("old")
    outputs = ["--scores", "scores.csv", "--report", "pages", "--labels", "tracks"]
    command = [sys.executable, "-m", "device", "replay", "--workers", "2", "--model", str(tiny_bundle_path)]
    replay = subprocess.Popen([*command, *outputs, "nights"], cwd=tmp_path, env={**os.environ})
    _wait_until("both workers run", lambda: len(_children(replay.pid)) >= 3)  # and multiprocessing's tracker
    time.sleep(1.0)  # in the middle of the first recordings, which last an hour
    workers = _children(replay.pid)
    replay.send_signal(number)
    code = replay.wait(WITHIN_S)
    assert code in (-number, 128 + number)
    _wait_until("all workers have ended", lambda: not any(map(_runs, workers)))
    assert (tmp_path / "scores.csv").read_text() == "old"
    written = {path.name for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "nights"}
    assert written == {"scores.csv"}
