"""A night of sound through the real daemon: memory, threads, processes and files stay flat, or this says so.

    make soak                       (or: python benchmarks/soak.py [--hours 8] [--reopenings 3000] [--real-hours 0])

Lives of the daemon process, each watched from outside as an administrator would, in /proc;
the first two hear as fast as they can:

    changing    short recordings of every kind one after the other (cries, rooms, speech, lungs, deaf microphones,
                fragments), each at another rate: thousands of events, faults, gaps and changes of rate
    room        hours in one room without a break, with a cry now and then
    reopened    a microphone whose capture process dies, hangs and talks nonsense again and again
    server      (--real-hours) a real PulseAudio at real pace, killed and started again every ten minutes

Exit code 1 where something grew. The recordings are looked for in ../shared/data.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Self

import numpy as np
import soundfile
import soxr

from device.errors import ServiceError
from device.runtime.paths import status_socket
from device.runtime.status_socket import read_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from device.runtime.daemon_state import DaemonState
    from tests.system.conftest import PulseCard

    Float32 = npt.NDArray[np.float32]
    _Sound = tuple[Float32, int]  # samples, Hz

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
RATE_HZ = 16000
INSTANCE = "soak"

WARM_UP = 0.25
"""Part of a life that is not judged: what is allocated once has been by then."""

SETTLED_KIB = 2048
"""The allocator's own breathing over a whole life, in a process of 60 MB: it takes and gives back up to 1.5 MB."""

CLIP_S = 10.0
"""Of a recording; hours of them are not what changes."""

KILLED_EVERY_S = 600.0

_ENDS_WITHIN_S = 5.0
_UP_WITHIN_S = 60.0
_LOOKS = 6  # at threads and files for one reading: a recording that is open just now is no leak
_LOOK_S = 0.02


def main() -> int:
    """Live through the night and print what it cost; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=8.0, help="of sound in each accelerated life (default: 8)")
    parser.add_argument("--reopenings", type=int, default=3000, help="of the microphone (default: 3000)")
    parser.add_argument("--real-hours", type=float, default=0.0, help="on a real sound server (default: none)")
    given = parser.parse_args()
    lives = [changing(given.hours), room(given.hours), reopened(given.reopenings)]
    if given.real_hours:
        lives.append(server(given.real_hours))
    print(table(lives))
    for life in lives:
        for complaint in life.complaints():
            print(f"{life.name}: {complaint}")
    return 1 if any(life.complaints() for life in lives) else 0


# --- what is measured


@dataclass(frozen=True, slots=True)
class Reading:
    """A process and all its descendants at one moment.

    Attributes:
        progress: how far its life has come: hours of sound, or reopenings.
        rss_kib: resident memory of the process alone.
        pss_kib: of all of them together, pages that they share counted once.
        threads: of all of them.
        files: open descriptors of the process alone.
        processes: that live.
        zombies: that ended and that nobody has reaped.
    """

    progress: float
    rss_kib: int
    pss_kib: int
    threads: int
    files: int
    processes: int
    zombies: int


@dataclass(slots=True)
class Life:
    """One daemon from its start to its end, as it was seen from outside.

    Attributes:
        name: of this way of living.
        unit: what progress is counted in.
        passing: files that are open at most moments but not at all: the recording that is heard.
        readings: oldest first.
        state: what it last said of itself.
        left_within_s: seconds from SIGTERM to its end.
        exit_code: of the process; None before its end.
    """

    name: str
    unit: str
    passing: int = 0
    readings: list[Reading] = field(default_factory=list)
    state: DaemonState | None = None
    left_within_s: float = 0.0
    exit_code: int | None = None

    @property
    def settled(self) -> list[Reading]:
        """The readings that are judged: those after the warm-up."""
        begins = WARM_UP * self.readings[-1].progress if self.readings else 0.0
        return [reading for reading in self.readings if reading.progress >= begins]

    @property
    def kib_per_unit(self) -> float:
        """Growth of the resident memory (Theil-Sen: the median of the slopes between all pairs of readings)."""
        pairs = combinations(self.settled, 2)
        slopes = [
            (later.rss_kib - earlier.rss_kib) / (later.progress - earlier.progress)
            for earlier, later in pairs
            if later.progress > earlier.progress
        ]
        return median(slopes) if slopes else 0.0

    def complaints(self) -> list[str]:
        """What was not flat, a sentence each; empty where all was."""
        settled = self.settled
        if len(settled) < 8:
            return [f"only {len(settled)} readings: too short a life to be judged"]
        third = len(settled) // 3
        early, late = settled[:third], settled[-third:]
        return [
            *self._memory_complaints(settled),
            *self._count_complaints(early, late),
            *(["a process was left unreaped"] if min(reading.zombies for reading in late) else []),
            *self._end_complaints(),
        ]

    def _memory_complaints(self, settled: Sequence[Reading]) -> Iterator[str]:
        lived = settled[-1].progress - settled[0].progress
        grown_kib = self.kib_per_unit * lived
        if grown_kib > SETTLED_KIB:
            yield f"resident memory grew by {grown_kib:.0f} KiB, {self.kib_per_unit:.1f} KiB per {self.unit}"
        highest_kib = max(reading.rss_kib for reading in settled)
        if highest_kib > settled[0].rss_kib + 2 * SETTLED_KIB:
            yield f"resident memory rose from {settled[0].rss_kib} to {highest_kib} KiB"

    def _count_complaints(self, early: Sequence[Reading], late: Sequence[Reading]) -> Iterator[str]:
        """What is counted comes and goes; where nothing leaks, there are moments when as few are left as before."""
        for name, spare in (("threads", 0), ("files", self.passing), ("processes", 0)):
            before = min(getattr(reading, name) for reading in early)
            after = min(getattr(reading, name) for reading in late)
            if after > before + spare:
                yield f"{before} {name} became {after}"

    def _end_complaints(self) -> Iterator[str]:
        if self.exit_code:
            yield f"the daemon ended with exit code {self.exit_code}"
        if self.left_within_s > _ENDS_WITHIN_S:
            yield f"the daemon took {self.left_within_s:.1f} s to end"


def read(pid: int, progress: float) -> Reading:
    """Look at a process and its descendants; what comes and goes is counted at its fewest."""
    looks = [_look(pid)]
    for _ in range(_LOOKS - 1):
        time.sleep(_LOOK_S)
        looks.append(_look(pid))
    threads, files, processes, zombies = (min(counts) for counts in zip(*looks, strict=True))
    pss_kib = sum(memory_kib(each, "Pss") for each in family(pid))
    return Reading(progress, memory_kib(pid, "Rss"), pss_kib, threads, files, processes, zombies)


def family(pid: int) -> list[int]:
    """A process and all its descendants, those that ended included."""
    found = [pid]
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


def _look(pid: int) -> tuple[int, int, int, int]:
    """Threads, files of the first, processes and zombies."""
    everyone = family(pid)
    zombies = sum(_is_zombie(each) for each in everyone)
    threads = sum(_entries(f"/proc/{each}/task") for each in everyone)
    return threads, _entries(f"/proc/{pid}/fd"), len(everyone) - zombies, zombies


def _entries(folder: str) -> int:
    try:
        return len(os.listdir(folder))  # noqa: PTH208 - counted, not walked: some may be gone by then
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def memory_kib(pid: int, kind: str = "Rss") -> int:
    """Resident memory of a process, or its share of it (Pss); 0 for one that is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith(f"{kind}:")), 0)


