"""How soon a cry reaches the broker, and what it costs to owe it: delay, bytes on the card, CPU, memory.

    make bench                             (or: python benchmarks/alarms.py [--minutes 5] [--rates 16000 48000])

The daemon is the real one, its journal lies on a real disk and is synced, mosquitto runs on the loopback. In place of
the microphone stands a source whose every sample is captured at a known moment of CLOCK_MONOTONIC, in blocks of 50 ms
as a microphone gives them; a cry comes every few seconds, and somebody acknowledges each alarm at once. The delay runs
from the last sample of the deciding window to PUBACK; it is counted from that sample's capture, and from the arrival
of the block that held it. The journal is as full as it may be, so that room has to be made for every entry.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import soundfile
import soxr
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from device.alarms.machine import Machine
from device.daemon.alerting.controller import AlarmController
from device.daemon.app import Daemon
from device.daemon.delivery.alarm_publisher import AlarmPublisher
from device.daemon.delivery.journal_writer import Receipt
from device.daemon.delivery.reply_queue import ReplyQueue
from device.daemon.options import ListenOptions
from device.demo.scene import SEED, bedside
from device.errors import ServiceError
from device.messages import AudioBlock
from device.runtime.status_socket import read_status
from tests.system.conftest import Mosquitto, PulseCard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import numpy.typing as npt

    from device.alarms.journal.entries import Key
    from device.daemon.delivery.journal_writer import Word
    from device.messages import Event, Priority, Transition

    Float32 = npt.NDArray[np.float32]

ROOT = Path(__file__).resolve().parents[1]
MODEL_HZ = 16000
BLOCK_S = 0.05
QUIET_S = 60.0
"""Of a room, before the first cry: what the alarm path costs when there is no alarm."""

CRY_S, ROOM_S = 2.5, 2.5
ALARMS_A_DAY = 24 * 60
SECONDS_A_DAY = 86400
JOURNAL_MB = 4

_CONFIG = """
[model.cry.label.cry]
confirm_s = 1.0
confirm_of_s = 1.0
hold_s = 0.5
cooldown_s = 0.0

[log]
file = "off"

[self_test]
daily_at = "off"

[journal]
max_mb = {journal_mb}

