"""The four kinds of run: changing sound, one room, a failing capture process, a real sound server."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.soak.growth import SoakRun
from benchmarks.soak.recordings import DATA, RATE_HZ, record_changes, record_room
from benchmarks.soak.watched_daemon import INSTANCE, WatchedDaemon, hours_processed, watch

if TYPE_CHECKING:
    from tests.system.conftest import PulseCard

KILLED_EVERY_S = 600.0


def _listen(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "device", "listen", "--instance", INSTANCE, *arguments]


def changing(hours: float, data: Path = DATA) -> SoakRun:
    """Recordings of every kind, one after the other."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        recordings = Path(folder, "recordings")
        record_changes(data, recordings)
        return _accelerated(SoakRun("changing", "hour", transient_files=1), Path(folder), recordings, hours)


def room(hours: float, data: Path = DATA) -> SoakRun:
    """One room without a break."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        recordings = Path(folder, "recordings")
        record_room(data, recordings)
        return _accelerated(SoakRun("room", "hour", transient_files=1), Path(folder), recordings, hours)


def _accelerated(run: SoakRun, folder: Path, recordings: Path, hours: float) -> SoakRun:
    with WatchedDaemon(_listen("--source", str(recordings), "--loop", "--speed", "1000000"), folder) as daemon:
        return watch(run, daemon, hours, hours_processed)


_DAEMON_WITH_FAILING_CAPTURE = """
import sys
from dataclasses import replace
from pathlib import Path
from device.daemon.options import ListenOptions
from device.daemon.app import listen, Daemon
from device.sources.capture_plan import MicrophoneTimeouts
from device.sources.microphone import Microphone

child, starts = sys.argv[1:]
hasty = MicrophoneTimeouts(quiet_s=0.05, hung_s=0.1, opening_s=2.0, backoff_s=0.01, max_backoff_s=0.02, steady_s=60.0)

class ReopenedMicrophone:
    # the daemon's own microphone is replaced by one of the same class over another capture process
    def __init__(self, first):
        self.first = first
        command = (sys.executable, "-S", "-P", child, starts)
        self.second = Microphone(replace(first._plan, command=command, timeouts=hasty), first._channel)
    def blocks(self):
        return self.second.blocks()
    def close(self):
        self.first.close()
        self.second.close()

with Daemon(ListenOptions(instance="soak"), wrap=ReopenedMicrophone) as daemon:
    sys.exit(daemon.run())
"""

_FAILING_CAPTURE = """
import array, json, os, signal, sys, time
from device.sources.capture_record import ERROR, FRAME, OPENED, OVERFLOWED, CaptureRecord, encode

with open(sys.argv[1], "a") as count:
    count.write("x")
    attempt = count.tell()

def say(data):
    while data:
        data = data[os.write(1, data):]

def frame(number, flags=0):
    samples = array.array("f", [((number * 400 + n) * 7919 % 1009) / 5045 - 0.1 for n in range(400)])
    say(encode(CaptureRecord(FRAME, samples.tobytes(), flags, number, time.monotonic_ns())))

rate_hz = (8000, 16000, 44100, 48000)[attempt // 8 % 4]
end_kind = attempt % 8
if end_kind == 7:
    say(encode(CaptureRecord(ERROR, b"no such device: it was unplugged")))
    sys.exit(0)
opened = {"name": "Mic: Audio (hw:1,0)", "sample_rate_hz": rate_hz, "channels": 1}
say(encode(CaptureRecord(OPENED, json.dumps(opened).encode())))
for number in range(3):
    frame(number, OVERFLOWED if end_kind == 6 and number == 1 else 0)
if end_kind == 1:
    os.kill(os.getpid(), signal.SIGKILL)
elif end_kind == 2:
    say(b"no record of ours" * 100)
    time.sleep(60)
elif end_kind == 3:
    time.sleep(60)
elif end_kind == 4:
    os.kill(os.getpid(), signal.SIGSTOP)
elif end_kind == 5:
    os.close(1)
    time.sleep(60)
elif end_kind == 6:
    frame(9)
sys.exit(end_kind)
"""


def reopened(times: int) -> SoakRun:
    """A microphone whose capture process ends in each possible way, again and again."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        child, starts = Path(folder, "child.py"), Path(folder, "starts")
        child.write_text(_FAILING_CAPTURE)
        starts.touch()
        command = [sys.executable, "-c", _DAEMON_WITH_FAILING_CAPTURE, str(child), str(starts)]
        with WatchedDaemon(command, Path(folder)) as daemon:
            return watch(SoakRun("reopened", "opening"), daemon, times, lambda _state: starts.stat().st_size)


def server(hours: float, data: Path = DATA) -> SoakRun:
    """A real sound server at real pace, killed and started again every ten minutes."""
    from tests.system.conftest import PulseCard

    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        recordings = Path(folder, "recordings")
        record_room(data, recordings)
        card = PulseCard(Path(folder), rate_hz=RATE_HZ)
        try:
            card.start()
            with WatchedDaemon(_listen(), Path(folder), card.environment) as daemon:
                player = _Player(card, next(recordings.iterdir()))
                return watch(
                    SoakRun("server", "hour"),
                    daemon,
                    hours,
                    hours_processed,
                    every_s=10.0,
                    between_readings=player.poll,
                )
        finally:
            card.stop()


class _Player:
    """Plays a recording into a sound card in a loop, and restarts the sound server now and then."""

    def __init__(self, card: PulseCard, recording: Path) -> None:
        self._card = card
        self._recording = recording
        self._playing = card.play(recording)
        self._killed_s = time.monotonic()

    def poll(self) -> None:
        """Restart the server if it is due, and the recording if it has ended."""
        if time.monotonic() - self._killed_s > KILLED_EVERY_S:
            self._killed_s = time.monotonic()
            self._card.kill()
            self._card.start()
        if self._playing.poll() is not None:
            self._playing = self._card.play(self._recording)