# --- the daemon


class Watched:
    """A daemon process in a folder of its own; a context manager that ends it.

    Args:
        command: of the process.
        folder: for its socket, its log and what it says on stderr.
        environment: beside our own.
    """

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        private = {"XDG_RUNTIME_DIR": str(folder / "run"), "XDG_STATE_HOME": str(folder / "state")}
        self._socket = status_socket(INSTANCE, private)
        self._talk = folder / "stderr"
        with self._talk.open("wb") as talk:
            self._process = subprocess.Popen(
                command, env={**_without_systemd(), **(environment or {}), **private}, cwd=ROOT,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=talk,
            )  # fmt: skip
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()

    def state(self) -> DaemonState:
        """What it says of itself.

        Raises:
            RuntimeError: it does not answer, or has ended.
        """
        deadline_s = time.monotonic() + _UP_WITHIN_S
        while self._process.poll() is None and time.monotonic() < deadline_s:
            try:
                return read_status(self._socket)
            except ServiceError:
                time.sleep(0.05)
        raise RuntimeError(f"the daemon does not answer: {self._talk.read_text()[-2000:]}")

    def stop(self) -> tuple[int, float]:
        """SIGTERM; its exit code, and the seconds it took."""
        began_s = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(_UP_WITHIN_S), time.monotonic() - began_s


def _without_systemd() -> dict[str, str]:
    """What a service manager told us is not for the daemon; one thread computes, as on a Pi."""
    mine = {name: value for name, value in os.environ.items() if name not in ("RUNTIME_DIRECTORY", "LOGS_DIRECTORY")}
    return {**mine, "OMP_NUM_THREADS": "1"}


def live(
    life: Life,
    daemon: Watched,
    until: float,
    progress: Callable[[DaemonState], float],
    *,
    every_s: float = 1.0,
    meanwhile: Callable[[], None] = lambda: None,
) -> Life:
    """Watch a daemon until it has come so far, then stop it; the same life, told."""
    while not life.readings or life.readings[-1].progress < until:
        meanwhile()
        time.sleep(every_s)
        life.state = daemon.state()
        life.readings.append(read(daemon.pid, progress(life.state)))
    life.exit_code, life.left_within_s = daemon.stop()
    return life


def hours_heard(state: DaemonState) -> float:
    """Hours of sound that the daemon has come through: a window is due for each hop of them."""
    return state.windows_due * state.configured_hop_s / 3600


def _listen(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "device", "listen", "--instance", INSTANCE, *arguments]


# --- four lives


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
from device.sources.microphone import Microphone, Patience

