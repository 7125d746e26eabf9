"""The main loop opens nothing while it listens, and a daemon without free descriptors loses no more than it must.

strace shows the system calls; prlimit removes the free descriptors of a running daemon.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.programs import program
from tests.system.alarms.test_alarms import Subscriber, config, playing
from tests.system.conftest import wait_until
from tests.system.running_daemon import AURICLE, UP_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    from tests.system.conftest import Mosquitto, NotifySocket, PulseCard

pytestmark = pytest.mark.system

_TRACED_S = 25.0
_SOON_S = 20.0
_STARVED_S = 35.0  # longer than a broker may be away without a fault
_POLLED = 6
_NEEDS_DESCRIPTOR = "socket,socketpair,pipe,pipe2,eventfd2,epoll_create1,timerfd_create,memfd_create,accept4,dup,fcntl"
_CALL = re.compile(r"^(?:\[pid +\d+\] )?(?P<name>\w+)\(")

_ALL = (
    "[gpio]", "led = 17", "buzzer = 18", "alive = 23",
    "[clips]", "enabled = true", "before_s = 1.0", "after_s = 1.0",
    "[alarms]", 'time_zone = "Europe/Berlin"', 'quiet_hours = "22:00-06:00"',
)  # fmt: skip


@pytest.fixture
def sounds(private_folder: Path) -> Sounds:
    return Sounds(private_folder)


class Trace:
    """The system calls of a process's main thread that have a path or need a new descriptor."""

    def __init__(self, process_id: int, path: Path) -> None:
        self._path = path
        traced = f"trace=%file,{_NEEDS_DESCRIPTOR}"
        # Without -f only the thread whose id is the process's own: Python's main thread, which runs the loop.
        command = [program("strace"), "-q", "-p", str(process_id), "-o", str(path), "-e", traced, "-s", "200"]
        self._strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def stop(self) -> list[str]:
        """The calls so far."""
        self._strace.send_signal(signal.SIGINT)
        _, said = self._strace.communicate(timeout=_SOON_S)
        assert self._path.exists(), said
        return [line for line in self._path.read_text().splitlines() if _opens(line)]


def _opens(line: str) -> bool:
    """Whether a traced call takes a path, or makes a descriptor."""
    found = _CALL.match(line)
    if found is None or (found["name"] == "fcntl" and "F_DUPFD" not in line):
        return False
    return "AT_EMPTY_PATH" not in line  # calls about a descriptor


def _windows(daemon: RunningDaemon) -> int:
    state = daemon.status()
    return 0 if state is None else state.windows_scored


def test_the_loop_opens_nothing_while_a_microphone_a_broker_and_a_journal_work(
    private_folder: Path, broker: Mosquitto, pulse: PulseCard, notify: NotifySocket, sounds: Sounds
) -> None:
    text = config(broker, *_ALL, "[status]", f"metrics_port = {_free_port()}", "[microphone]", 'device = "fakemic"')
    environment = {**pulse.environment, **notify.environment, "WATCHDOG_USEC": "4000000"}
    with Subscriber(broker.port) as people, RunningDaemon(private_folder, environment, text) as daemon:
        pulse.play(sounds.endless_room())  # digital silence would deafen it before its models are open
        daemon.wait_until_it_hears()
        trace, before = Trace(daemon.process.pid, private_folder / "trace"), _windows(daemon)
        pulse.play(sounds.cry_then_room(8.0, 12.0))
        daemon.wait_for_a_cry()
        people.ask("acknowledge")
        people.ask("self_test")
        people.ask("pause", b'{"duration_s":5}')
        time.sleep(_TRACED_S)
        pulse.unplug()
        daemon.wait_for({"fault": "microphone", "begins": True}, within_s=_SOON_S)
        pulse.plug()
        daemon.wait_for({"fault": "microphone", "begins": False}, within_s=_SOON_S)
        daemon.ask("status")
        opened, windows = trace.stop(), _windows(daemon) - before
        assert people.alarms(change="acknowledged")
        assert people.newest("self_test")
    assert windows > 40
    assert not opened, "\n".join(opened)


def test_the_loop_opens_nothing_while_it_plays_recordings_and_prints_pins(
    private_folder: Path, broker: Mosquitto, sounds: Sounds
) -> None:
    text = config(broker, *_ALL)
    with Subscriber(broker.port) as people, playing(private_folder, sounds.endless_cry(), text) as daemon:
        daemon.wait_until_it_hears()
        trace, before = Trace(daemon.process.pid, private_folder / "trace"), _windows(daemon)
        daemon.wait_for_a_cry()
        people.ask("acknowledge")
        time.sleep(_TRACED_S / 2)
        opened, windows = trace.stop(), _windows(daemon) - before
        assert "GPIO 17" in daemon.log_path.read_text()
    assert windows > 40
    assert not opened, "\n".join(opened)


# --- no descriptor is left


