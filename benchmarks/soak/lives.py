"""The four ways in which the daemon is made to live."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.soak.growth import Life
from benchmarks.soak.recordings import DATA, RATE_HZ, record_changes, record_room
from benchmarks.soak.watched_daemon import INSTANCE, Watched, hours_heard, live

if TYPE_CHECKING:
    from tests.system.conftest import PulseCard

KILLED_EVERY_S = 600.0


def _listen(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "device", "listen", "--instance", INSTANCE, *arguments]


def changing(hours: float, data: Path = DATA) -> Life:
    """Recordings of every kind, one after the other."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        tapes = Path(folder, "tapes")
        record_changes(data, tapes)
        return _accelerated(Life("changing", "hour", passing=1), Path(folder), tapes, hours)


def room(hours: float, data: Path = DATA) -> Life:
    """One room without a break."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        tapes = Path(folder, "tapes")
        record_room(data, tapes)
        return _accelerated(Life("room", "hour", passing=1), Path(folder), tapes, hours)


def _accelerated(life: Life, folder: Path, tapes: Path, hours: float) -> Life:
    with Watched(_listen("--source", str(tapes), "--loop", "--speed", "1000000"), folder) as daemon:
        return live(life, daemon, hours, hours_heard)


_REOPENED = """
import sys
from pathlib import Path
from device.daemon.options import ListenOptions
from device.daemon.app import listen, Daemon
from device.sources.microphone import Microphone, MicrophoneTimeouts

child, deaths = sys.argv[1:]
hasty = MicrophoneTimeouts(quiet_s=0.05, hung_s=0.1, opening_s=2.0, backoff_s=0.01, max_backoff_s=0.02, steady_s=60.0)

class Restless:
    # the daemon's own microphone is replaced by one of the same class over another capture process
    def __init__(self, first):
        self.first = first
        command = [sys.executable, "-S", "-P", child, deaths]
        self.second = Microphone(first._settings, command=command, timeouts=hasty)
    def blocks(self):
        return self.second.blocks()
    def close(self):
        self.first.close()
        self.second.close()

with Daemon(ListenOptions(instance="soak"), wrap=Restless) as daemon:
    sys.exit(daemon.run())
"""

_MORTAL = """
import array, json, os, signal, sys, time
from device.sources.capture import ERROR, FRAME, OPENED, OVERFLOWED, Record, encode

with open(sys.argv[1], "a") as count:
    count.write("x")
    attempt = count.tell()

def say(data):
    while data:
        data = data[os.write(1, data):]

def frame(number, flags=0):
    samples = array.array("f", [((number * 400 + n) * 7919 % 1009) / 5045 - 0.1 for n in range(400)])
    say(encode(Record(FRAME, samples.tobytes(), flags, number, time.monotonic_ns())))

rate_hz = (8000, 16000, 44100, 48000)[attempt // 8 % 4]
way = attempt % 8
if way == 7:
    say(encode(Record(ERROR, b"no such device: it was unplugged")))
    sys.exit(0)
opened = {"name": "Mic: Audio (hw:1,0)", "sample_rate_hz": rate_hz, "channels": 1}
say(encode(Record(OPENED, json.dumps(opened).encode())))
for number in range(3):
    frame(number, OVERFLOWED if way == 6 and number == 1 else 0)
if way == 1:
    os.kill(os.getpid(), signal.SIGKILL)
elif way == 2:
    say(b"no record of ours" * 100)
    time.sleep(60)
elif way == 3:
    time.sleep(60)
elif way == 4:
    os.kill(os.getpid(), signal.SIGSTOP)
elif way == 5:
    os.close(1)
    time.sleep(60)
elif way == 6:
    frame(9)
sys.exit(way)
"""


def reopened(times: int) -> Life:
    """A microphone whose capture process comes to every end there is, again and again."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        child, deaths = Path(folder, "child.py"), Path(folder, "deaths")
        child.write_text(_MORTAL)
        deaths.touch()
        command = [sys.executable, "-c", _REOPENED, str(child), str(deaths)]
        with Watched(command, Path(folder)) as daemon:
            return live(Life("reopened", "opening"), daemon, times, lambda _state: deaths.stat().st_size)


def server(hours: float, data: Path = DATA) -> Life:
    """A real sound server at real pace, killed and started again every ten minutes."""
    from tests.system.conftest import PulseCard

    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        tapes = Path(folder, "tapes")
        record_room(data, tapes)
        card = PulseCard(Path(folder), rate_hz=RATE_HZ)
        try:
            card.start()
            with Watched(_listen(), Path(folder), card.environment) as daemon:
                player = _Player(card, next(tapes.iterdir()))
                return live(Life("server", "hour"), daemon, hours, hours_heard, every_s=10.0, meanwhile=player.go_on)
        finally:
            card.stop()


class _Player:
    """Plays a tape into a sound card again and again, and kills its server now and then."""

    def __init__(self, card: PulseCard, tape: Path) -> None:
        self._card = card
        self._tape = tape
        self._playing = card.play(tape)
        self._killed_s = time.monotonic()

    def go_on(self) -> None:
        if time.monotonic() - self._killed_s > KILLED_EVERY_S:
            self._killed_s = time.monotonic()
            self._card.kill()
            self._card.start()
        if self._playing.poll() is not None:
            self._playing = self._card.play(self._tape)