[mqtt]
host = {host}
"""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="of cries, for each rate")
    parser.add_argument("--rates", type=int, nargs="+", default=[16000, 48000], metavar="HZ", help="of the microphone")
    parser.add_argument("--seconds", type=float, default=30.0, help="that the daemon runs before its memory is read")
    parser.add_argument("--stamped", nargs=3, metavar=("FOLDER", "HZ", "SECONDS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stamped:
        folder, rate_hz, seconds = given.stamped
        print(json.dumps(stamped_daemon(Path(folder), int(rate_hz), float(seconds))))
        return
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}\n")
    runs = {rate_hz: _measured(rate_hz, 60.0 * given.minutes) for rate_hz in given.rates}
    delays(runs)
    print()
    costs(runs[given.rates[0]])
    print()
    memory(given.seconds)


# --- the daemon that is measured, a process of its own


@dataclass(slots=True)
class Stamps:
    """Moments of CLOCK_MONOTONIC at which a change of an alarm came by.

    Attributes:
        arrived: (second of the stream, moment) for the end of each block, oldest first.
        began_s: when sample 0 was captured.
        changes: of each that a window decided, moment by moment.
        alarming_cpu_s: of the main loop, in all that it does about alarms.
        commits: of the journal.
    """

    arrived: list[tuple[float, float]] = field(default_factory=list)
    began_s: float = 0.0
    changes: dict[Key, dict[str, float]] = field(default_factory=dict)
    alarming_cpu_s: float = 0.0
    commits: int = 0

    def decided(self, transitions: Iterable[Transition]) -> None:
        """A window decided these just now."""
        for transition in transitions:
            if transition.event is None:
                continue
            stream_s, now_s = transition.event.decided_s, time.monotonic()
            arrived_s = next(at_s for end_s, at_s in self.arrived if end_s >= stream_s - 1e-9)
            times = {"captured": self.began_s + stream_s, "arrived": arrived_s, "decided": now_s}
            self.changes[transition.alarm.alarm_id, transition.seq] = times

    def passed(self, keys: Iterable[Key], stage: str) -> None:
        """These have just come so far."""
        for key in keys:
            if key in self.changes:
                self.changes[key].setdefault(stage, time.monotonic())


STAMPS = Stamps()


class StampedMachine(Machine):
    """Says when it decided."""

    def event(self, event: Event, priority: Priority, now_s: float) -> list[Transition]:
        """As every machine."""
        transitions = super().event(event, priority, now_s)
        STAMPS.decided(transitions)
        return transitions


class StampedMailbox(ReplyQueue):
    """Says when journal and broker had an entry."""

    def tell(self, word: Word) -> None:
        """As every mailbox."""
        if isinstance(word, Receipt):
            STAMPS.passed([entry.key for entry in word.entries], "kept")
        super().tell(word)

    def acknowledged(self, key: Key) -> None:
        """As every mailbox."""
        STAMPS.passed([key], "acknowledged")
        super().acknowledged(key)


class StampedDispatch(AlarmPublisher):
    """Says when the main loop took from the journal what is to be told."""

    def owe(self, entries: Iterable[Entry]) -> list[Key]:
        """As every dispatch."""
        owed = list(entries)
        STAMPS.passed([entry.key for entry in owed], "owed")
        return super().owe(owed)


class StampedJournal(Journal):
    """Counts its commits."""

    def _write(self, act: Callable[[Any], None]) -> None:
        STAMPS.commits += 1
        super()._write(act)


class Clockwork:
    """A microphone whose every sample is captured at a known moment: the room for a while, then cry after cry.

    Args:
        rate_hz: of the microphone.
        seconds: of cries.
    """

    def __init__(self, rate_hz: int, seconds: float) -> None:
        self._rate_hz = rate_hz
        self._block = round(rate_hz * BLOCK_S)
        self._room, self._cycle = _sounds(rate_hz)
        self._seconds = QUIET_S + seconds
        self._closed = threading.Event()
        self.spent: list[dict[str, Any]] = []

    def blocks(self) -> Iterator[AudioBlock]:
        """In time, to the end."""
        STAMPS.began_s = time.monotonic()
        quiet = round(QUIET_S * self._rate_hz / self._block)
        for number in range(round(self._seconds * self._rate_hz / self._block)):
            if number in {quiet // 2, quiet}:  # what starting costs is over by the first
                self.spent.append(_spent())
            end_s = (number + 1) * self._block / self._rate_hz
            if self._closed.wait(max(0.0, STAMPS.began_s + end_s - time.monotonic())):
                return
            STAMPS.arrived.append((end_s, time.monotonic()))
            del STAMPS.arrived[:-400]
            sound, place = (self._room, number) if number < quiet else (self._cycle, number - quiet)
            yield AudioBlock(_cut(sound, place * self._block, self._block), self._rate_hz, number * self._block)
        self.spent.append(_spent())

    def close(self) -> None:
        """End."""
        self._closed.set()


def _sounds(rate_hz: int) -> tuple[Float32, Float32]:
    """(a room, a cry and the room): float32 (n,) each at the microphone's rate."""
    scene = bedside(np.random.default_rng(SEED)).samples
    room = scene[46 * MODEL_HZ : 60 * MODEL_HZ]
    cry = scene[28 * MODEL_HZ : 41 * MODEL_HZ]
    cycle = np.concatenate([cry[: round(CRY_S * MODEL_HZ)], room[: round(ROOM_S * MODEL_HZ)]])
    return _at(room, rate_hz), _at(cycle, rate_hz)


def _at(samples: Float32, rate_hz: int) -> Float32:
    return samples if rate_hz == MODEL_HZ else soxr.resample(samples, MODEL_HZ, rate_hz).astype(np.float32)


def _cut(sound: Float32, first: int, count: int) -> Float32:
    """So many samples of a sound that repeats itself."""
    return sound[np.arange(first, first + count) % len(sound)]


def _spent() -> dict[str, Any]:
    """What this process has cost by now."""
    written = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return {
        "at_s": time.monotonic(),
        "written": int(written["write_bytes"]),
        "commits": STAMPS.commits,
        "changes": len(STAMPS.changes),
        "loop_cpu_s": STAMPS.alarming_cpu_s,
        **{f"{name}_cpu_s": cpu_s for name, cpu_s in _threads_cpu_s() if name in {"journal", "mqtt"}},
        "process_cpu_s": time.process_time(),
    }