class Squeeze:
    """Limits a process to the descriptors that it has open, until `release`."""

    def __init__(self, process_id: int) -> None:
        self._process_id = process_id
        self._before = resource.prlimit(process_id, resource.RLIMIT_NOFILE)
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._hold, name="squeeze")
        self._thread.start()

    def release(self) -> None:
        """Restore the former limit."""
        self._released.set()
        self._thread.join(_SOON_S)
        resource.prlimit(self._process_id, resource.RLIMIT_NOFILE, self._before)

    def _hold(self) -> None:
        while not self._released.wait(0.01):
            used = {int(entry.name) for entry in Path(f"/proc/{self._process_id}/fd").iterdir()}
            free = next(number for number in range(len(used) + 1) if number not in used)
            # poll(2) fails if it is given more descriptors than the limit: at least what the daemon's threads poll.
            limit = max(free, _POLLED)
            resource.prlimit(self._process_id, resource.RLIMIT_NOFILE, (limit, self._before[1]))


def test_without_a_descriptor_every_part_degrades_and_heals_and_the_daemon_hears_on(
    private_folder: Path, broker: Mosquitto, pulse: PulseCard, notify: NotifySocket, sounds: Sounds
) -> None:
    port = _free_port()
    text = config(
        broker, *_ALL, "[status]", f"metrics_port = {port}", "[microphone]", 'device = "fakemic"',
        "[log]", "max_mb = 0.1",
    )  # fmt: skip
    environment = {**pulse.environment, **notify.environment, "WATCHDOG_USEC": "4000000"}
    with Subscriber(broker.port) as people, RunningDaemon(private_folder, environment, text) as daemon:
        pulse.play(sounds.endless_room())
        daemon.wait_until_it_hears()
        notify.collect()
        pulse.play(sounds.cry_then_room(6.0, 60.0))
        daemon.wait_for_a_cry()
        wait_until(lambda: people.alarms(kind="sound"), "the cry on the broker")
        clips = daemon.log_path.with_name("clips")
        squeeze = Squeeze(daemon.process.pid)
        try:
            time.sleep(8.0)  # the cry ends, and with it the clip
            assert daemon.status() is None, "nobody is accepted"
            with pytest.raises(OSError, match=r"timed out|refused|reset"):
                _scraped(port)
            daemon.log_path.with_name("alarms.db").unlink()  # the journal must make it again
            daemon.log_path.rename(daemon.log_path.with_suffix(".set-aside"))  # the log too, as in a rotation
            (capture,) = daemon.children()
            os.kill(capture, signal.SIGKILL)
            daemon.wait_until(lambda: "capture process cannot be started" in daemon.printed(), "the fault", _SOON_S)
            broker.kill()
            broker.start()
            fed_s = _fed_s(notify, _STARVED_S)
            assert daemon.process.poll() is None, daemon
            assert max(later - earlier for earlier, later in pairwise(fed_s)) < 4.0
            assert not list(clips.glob("**/*.flac"))
        finally:
            squeeze.release()
        pulse.play(sounds.endless_room())
        daemon.wait_until(lambda: (state := daemon.status()) is not None and state.hears, "hearing", UP_WITHIN_S)
        daemon.wait_until(
            lambda: (state := daemon.status()) is not None and state.broker == "connected" and not state.journal,
            "broker and journal", UP_WITHIN_S,
        )  # fmt: skip
        assert "auricle_hearing 1.0" in _scraped(port)
        daemon.wait_for({"fault": "microphone", "begins": True}, within_s=_SOON_S)
        told, before = {alarm["alarm_id"] for alarm in people.alarms(kind="sound")}, len(daemon.lines())
        pulse.play(sounds.cry_then_room(6.0, 12.0))
        daemon.wait_for_a_cry(after=before)
        wait_until(
            lambda: {alarm["alarm_id"] for alarm in people.alarms(kind="sound")} - told, "a new cry on the broker"
        )
        wait_until(lambda: list(clips.glob("**/*.flac")), "a new clip", UP_WITHIN_S)
        assert {"journal", "microphone"} <= {alarm["name"] for alarm in people.alarms(kind="technical")}


def test_a_loop_whose_file_can_be_opened_no_more_is_a_fault_and_plays_on_later(
    private_folder: Path, sounds: Sounds
) -> None:
    """Regression: the daemon said that nothing more was to be heard, and ended with exit code 2."""
    recording = sounds.write("short-room.wav", [sounds.room(20.0)])
    command = [str(AURICLE), "listen", "--speed", "4", "--loop", "--source", str(recording)]
    with RunningDaemon(private_folder, {}, "", command=command) as daemon:
        daemon.wait_until_it_hears()
        before = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (_POLLED, before[1]))
        try:
            daemon.wait_until(lambda: "Too many open files" in daemon.printed(), "the fault", _SOON_S)
            time.sleep(2.0)
            assert daemon.process.poll() is None, daemon
        finally:
            resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, before)
        daemon.wait_until_it_hears()
        scored = _windows(daemon)
        daemon.wait_until(lambda: _windows(daemon) > scored, "another window", _SOON_S)


def _fed_s(notify: NotifySocket, seconds: float) -> list[float]:
    """When the watchdog was fed during an observation, and when that began and ended."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < seconds:
        notify.collect()
        time.sleep(0.05)
    fed_s = [at_s for at_s, line in notify.received if line == "WATCHDOG=1" and at_s >= began_s]
    return [began_s, *fed_s, time.monotonic()]


def _scraped(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=3.0) as answer:
        return str(answer.read().decode())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
