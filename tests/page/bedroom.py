"""What stands behind the page in a trial: a sound card, a broker, a small disk, the daemon, and the page's process."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from signal import SIGCONT, SIGSTOP
from typing import TYPE_CHECKING

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from device.runtime.paths import web_folder
from device.web.night.hearing_record import HearingRecord
from tests.ha.household import Room
from tests.page.browser import WITHIN_S
from tests.programs import program
from tests.system.alarms.test_alarm_faults import preloaded
from tests.system.conftest import Mosquitto, PulseCard
from tests.system.operation.running_page import RunningPage
from tests.system.running_daemon import RATE_HZ, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HOUR_S, DAY_S = 3600, 86400
MORNING_S = 19800
NAME = "nursery"
OPERATOR, VIEWER = "anna", "ben"

CONFIG = """
[microphone]
device = "fakemic"
sample_rate_hz = {rate_hz}

[model.cry.label.cry]
hold_s = 1.0
cooldown_s = 0.0
[model.scream]
enabled = false

[alarms]
time_zone = "UTC"
longest_pause_s = 1800
latch = "high"

[clips]
enabled = true
after_s = 3.0

[self_test]
daily_at = "off"

[journal]
file = "{journal}"

[mqtt]
host = "127.0.0.1"
port = {port}
"""


class Disk:
    """A small file system of its own, which another program may fill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        subprocess.run([program("mount"), "-t", "tmpfs", "-o", "size=12m", "none", folder], check=True, timeout=20)

    @property
    def journal(self) -> Path:
        """The daemon's."""
        return self.folder / "alarms.db"

    def fill(self) -> None:
        """Write until not a byte fits any more."""
        with self._junk.open("wb", buffering=0) as junk, contextlib.suppress(OSError):
            while junk.write(bytes(4096)):
                pass

    def clear(self) -> None:
        """Make room again; idempotent."""
        self._junk.unlink(missing_ok=True)

    def lose_journal(self) -> None:
        """Delete the journal, and fill the disk again."""
        for path in self.folder.glob("alarms.db*"):
            path.unlink()
        self.clear()
        self.fill()

    def close(self) -> None:
        """Unmount it."""
        subprocess.run([program("umount"), "--lazy", self.folder], check=True, timeout=20)

    @property
    def _junk(self) -> Path:
        return self.folder / "junk"


class Clock:
    """The time of day of the daemon and of the page's process; a step moves it while they run.

    Their present is half past five in the morning, so that every trial has a night behind it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "shift"
        self._morning_s = MORNING_S - int(time.time()) % DAY_S
        self.step(0)
        self.environment = {"LD_PRELOAD": preloaded(folder, "shift_clock.c"), "SHIFT_CLOCK_FILE": str(self._file)}

    @property
    def present_utc_s(self) -> float:
        """The present, if no step were in force."""
        return time.time() + self._morning_s

    def step(self, seconds: int) -> None:
        """Set how far it is off from the present."""
        with self._file.open("r+b" if self._file.exists() else "wb", buffering=0) as file:
            file.write((self._morning_s + seconds).to_bytes(8, sys.byteorder, signed=True))


@dataclass(slots=True)
class Bedroom:
    """The parts.

    Attributes:
        passwords: name -> password of each account.
    """

    folder: Path
    broker: Mosquitto
    room: Room
    disk: Disk
    clock: Clock
    daemon: RunningDaemon
    page: RunningPage
    passwords: dict[str, str]

    def stop_daemon(self) -> None:
        """It hangs (SIGSTOP)."""
        self.daemon.process.send_signal(SIGSTOP)

    def go_on_daemon(self) -> None:
        """It goes on (SIGCONT)."""
        self.daemon.process.send_signal(SIGCONT)

    def counts(self) -> tuple[float, float, float]:
        """Of the daemon: windows that were scored, windows that were due, seconds of sound that it dropped."""
        state = self.daemon.status()
        assert state is not None
        return state.windows_scored, state.windows_due, state.dropped_s

    def publish(self, topic: str, members: Mapping[str, object]) -> None:
        """Publish a message to the broker, as another client of it."""
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", self.broker.port)
        client.loop_start()
        client.publish(topic, json.dumps(members), qos=1).wait_for_publish(WITHIN_S)
        client.disconnect()
        client.loop_stop()

    def remember_hours(self, hours: int) -> None:
        """Have the page's process know when there was hearing in the last hours: all the time but for ten minutes."""
        record = HearingRecord(web_folder(NAME, self.daemon.environment) / "heard")
        minute = int(self.clock.present_utc_s // 60)
        for each in range(minute - 60 * hours, minute):
            for _ in range(10):
                record.add(60.0 * each, hears=not 100 <= minute - each < 110)
        record.flush()


@contextlib.contextmanager
def bedroom(folder: Path) -> Iterator[Bedroom]:
    """Start all of it; the daemon hears a quiet room, and nothing has happened yet."""
    broker, card, sounds = Mosquitto(folder), PulseCard(folder), Sounds(folder)
    with contextlib.ExitStack() as opened:
        disk = Disk(folder / "disk")
        opened.callback(disk.close)
        broker.start()
        opened.callback(broker.kill)
        card.start()
        opened.callback(card.stop)
        room = Room(card, sounds)
        room.calm()
        clock = Clock(folder)
        config = CONFIG.format(rate_hz=RATE_HZ, port=broker.port, journal=disk.journal)
        daemon = opened.enter_context(
            RunningDaemon(folder, {**card.environment, **clock.environment}, config, name=NAME)
        )
        page = RunningPage(daemon)
        passwords = {
            OPERATOR: page.new_password(OPERATOR),
            VIEWER: page.new_password(VIEWER, "--role", "viewer"),
        }
        daemon.wait_until_it_hears()
        opened.enter_context(page)
        yield Bedroom(folder, broker, room, disk, clock, daemon, page, passwords)
