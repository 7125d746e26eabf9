"""How `auricle listen` starts: nothing is dated before it listens, and a stop need not wait for it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from device.demo.demo_command import write_scene
from device.demo.scene import SEED, bedside
from tests.system.conftest import wait_until
from tests.system.running_daemon import AURICLE, RunningDaemon, private

pytestmark = pytest.mark.system

ENDS_WITHIN_S = 5.0


def _played(folder: Path, *words: str) -> list[str]:
    """The console's lines of a daemon that plays the demo's scene."""
    write_scene(folder / "scene.wav", bedside(np.random.default_rng(SEED)))
    command = [str(AURICLE), "listen", "--source", str(folder / "scene.wav"), *words]
    done = subprocess.run(command, env=private(folder, {}), capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.splitlines()


def _utc_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("speed", ["20", "500"])
def test_nothing_is_dated_before_the_daemon_listens(tmp_path: Path, speed: str) -> None:
    lines = _played(tmp_path, "--speed", speed)
    started = lines[0].split()
    assert "started:" in started
    assert any("cry begins" in line for line in lines)
    for line in lines[1:]:
        assert _utc_s(line.split()[0]) >= _utc_s(started[0]), lines
        if "since " in line:
            day, since = started[0][:11], line.split("since ")[1].strip(")")
            assert _utc_s(f"{day}{since}00Z") >= _utc_s(started[0]) - 0.1, lines  # it is shown in tenths


def test_alarms_of_a_fast_playback_are_dated_after_its_start(tmp_path: Path) -> None:
    lines = _played(tmp_path, "--speed", "20")
    journal = tmp_path / "state" / "auricle" / "nursery" / "alarms.db"
    assert journal.is_file()
    command = [str(AURICLE), "history", "--csv"]
    done = subprocess.run(command, env=private(tmp_path, {}), capture_output=True, text=True, check=True, timeout=60)
    header, *rows = [line.split(",") for line in done.stdout.splitlines()]
    column = next(name for name in header if name.startswith("start") and "utc" in name)
    assert rows
    for row in rows:
        assert _utc_s(row[header.index(column)]) >= _utc_s(lines[0].split()[0]), (header, row)


def _trial_of(pid: int) -> int | None:
    """The child process in which a daemon tries its bundles."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                is_child = int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid
                if is_child and b"trial_child" in (entry / "cmdline").read_bytes():
                    return int(entry.name)
    return None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_during_a_first_trial_that_hangs_ends_the_daemon(tmp_path: Path, number: signal.Signals) -> None:
    daemon = RunningDaemon(tmp_path, {}, '[microphone]\ndevice = "no such microphone"\n')
    command = [str(AURICLE), "listen", "--config", str(daemon.config_path)]
    with subprocess.Popen(command, env=daemon.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            wait_until(lambda: _trial_of(process.pid) is not None, "the trial")
            trial = _trial_of(process.pid)
            assert trial is not None
            os.kill(trial, signal.SIGSTOP)  # it hangs
            time.sleep(1.0)
            assert process.poll() is None
            began_s = time.monotonic()
            process.send_signal(number)
            assert process.wait(20.0) == 0
        finally:
            process.kill()
        assert time.monotonic() - began_s < ENDS_WITHIN_S
        assert process.stdout is not None
        assert process.stdout.read() == b""
    assert not Path(f"/proc/{trial}").exists()
    assert not list((tmp_path / "run").rglob("*.sock"))
