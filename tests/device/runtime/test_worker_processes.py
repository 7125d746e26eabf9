"""A signal ends work that is shared among processes, whatever is running when it arrives."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

if TYPE_CHECKING:
    from pathlib import Path

# The file signals its own process while libsndfile asks it for bytes of sound.
READING = """
import os, sys, time
import soundfile
from device.runtime.worker_processes import ending_by_signal

path, number = sys.argv[1], int(sys.argv[2])

class SignallingFile:
    def __init__(self):
        self.file, self.reads = open(path, "rb"), None
        self.seek, self.tell, self.read = self.file.seek, self.file.tell, self.file.read

    def readinto(self, buffer):
        if self.reads is not None:
            self.reads += 1
            os.kill(os.getpid(), number)
            time.sleep(0.02)
        return self.file.readinto(buffer)

file = SignallingFile()
with ending_by_signal(), soundfile.SoundFile(file) as sound:
    file.reads = 0
    try:
        while len(sound.read(4096)):
            pass
        time.sleep(0.1)
        print("the file ended")
    finally:
        print("cleaned up", file.reads > 0)
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, -signal.SIGINT)]
)
def test_a_signal_that_arrives_while_libsndfile_asks_for_bytes_is_not_taken_for_the_end_of_the_file(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(200_000, np.float32), 16_000)
    command = [sys.executable, "-c", READING, str(tmp_path / "a.wav"), str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (code, "cleaned up True\n")
    assert "ignored" not in done.stderr
