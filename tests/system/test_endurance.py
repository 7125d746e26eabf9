"""The daemon does not grow: an hour of sound, and hundreds of reopened microphones, leave it as it was.

The same lives as in `make soak`, which takes a night of each, seen through the same meter.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.soak.growth import Life, table
from benchmarks.soak.lives import changing, reopened, room
from benchmarks.soak.proc import family, read

if TYPE_CHECKING:
    from pathlib import Path


def told(life: Life) -> str:
    """What a failing test shows."""
    return f"{life.complaints()}\n{table([life])}\n" + "\n".join(map(str, life.readings))


@pytest.mark.real_audio
def test_an_hour_of_changing_sound_leaves_memory_threads_and_files_flat(data_dir: Path) -> None:
    life = changing(1.0, data_dir)
    assert not life.complaints(), told(life)
    state = life.state
    assert state is not None
    assert state.windows_scored > 4000  # an hour less its fragments, its deaf seconds and its gaps
    assert state.events > 80
    assert state.faults_told > 250
    assert state.gaps > 500


@pytest.mark.real_audio
def test_an_hour_in_one_room_leaves_memory_threads_and_files_flat(data_dir: Path) -> None:
    life = room(1.0, data_dir)
    assert not life.complaints(), told(life)
    state = life.state
    assert state is not None
    assert state.windows_scored > 0.99 * state.windows_due
    assert state.events > 20


@pytest.mark.system
def test_a_microphone_reopened_hundreds_of_times_leaves_no_process_thread_or_file_behind() -> None:
    life = reopened(240)
    assert not life.complaints(), told(life)
    state = life.state
    assert state is not None
    assert state.gaps > 100


LEAKS = {
    "resident memory grew": "held.append(bytearray(b'x' * 400_000))",
    "files became": "held.append(open('/dev/null'))",
    "threads became": "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "processes became": "held.append(subprocess.Popen(['sleep', '60']))",
    "left unreaped": "held.append(subprocess.Popen(['true']))",
}


def life_of(leak: str) -> Life:
    """Of a process that leaks, or does not."""
    script = f"import subprocess, threading, time\nheld = []\nwhile True:\n    {leak}\n    time.sleep(0.1)"
    process = subprocess.Popen([sys.executable, "-c", script], process_group=0)
    life = Life("leaking", "reading", passing=1)
    try:
        for number in range(1, 13):
            life.readings.append(read(process.pid, number))
    finally:
        _end(process)
    return life


def _end(process: subprocess.Popen[bytes]) -> None:
    """With all the children that it made, of whom it lost sight."""
    for pid in family(process.pid)[1:]:
        os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()


@pytest.mark.parametrize("complaint", LEAKS)
def test_what_leaks_is_found(complaint: str) -> None:
    assert any(complaint in said for said in life_of(LEAKS[complaint]).complaints())


def test_what_does_not_leak_is_flat() -> None:
    assert life_of("pass").complaints() == []


def test_a_life_too_short_to_be_judged_is_not_called_flat() -> None:
    assert "too short" in Life("short", "hour").complaints()[0]