def _threads_cpu_s() -> Iterator[tuple[str, float]]:
    for thread in threading.enumerate():
        with contextlib.suppress(FileNotFoundError):  # it ended meanwhile
            schedule = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text()
            yield thread.name, int(schedule.split()[0]) / 1e9


def stamped_daemon(folder: Path, rate_hz: int, seconds: float) -> dict[str, Any]:
    """Run a daemon to the end of its sound; the moments of each change, and what was spent."""
    source = Clockwork(rate_hz, seconds)
    with (
        patch("device.daemon.app.Machine", StampedMachine),
        patch("device.daemon.app.ReplyQueue", StampedMailbox),
        patch("device.daemon.app.AlarmController", CostedAlarming),
        patch("device.daemon.outputs.AlarmPublisher", StampedDispatch),
        patch("device.daemon.outputs.Journal", StampedJournal),
        contextlib.redirect_stdout(sys.stderr),
        Daemon(ListenOptions(config=str(folder / "bench.toml")), wrap=lambda _microphone: source) as daemon,
    ):
        daemon.run()
    return {"changes": list(STAMPS.changes.values()), "spent": source.spent}


class CostedAlarming(AlarmController):
    """Adds up what the main loop does about alarms."""

    def take(self, *given: Any) -> None:
        """As ever."""
        with _counted():
            super().take(*given)

    def look(self, newest_s: float) -> Any:
        """As ever."""
        with _counted():
            return super().look(newest_s)

    def publish(self, now: Any) -> None:
        """As ever."""
        with _counted():
            super().publish(now)


@contextlib.contextmanager
def _counted() -> Iterator[None]:
    began_s = time.thread_time()
    yield
    STAMPS.alarming_cpu_s += time.thread_time() - began_s


# --- what is around it


