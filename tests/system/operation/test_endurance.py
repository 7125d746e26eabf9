"""The daemon does not grow: an hour of sound, and hundreds of reopened microphones, leave it as it was.

The same runs as in `make soak`, which takes a night of each, with the same measurements.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.soak.growth import SoakRun, table
from benchmarks.soak.proc import family, read
from benchmarks.soak.runs import changing, reopened, room

if TYPE_CHECKING:
    from pathlib import Path


def report(run: SoakRun) -> str:
    """The figures that a failing test shows."""
    return f"{run.complaints()}\n{table([run])}\n" + "\n".join(map(str, run.readings))


@pytest.mark.real_audio
def test_an_hour_of_changing_sound_leaves_memory_threads_and_files_flat(data_dir: Path) -> None:
    run = changing(1.0, data_dir)
    assert not run.complaints(), report(run)
    state = run.state
    assert state is not None
    assert state.windows_scored > 4000  # an hour less its fragments, its deaf seconds and its gaps
    assert state.events > 80
    assert state.faults_told > 250
    assert state.gaps > 500


@pytest.mark.real_audio
def test_an_hour_in_one_room_leaves_memory_threads_and_files_flat(data_dir: Path) -> None:
    run = room(1.0, data_dir)
    assert not run.complaints(), report(run)
    state = run.state
    assert state is not None
    assert state.windows_scored > 0.99 * state.windows_due
    assert state.events > 20


@pytest.mark.system
def test_a_microphone_reopened_hundreds_of_times_leaves_no_process_thread_or_file_behind() -> None:
    run = reopened(240)
    assert not run.complaints(), report(run)
    state = run.state
    assert state is not None
    assert state.gaps > 100


LEAKS = {
    "resident memory grew": "held.append(bytearray(b'x' * 400_000))",
    "files became": "held.append(open('/dev/null'))",
    "threads became": "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "processes became": "held.append(subprocess.Popen(['sleep', '60']))",
    "left unreaped": "held.append(subprocess.Popen(['true']))",
}


def run_with(leak: str) -> SoakRun:
    """A run of a process that executes `leak` ten times a second."""
    script = f"import subprocess, threading, time\nheld = []\nwhile True:\n    {leak}\n    time.sleep(0.1)"
    process = subprocess.Popen([sys.executable, "-c", script], process_group=0)
    run = SoakRun("leaking", "reading", transient_files=1)
    try:
        for number in range(1, 13):
            run.readings.append(read(process.pid, number))
    finally:
        _end(process)
    return run


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it with all its children, also those that it no longer knows."""
    for pid in family(process.pid)[1:]:
        os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()


@pytest.mark.parametrize("complaint", LEAKS)
def test_what_leaks_is_found(complaint: str) -> None:
    assert any(complaint in said for said in run_with(LEAKS[complaint]).complaints())


def test_what_does_not_leak_is_flat() -> None:
    assert run_with("pass").complaints() == []


def test_a_life_too_short_to_be_judged_is_not_called_flat() -> None:
    assert "too short" in SoakRun("short", "hour").complaints()[0]