child, deaths = sys.argv[1:]
hasty = Patience(quiet_s=0.05, hung_s=0.1, opening_s=2.0, backoff_s=0.01, most_backoff_s=0.02, steady_s=60.0)

class Restless:
    # the daemon's own microphone is replaced by one of the same class over another capture process
    def __init__(self, first):
        self.first = first
        command = [sys.executable, "-S", "-P", child, deaths]
        self.second = Microphone(first._settings, command=command, patience=hasty)
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


# --- the table


def table(lives: Sequence[Life]) -> str:
    """A row for each life."""
    titles = (
        "life", "lived", "events", "faults", "gaps", "windows scored", "RSS at start, end, most (KiB)",
        "growth (KiB)", "PSS of all (KiB)", "threads", "files", "processes", "verdict",
    )  # fmt: skip
    rows = [titles, tuple("---" for _ in titles), *(_row(life) for life in lives)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(life: Life) -> tuple[str, ...]:
    first, last, state = life.settled[0], life.readings[-1], life.state
    if state is None:
        raise RuntimeError(f"life {life.name} was never asked how it is")
    return (
        life.name,
        f"{last.progress:.2f} {life.unit}s",
        *(str(count) for count in (state.events, state.faults_told, state.gaps)),
        f"{state.windows_scored} of {state.windows_due}",
        f"{first.rss_kib}, {last.rss_kib}, {max(reading.rss_kib for reading in life.settled)}",
        f"{life.kib_per_unit:.2f} per {life.unit}",
        str(last.pss_kib),
        *(f"{first_of}, {last_of}" for first_of, last_of in _ends(first, last)),
        "grew" if life.complaints() else "flat",
    )


def _ends(first: Reading, last: Reading) -> Iterator[tuple[int, int]]:
    for name in ("threads", "files", "processes"):
        yield getattr(first, name), getattr(last, name)


# --- what is heard


def record_changes(data: Path, folder: Path) -> None:
    """Write a tape of every kind of sound that a microphone may meet, in short recordings of changing rates."""
    folder.mkdir()
    cries = _clips(data / "donateacry", 10)
    others = [*_clips(data / "speech", 4), *_clips(data / "esc50", 4), *_clips(data / "sprsound", 4)]
    rooms = _clips(data / "ambient", 6)
    rates_hz = (16000, 8000, 44100, 16000, 48000, 22050, 11025)
    # In a drawn order, so that what is open ends in every way there is.
    sounds = [*cries, *others, *rooms, *_deaf(rooms[0])]
    for number, index in enumerate(np.random.default_rng(4).permutation(len(sounds))):
        samples, from_hz = sounds[index]
        rate_hz = rates_hz[number % len(rates_hz)]
        _write(folder / f"{number:03d}.wav", soxr.resample(samples, from_hz, rate_hz), rate_hz)


def record_room(data: Path, folder: Path) -> None:
    """Write half an hour of rooms without a break, with a cry about every two minutes."""
    folder.mkdir()
    rooms = [samples for samples, _ in _clips(data / "ambient", 15, least_s=55.0)]
    cries = [soxr.resample(*cry, RATE_HZ) for cry in _clips(data / "donateacry", 15)]
    parts = [part for at_home, cry in zip(rooms, cries, strict=True) for part in (at_home, cry, 0.3 * at_home)]
    _write(folder / "room.wav", np.concatenate(parts), RATE_HZ)


def _clips(folder: Path, count: int, *, least_s: float = 3.0) -> list[_Sound]:
    """Recordings spread over a set, each from its beginning: samples and rate."""
    with (folder / "manifest.csv").open(newline="") as manifest:
        long = [row["file"] for row in csv.DictReader(manifest) if float(row["duration"]) >= least_s]
    if len(long) < count:
        raise RuntimeError(f"{folder} holds {len(long)} recordings of {least_s:g} s, the soak needs {count}")
    return [_clip(folder / long[index * len(long) // count], max(least_s, CLIP_S)) for index in range(count)]


def _clip(path: Path, most_s: float) -> _Sound:
    rate_hz = soundfile.info(path).samplerate
    samples, _ = soundfile.read(path, frames=round(rate_hz * most_s), dtype="float32")
    return samples, rate_hz


def _deaf(at_home: _Sound) -> Iterator[_Sound]:
    """Microphones that do not hear, an overdriven one, and fragments shorter than a window."""
    samples, rate_hz = at_home
    second = samples[:rate_hz]
    for _ in range(4):
        yield np.zeros(4 * rate_hz, np.float32), rate_hz  # silence
        yield np.full(4 * rate_hz, 0.25, np.float32), rate_hz  # stuck
        yield np.tile(second[: rate_hz // 4], 16), rate_hz  # repeated
        for length in (1, 3, 7):
            yield second[: rate_hz * length // 10], rate_hz
    yield np.clip(1000 * np.resize(samples, 14 * rate_hz), -1.0, 1.0), rate_hz  # clipping


def _write(path: Path, samples: Float32, rate_hz: int) -> None:
    soundfile.write(path, np.clip(samples, -1.0, 32767 / 32768), rate_hz, "PCM_16")


if __name__ == "__main__":
    sys.exit(main())