def _measured(rate_hz: int, seconds: float) -> dict[str, Any]:
    """One daemon's life at this rate, with its broker and somebody who acknowledges."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        broker = Mosquitto(folder)
        broker.start()
        try:
            with _acknowledging(broker.port):
                return _run(folder, broker.port, rate_hz, seconds)
        finally:
            broker.kill()


def _run(folder: Path, port: int, rate_hz: int, seconds: float) -> dict[str, Any]:
    _write_config(folder, port)
    _fill(folder / "state" / "auricle" / "bench" / "journal.db")
    command = [sys.executable, __file__, "--stamped", str(folder), str(rate_hz), str(seconds)]
    done = subprocess.run(command, env=_private(folder), stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _write_config(folder: Path, port: int | None) -> None:
    host = '"off"' if port is None else f'"127.0.0.1"\nport = {port}'
    (folder / "bench.toml").write_text(_CONFIG.format(host=host, journal_mb=JOURNAL_MB))


def _private(folder: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    own = {"XDG_RUNTIME_DIR": str(folder / "run"), "XDG_STATE_HOME": str(folder / "state")}
    return {**os.environ, **own, **(environment or {})}


def _fill(path: Path) -> None:
    """Entries of other nights, all told, to the last byte that the journal may have."""
    path.parent.mkdir(parents=True)
    with Journal.open(path, max_bytes=JOURNAL_MB * 1_000_000) as journal:
        for night in range(40):
            entries = [Entry(f"old-{night}-{n}", 0, 1e9 + n, False, "{}", json.dumps("x" * 900)) for n in range(100)]
            journal.append(entries)
            journal.delivered([entry.key for entry in entries])


@contextlib.contextmanager
def _acknowledging(port: int) -> Iterator[None]:
    """Somebody who acknowledges every alarm as soon as it is told."""

    def hear(client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        told = json.loads(message.payload)
        if told["change"] in {"raised", "reopened"}:
            command = json.dumps({"alarm_id": told["alarm_id"]})
            client.publish("auricle/bench/command/acknowledge", command, 1)

    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
    client.on_connect = lambda there, *_: there.subscribe("auricle/bench/alarm/sound/#", 1)
    client.on_message = hear
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()


# --- the tables


def delays(runs: Mapping[int, dict[str, Any]]) -> None:
    """From the last sample of the deciding window to PUBACK, and where the time goes."""
    stages = ["captured", "arrived", "decided", "kept", "owed", "acknowledged"]
    ways = [("captured", "acknowledged"), ("arrived", "acknowledged"), *itertools.pairwise(stages)]
    print("| ms from ... to ... | rate | changes | median | p99 | worst |\n|---|---:|---:|---:|---:|---:|")
    for first, last in ways:
        for rate_hz, run in runs.items():
            told = [times for times in run["changes"] if "acknowledged" in times]
            waits = 1000 * np.array([times[last] - times[first] for times in told])
            middle, late = np.percentile(waits, [50, 99])
            figures = f"{len(told)} | {middle:.1f} | {late:.1f} | {waits.max():.1f}"
            print(f"| {first} to {last} | {rate_hz} | {figures} |")


def costs(run: dict[str, Any]) -> None:
    """Bytes and CPU of a day with an alarm a minute, from a minute of a room and many alarms after it."""
    begin, quiet, end = run["spent"]
    idle_s, busy_s = quiet["at_s"] - begin["at_s"], end["at_s"] - quiet["at_s"]
    alarms = (end["changes"] - quiet["changes"]) / 2  # each is raised and ended by a window

    def a_day(name: str) -> float:
        idle = (quiet[name] - begin[name]) / idle_s
        each = (end[name] - quiet[name] - idle * busy_s) / alarms
        return float(idle * SECONDS_A_DAY + each * ALARMS_A_DAY)

    commits, written = end["commits"] - quiet["commits"], end["written"] - quiet["written"]
    # What is told is confirmed with the next change where that comes within a minute, as it does at an alarm a minute.
    megabytes = written / alarms * ALARMS_A_DAY / 1e6
    rows = {
        "alarms measured": f"{alarms:.0f}, {commits / alarms:.1f} commits each",
        "written by one commit, a full journal's housekeeping included": f"{written / commits / 1e3:.1f} kB",
        "written in a day": f"{megabytes:.1f} MB",
        "CPU of a day: journal's thread": f"{a_day('journal_cpu_s'):.0f} s",
        "CPU of a day: broker's thread": f"{a_day('mqtt_cpu_s'):.0f} s",
        "CPU of a day: the main loop's part in alarms": f"{a_day('loop_cpu_s'):.0f} s",
        "CPU of a day: the whole process": f"{a_day('process_cpu_s'):.0f} s",
    }
    print("| one alarm a minute: raised, acknowledged, ended | figure |\n|---|---|")
    for name, figure in rows.items():
        print(f"| {name} | {figure} |")


def memory(seconds: float) -> None:
    """Of the daemon as it runs, with its capture child, with a broker and without."""
    print("| whole daemon, nursery, 16 kHz | RSS | PSS |\n|---|---:|---:|")
    for name, told in (("without MQTT", False), ("with MQTT, journal, an alarm told", True)):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            rss_mb, pss_mb = _memory_mb(Path(folder), seconds, told=told)
        print(f"| {name} | {rss_mb:.1f} MB | {pss_mb:.1f} MB |")


def _memory_mb(folder: Path, seconds: float, *, told: bool) -> tuple[float, float]:
    broker, card = Mosquitto(folder), PulseCard(folder)
    _write_config(folder, broker.port if told else None)
    tape = folder / "cries.wav"
    soundfile.write(tape, np.tile(_sounds(MODEL_HZ)[1], 60), MODEL_HZ, "PCM_16")
    broker.start()
    card.start()
    auricle = Path(sys.executable).with_name("auricle")
    command = [str(auricle), "listen", "--config", str(folder / "bench.toml")]
    daemon = subprocess.Popen(command, env=_private(folder, card.environment), stdout=subprocess.DEVNULL)
    try:
        card.play(tape)
        time.sleep(seconds)
        _expect_alarms(folder)
        family = [daemon.pid, *_children(daemon.pid)]
        return sum(_mb(pid, "Rss") for pid in family), sum(_mb(pid, "Pss") for pid in family)
    finally:
        daemon.terminate()
        daemon.wait(10)
        card.stop()
        broker.kill()


def _expect_alarms(folder: Path) -> None:
    """A daemon that heard nothing is not what was to be measured."""
    state = read_status(folder / "run" / "auricle" / "bench" / "status.sock")
    if not state.events:
        raise ServiceError("the daemon that was to be measured heard no cry; let it run for longer: --seconds")


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from _children(int(child))


def _mb(pid: int, name: str) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(f"{name}:")) * 1024 / 1e6


if __name__ == "__main__":
    main()
