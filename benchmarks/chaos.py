"""Everything that can be taken from the daemon is, at random moments; no alarm that it owed may be lost.

    make chaos           (or: python benchmarks/chaos.py [--killed 500] [--rounds 25] [--seed 1] [--only NAME ...])

A real daemon hears an infant cry every few seconds, at many times the pace of real time, and tells a real mosquitto.
A subscriber that never leaves, on a socket that no fault touches, keeps all that comes. Faults:

    killed               kill -9 of the daemon at any moment, the broker down for a while at any moment
    broker killed        kill -9 of the broker, which comes back
    broker frozen        it is stopped and lets nobody know (SIGSTOP)
    network cut          packets between daemon and broker vanish, without a reset; root
    login refused        the broker does not know the password any more, for a while
    disk full            the journal's disk has no byte left; root
    disk read-only       it cannot be written when the daemon starts; root
    disk stalled         no fsync returns, for up to 8 s
    journal damaged      pages of the journal are overwritten between two lives
    clock stepped        by up to an hour, either way, several times
    delivery hung        nobody takes what the daemon prints, for as long as it lives

In half of the rounds of each the daemon is killed as well. What must arrive: every change of an alarm that the journal
held at any time, and every one that was published without `not_durable`; where the daemon lived through it, every
change that it decided. Copies must not contradict each other. What a damaged journal says that it lost, nobody can ask
for: that is counted apart.

A round's choices come of its seed, which is printed: `--only killed --seed 1.3` repeats the fourth lot of 25. When
things happen is up to the machine. Exit code 1 where an alarm was lost.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from device.alarms.journal.store import look
from device.alarms.machine import AFTER_RESTART_SEQ
from device.errors import JournalError
from tests.system.conftest import Mosquitto, NotifySocket, program, wait_until
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from device.alarms.journal.entries import Entry, Key

LOT = 25
"""Rounds that share one journal and one broker."""

SPEED = 20
"""Times as fast as real: four alarms begin and end in a second."""

ARRIVES_WITHIN_S = 60.0
"""After all is well again; the longest wait of a client that was refused is 30 s."""

STILL_S = 2.0
"""Of a quiet room, after which no alarm of before changes any more: 40 s at this pace."""

_SYSTEM = Path(__file__).resolve().parents[1] / "tests" / "system"
_PRIVATE = "AURICLE_CHAOS_PRIVATE"
_TOLD_ANEW = ("decided_to_told_s", "late", "not_durable")
_UNREADABLE = re.compile(r"(\d+) could not be")

_CONFIG = """
[model.cry.label.cry]
confirm_s = 1.0
confirm_of_s = 1.0
hold_s = 1.0
cooldown_s = 0.0

[log]
file = "off"

[journal]
file = "{journal}"

[self_test]
daily_at = "off"

[mqtt]
host = "127.0.0.1"
port = {port}
{login}
"""


# --- what must have arrived


@dataclass(frozen=True, slots=True)
class Copy:
    """A change of an alarm as it came.

    Attributes:
        told: the payload.
        at_utc_s: when it came.
    """

    told: Mapping[str, Any]
    at_utc_s: float

    @property
    def key(self) -> Key:
        """(alarm_id, seq)."""
        return self.told["alarm_id"], self.told["seq"]

    @property
    def said(self) -> dict[str, Any]:
        """What it says whenever it is told."""
        return {name: value for name, value in self.told.items() if name not in _TOLD_ANEW}

    @property
    def decided_utc_s(self) -> float:
        """When it was decided: by the daemon's own account of how long ago that is, else by its clock."""
        ago_s = self.told["decided_to_told_s"]
        if ago_s is not None:
            return self.at_utc_s - float(ago_s)
        return datetime.fromisoformat(self.told["decided_utc"]).timestamp()


@dataclass(slots=True)
class Judgement:
    """What became of all alarms.

    Attributes:
        owed: how many had to arrive.
        lost: that did not arrive though the journal held them, or that are missing between others.
        unkept: that were told as durable and that no journal ever held.
        contradicted: of which two copies say different things.
        worst_delay_s: from the decision, or from when all was well again, to the first copy.
        copies: that came beside the first ones.
        from_memory: alarms that were told first before a disk had them.
        unreadable: entries that the daemon said a damaged journal had lost, if any.
    """

    owed: int = 0
    lost: list[Key] = field(default_factory=list)
    unkept: list[Key] = field(default_factory=list)
    contradicted: list[Key] = field(default_factory=list)
    worst_delay_s: float = 0.0
    copies: int = 0
    from_memory: int = 0
    unreadable: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing was lost but what the daemon itself said could not be read any more."""
        return len(self.lost) <= self.unreadable and not self.unkept and not self.contradicted


def judge(
    kept: Mapping[Key, Entry],
    copies: Sequence[Copy],
    *,
    well_utc_s: Sequence[float] = (),
    killed: Collection[str] = (),
    keeps_all: bool = True,
) -> Judgement:
    """Hold what came against what was kept.

    Args:
        kept: all that the journal was ever seen to hold.
        copies: in the order of their coming.
        well_utc_s: when a fault was over.
        killed: what ids begin with, up to the first -, of daemons that were killed; of all others' alarms every
            change must have come up to the last one.
        keeps_all: False where the journal had to let go of what was told, to make room.
    """
    first: dict[Key, Copy] = {}
    found = Judgement(copies=len(copies))
    for copy in copies:
        if first.setdefault(copy.key, copy).said != copy.said:
            found.contradicted.append(copy.key)
        found.worst_delay_s = max(found.worst_delay_s, _delay_s(first[copy.key], well_utc_s))
    durable = {copy.key for copy in copies if not copy.told["not_durable"]}
    owed = kept.keys() | durable | _between(kept.keys() | first.keys(), killed)
    found.owed = len(owed)
    found.copies -= len(first)
    found.unreadable = sum(_unreadable(copy) for copy in first.values())
    found.from_memory = sum(copy.told["not_durable"] for copy in first.values())
    found.lost = sorted(owed - first.keys())
    found.unkept = sorted(durable - kept.keys()) if keeps_all else []
    return found


def _delay_s(copy: Copy, well_utc_s: Sequence[float]) -> float:
    since_utc_s = max([copy.decided_utc_s, *(well for well in well_utc_s if well <= copy.at_utc_s)])
    return copy.at_utc_s - since_utc_s


def _between(known: Collection[Key], killed: Collection[str]) -> set[Key]:
    """All changes before known ones, of alarms that began in lives that were not killed; a restart skips some."""
    missing: set[Key] = set()
    for alarm_id, seq in known:
        if _life(alarm_id) in killed:
            continue
        before = next((other for other in range(seq - 1, -1, -1) if (alarm_id, other) in known), -1)
        if seq - before < AFTER_RESTART_SEQ:
            missing.update((alarm_id, between) for between in range(before + 1, seq))
    return missing


def _life(alarm_id: str) -> str:
    """What ids of one life of the daemon begin with: a stream's or a boot's id."""
    return alarm_id.partition("-")[0]


def _unreadable(copy: Copy) -> int:
    told = copy.told
    if told["name"] != "journal" or told["change"] != "raised":
        return 0
    number = _UNREADABLE.search(told["detail"])
    return int(number[1]) if number else 0


# --- the real parts


class Ears:
    """A subscriber on a socket of its own; it is there before the daemon can tell anything.

    Args:
        socket: of the broker.
    """

    def __init__(self, socket: Path) -> None:
        self.copies: list[Copy] = []
        self._socket = socket
        self._client: paho.Client | None = None
        self._gone = threading.Event()

    def __repr__(self) -> str:
        return f"Ears({len(self.copies)} copies)"

    def open(self) -> None:
        """Subscribe; returns when the broker has said so."""
        ready = threading.Event()
        self._gone = threading.Event()
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            "people",
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            transport="unix",
            reconnect_on_failure=False,
        )
        client.username_pw_set("people", "people")
        client.on_subscribe = lambda *_: ready.set()
        client.on_disconnect = lambda *_, gone=self._gone: gone.set()
        client.on_message = self._hear
        client.connect(str(self._socket), keepalive=600)
        client.subscribe("auricle/+/alarm/#", 1)
        client.loop_start()
        self._client = client
        if not ready.wait(20.0):
            raise TimeoutError("the broker takes no subscriber")

    def ended(self) -> None:
        """The broker is gone: returns when all that it had sent was read."""
        if self._client is not None:
            self._gone.wait(20.0)
            self._client.loop_stop()
            self._client = None

    def _hear(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self.copies.append(Copy(json.loads(message.payload), time.time()))


class Rig:
    """A daemon, a broker and a subscriber in a folder of their own; a context manager that ends all of them.

    Args:
        folder: with a short path, for sockets' names.
        sound: what is heard, over and over.
        environment: of the daemon, beside what all have.
        journal: where the daemon keeps it; None for the folder.
        console: the daemon's stdout; None for a file.
    """

    def __init__(
        self,
        folder: Path,
        sound: Path,
        *,
        environment: Mapping[str, str] | None = None,
        journal: Path | None = None,
        console: int | None = None,
    ) -> None:
        self.folder = folder
        self.journal = journal or folder / "journal.db"
        self.kept: dict[Key, Entry] = {}
        self.killed: set[str] = set()
        self.well_utc_s: list[float] = []
        self._console = console
        self._passwords = folder / "passwords"
        self.let_in(daemon=True)
        socket = folder / "people.sock"
        self.broker = Mosquitto(folder, *_broker_lines(folder, socket, self._passwords))
        self.is_broker_up = False
        self.ears = Ears(socket)
        self._ready = NotifySocket(folder)
        self._environment = {**(environment or {}), **self._ready.environment}
        self.daemon = self._hearing(sound)

    def __repr__(self) -> str:
        return f"Rig({self.folder}, {self.ears!r}, {len(self.kept)} kept)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.daemon.kill()
        self.broker.kill()
        self.ears.ended()
        self._ready.close()

    # --- the daemon

    def _hearing(self, sound: Path) -> RunningDaemon:
        return RunningDaemon(
            self.folder,
            self._environment,
            _CONFIG.format(journal=self.journal, port=self.broker.port, login=_login(self.folder)),
            command=[str(AURICLE), "listen", "--source", str(sound), "--speed", str(SPEED), "--loop"],
        )

    @property
    def is_alive(self) -> bool:
        """Whether a daemon runs."""
        return self.daemon._process is not None and self.daemon.process.poll() is None  # noqa: SLF001 - before its first start too

    def start(self, *, until_it_hears: bool = True) -> None:
        """A new life."""
        self._ready.collect()
        self._ready.received.clear()
        self.daemon.start(self._console)
        if until_it_hears:
            self._ready.wait_for("READY=1", 60.0)

    def kill(self) -> None:
        """Kill -9, and look at what it leaves behind."""
        self.daemon.kill()
        self.look()
        self.killed.update(_life(alarm_id) for alarm_id, _ in self.kept.keys() | self._arrived())

    def look(self) -> None:
        """Remember what the journal holds now; of a dead daemon's a copy is read, so that nothing is repaired."""
        if self.is_alive:
            self._read(self.journal)
            return
        with tempfile.TemporaryDirectory(dir=self.folder) as aside:
            for file in self.journal.parent.glob(f"{self.journal.name}*"):
                if not file.name.endswith(".ballast"):
                    shutil.copy(file, aside)
            self._read(Path(aside) / self.journal.name)

    def _read(self, path: Path) -> None:
        if path.exists():
            self.kept.update((entry.key, entry) for entry in look(path, 0.0))

    # --- the broker

    def let_in(self, *, daemon: bool) -> None:
        """Whom the broker knows from its next start, or reload, on."""
        self._passwords.unlink(missing_ok=True)
        for name, word in (("people", "people"), ("auricle", "right" if daemon else "another")):
            given = ("-b",) if self._passwords.exists() else ("-b", "-c")
            subprocess.run([_sbin("mosquitto_passwd"), *given, self._passwords, name, word], check=True, timeout=20)
        self._passwords.chmod(0o600)

    def broker_up(self) -> None:
        """Start it; the daemon is held still until the subscriber is there, or the broker would throw alarms away."""
        if self.is_broker_up:
            return
        self.hold_still(signal.SIGSTOP)
        self.broker.start()
        self.ears.open()
        self.hold_still(signal.SIGCONT)
        self.is_broker_up = True

    def broker_down(self) -> None:
        """Kill -9."""
        if self.is_broker_up:
            self.broker.kill()
            self.ears.ended()
            self.is_broker_up = False

    def hold_still(self, number: signal.Signals) -> None:
        """SIGSTOP or SIGCONT to the daemon, if there is one."""
        if self.is_alive:
            self.daemon.process.send_signal(number)

    # --- the end of a lot

    def settle(self, within_s: float = ARRIVES_WITHIN_S, *, keeps_all: bool = True) -> Judgement:
        """All is well again: what is owed arrives, a last life hears a quiet room, and all that is kept is judged."""
        self.well_utc_s.append(time.time())
        self.broker_up()
        if not self.is_alive:
            self.start()
        self.leave(within_s)
        self.daemon = self._hearing(Sounds(self.folder).endless_room())  # which decides nothing on its way out
        self.start()
        self.leave(within_s, still_s=STILL_S)
        copies = self.ears.copies
        return judge(self.kept, copies, well_utc_s=self.well_utc_s, killed=self.killed, keeps_all=keeps_all)

    def leave(self, within_s: float = ARRIVES_WITHIN_S, *, still_s: float = 0.0) -> None:
        """What is owed by now arrives, and nothing more comes for a while; then the daemon is told to end.

        Args:
            within_s: is waited for at most.
            still_s: for which nothing may be decided.
        """
        deadline_s = time.monotonic() + within_s
        known, since_s = -1, time.monotonic()
        while time.monotonic() < deadline_s:
            self._look_patiently()
            if len(self.kept) != known:
                known, since_s = len(self.kept), time.monotonic()
            if not self.kept.keys() - self._arrived() and time.monotonic() - since_s >= still_s:
                break
            time.sleep(0.1)
        self.daemon.terminate()
        self.look()

    def _arrived(self) -> set[Key]:
        return {copy.key for copy in tuple(self.ears.copies)}

    def _look_patiently(self) -> None:
        """A journal that is being begun, or taken up, cannot be read for a moment."""
        wait_until(self._can_look, "a journal that can be read", 60.0)

    def _can_look(self) -> bool:
        with contextlib.suppress(JournalError):
            self.look()
            return self.journal.exists()
        return False


def _broker_lines(folder: Path, socket: Path, passwords: Path) -> tuple[str, ...]:
    return (
        "allow_anonymous false",
        f"password_file {passwords}",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_on_changes true",
        "autosave_interval 1",
        "max_inflight_messages 0",  # so that what is acknowledged to the daemon was sent to the subscriber
        "max_queued_messages 0",
        f"listener 0 {socket}",
    )


def _login(folder: Path) -> str:
    word = folder / "password"
    word.write_text("right\n")
    word.chmod(0o600)
    return f'username = "auricle"\npassword_file = "{word}"'


def _sbin(name: str) -> str:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin") or program(name)


def crying(folder: Path) -> Path:
    """An infant who cries for three seconds, again and again, with pauses of three to five: a WAV file."""
    sounds = Sounds(folder)
    parts = [sounds.room(1.0)]
    for number in range(10):
        parts += [sounds.crying(3.0), sounds.room(3.0 + 0.2 * number)]
    return sounds.write("crying.wav", parts)


# --- faults


class Fault:
    """Something that is taken away for a while, and given back.

    Attributes:
        name: as the table calls it.
        share: of the rounds; what takes long is tried less often.
        longest_s: how long it lasts at most.
        needs_root: and namespaces of its own.
        keeps_all: False where the journal must let go of what was told, to make room.
    """

    name: ClassVar[str]
    share: ClassVar[float] = 1.0
    longest_s: ClassVar[float] = 3.0
    needs_root: ClassVar[bool] = False
    keeps_all: ClassVar[bool] = True

    def rig(self, folder: Path, sound: Path) -> Rig:
        """What it needs."""
        return Rig(folder, sound)

    def begin(self, rig: Rig, rng: random.Random) -> None:
        """It is there."""

    def end(self, rig: Rig) -> None:
        """It is over."""

    def round(self, rig: Rig, rng: random.Random) -> None:
        """One time: alarms are raised before, during and after it."""
        rig.broker_up()
        if not rig.is_alive:
            rig.start()
        time.sleep(rng.uniform(0.2, 1.0))
        self.begin(rig, rng)
        lasts_s, dies, dies_s = rng.uniform(0.2, self.longest_s), rng.random() < 0.5, rng.random()
        if dies:
            time.sleep(dies_s * lasts_s)
            rig.kill()
            rig.start(until_it_hears=False)
        time.sleep(lasts_s)
        self.end(rig)
        rig.well_utc_s.append(time.time())
        if not dies:
            rig.leave()


class Killed(Fault):
    """The daemon, at any moment of its life; the broker is away from any moment on, for any time."""

    name = "killed"

    def round(self, rig: Rig, rng: random.Random) -> None:
        """One life: broker down, broker up and the kill in any order; what is owed grows from life to life."""
        early = rng.random() < 0.2
        falls_s, away_s, dies_s = rng.uniform(-0.5, 1.5), rng.uniform(0.1, 2.0), rng.uniform(0.0, 1.5)
        if falls_s < 0:
            rig.broker_down()
        else:
            rig.broker_up()
        rig.start(until_it_hears=not early)
        acts = sorted([(falls_s, rig.broker_down), (falls_s + away_s, rig.broker_up), (dies_s, rig.kill)], key=_when)
        passed_s = 0.0
        for at_s, act in acts:
            time.sleep(max(0.0, at_s - passed_s))
            passed_s = max(passed_s, at_s)
            act()


def _when(act: tuple[float, object]) -> float:
    return act[0]


class BrokerKilled(Fault):
    """The broker dies and comes back."""

    name = "broker killed"

    def begin(self, rig: Rig, rng: random.Random) -> None:  # noqa: ARG002 - as of any fault
        """It dies."""
        rig.broker_down()

    def end(self, rig: Rig) -> None:
        """It is back."""
        rig.broker_up()


class BrokerFrozen(Fault):
    """The broker hangs: its port takes connections, and nobody answers."""

    name = "broker frozen"
    share = 0.6
    longest_s = 15.0

    def begin(self, rig: Rig, rng: random.Random) -> None:  # noqa: ARG002 - as of any fault
        """It hangs."""
        rig.broker.signal(signal.SIGSTOP)

    def end(self, rig: Rig) -> None:
        """It goes on where it was."""
        rig.broker.signal(signal.SIGCONT)


class NetworkCut(Fault):
    """Packets vanish, in one direction or both."""

    name = "network cut"
    share = 0.6
    longest_s = 15.0
    needs_root = True

    def begin(self, rig: Rig, rng: random.Random) -> None:
        """From now on."""
        port = rig.broker.port
        rules = [["tcp", side, str(port), "drop"] for side in rng.choice([["dport"], ["sport"], ["dport", "sport"]])]
        nft = _sbin("nft")
        subprocess.run([nft, "add", "table", "inet", "cut"], check=True, timeout=20)
        hook = "{ type filter hook input priority 0 ; }"
        subprocess.run([nft, "add", "chain", "inet", "cut", "in", hook], check=True, timeout=20)
        for rule in rules:
            subprocess.run([nft, "add", "rule", "inet", "cut", "in", *rule], check=True, timeout=20)

    def end(self, rig: Rig) -> None:  # noqa: ARG002 - as of any fault
        """They arrive again."""
        subprocess.run([_sbin("nft"), "delete", "table", "inet", "cut"], check=True, timeout=20)


class LoginRefused(Fault):
    """Somebody changed the password, and changes it back."""

    name = "login refused"
    share = 0.2
    longest_s = 4.0

    def begin(self, rig: Rig, rng: random.Random) -> None:  # noqa: ARG002 - as of any fault
        """The broker comes back with another password."""
        rig.broker_down()
        rig.let_in(daemon=False)
        rig.broker_up()

    def end(self, rig: Rig) -> None:
        """It knows the old one again."""
        rig.let_in(daemon=True)
        rig.broker.signal(signal.SIGHUP)


class _SmallDisk(Fault):
    """The journal lies on a small file system of its own."""

    needs_root = True

    def rig(self, folder: Path, sound: Path) -> Rig:
        """With 12 MB for a journal of 64."""
        disk = folder / "disk"
        disk.mkdir()
        subprocess.run([program("mount"), "-t", "tmpfs", "-o", "size=12m", "none", disk], check=True, timeout=20)
        return Rig(folder, sound, journal=disk / "journal.db")


class DiskFull(_SmallDisk):
    """Somebody else fills the disk, and cleans up."""

    name = "disk full"
    keeps_all = False

    def begin(self, rig: Rig, rng: random.Random) -> None:  # noqa: ARG002 - as of any fault
        """Not a byte is left."""
        with (rig.journal.parent / "junk").open("wb", buffering=0) as junk, contextlib.suppress(OSError):
            while junk.write(bytes(4096)):
                pass

    def end(self, rig: Rig) -> None:
        """There is room."""
        (rig.journal.parent / "junk").unlink()


class DiskReadOnly(_SmallDisk):
    """The disk was found with errors when it was mounted; a disk that is being written to cannot be made read-only."""

    name = "disk read-only"

    def begin(self, rig: Rig, rng: random.Random) -> None:  # noqa: ARG002 - as of any fault
        """The daemon dies and comes back to a disk that takes nothing."""
        rig.kill()
        self._remount(rig, "ro")
        rig.start()

    def end(self, rig: Rig) -> None:
        """It is writable again."""
        self._remount(rig, "rw")

    def _remount(self, rig: Rig, how: str) -> None:
        command = [program("mount"), "-o", f"remount,{how}", str(rig.journal.parent)]
        wait_until(lambda: subprocess.run(command, check=False, timeout=20).returncode == 0, f"a disk that is {how}")


class _Preloaded(Fault):
    """A library takes the place of some of the C library's calls."""

    source: ClassVar[str]
    variable: ClassVar[str]

    def rig(self, folder: Path, sound: Path) -> Rig:
        """With the library, and the file that it looks at."""
        library = folder / "preloaded.so"
        compiling = [program("gcc"), "-shared", "-fPIC", "-o", library, _SYSTEM / self.source, "-ldl"]
        subprocess.run([str(part) for part in compiling], check=True, timeout=60)
        self.prepare(folder / "switch")
        return Rig(folder, sound, environment={"LD_PRELOAD": str(library), self.variable: str(folder / "switch")})

    def prepare(self, switch: Path) -> None:
        """What the library finds at the start."""


class DiskStalled(_Preloaded):
    """The card busies itself."""

    name = "disk stalled"
    source = "stall_fsync.c"
    variable = "STALL_FILE"
    longest_s = 8.0

    def begin(self, rig: Rig, rng: random.Random) -> None:  # noqa: ARG002 - as of any fault
        """No fsync returns."""
        (rig.folder / "switch").touch()

    def end(self, rig: Rig) -> None:
        """They do."""
        (rig.folder / "switch").unlink()


class ClockStepped(_Preloaded):
    """Somebody sets the time of day, again and again."""

    name = "clock stepped"
    source = "shift_clock.c"
    variable = "SHIFT_CLOCK_FILE"

    def prepare(self, switch: Path) -> None:
        """The right time."""
        _write_shift(switch, 0)

    def begin(self, rig: Rig, rng: random.Random) -> None:
        """By up to an hour, either way."""
        for _ in range(rng.randint(1, 4)):
            _write_shift(rig.folder / "switch", rng.randint(-3600, 3600))
            time.sleep(rng.uniform(0.0, 0.3))

    def end(self, rig: Rig) -> None:
        """It is right again."""
        _write_shift(rig.folder / "switch", 0)


def _write_shift(path: Path, shift_s: int) -> None:
    """In place: the file is mapped by those who look at it."""
    with path.open("r+b" if path.exists() else "wb") as file:
        file.write(shift_s.to_bytes(8, sys.byteorder, signed=True))


class JournalDamaged(Fault):
    """The card forgets, or makes up, some of what it was given, between two lives."""

    name = "journal damaged"

    def round(self, rig: Rig, rng: random.Random) -> None:
        """Some of it is owed when it is damaged."""
        rig.broker_up()
        if not rig.is_alive:
            rig.start()
        time.sleep(rng.uniform(0.2, 1.0))
        rig.broker_down()
        time.sleep(rng.uniform(0.2, 1.5))
        rig.kill()
        _damage(rig.journal, rng)
        if rng.random() < 0.5:
            rig.broker_up()
        rig.start()
        time.sleep(rng.uniform(0.2, 1.0))
        rig.broker_up()
        rig.well_utc_s.append(time.time())


def _damage(path: Path, rng: random.Random) -> None:
    """A few pages of the database hold noise, or nothing."""
    with path.open("r+b") as file:
        pages = max(1, path.stat().st_size // 4096)
        for page in rng.sample(range(pages), k=min(pages, rng.randint(1, 3))):
            file.seek(4096 * page)
            file.write(rng.randbytes(4096) if rng.random() < 0.5 else bytes(4096))


class DeliveryHung(Fault):
    """What the daemon prints goes into a pipe that is full."""

    name = "delivery hung"

    def rig(self, folder: Path, sound: Path) -> Rig:
        """Nobody reads, and nobody lets go of the pipe."""
        self._read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(write_end, bytes(4096)):
                pass
        os.set_blocking(write_end, True)
        return Rig(folder, sound, console=write_end)


FAULTS: tuple[type[Fault], ...] = (
    Killed,
    BrokerKilled,
    BrokerFrozen,
    NetworkCut,
    LoginRefused,
    DiskFull,
    DiskReadOnly,
    DiskStalled,
    JournalDamaged,
    ClockStepped,
    DeliveryHung,
)


# --- many times


@dataclass(frozen=True, slots=True)
class Lot:
    """Some rounds of one fault that shared a journal.

    Attributes:
        fault: its name.
        seed: of all its choices.
        rounds: times that it was tried.
        judgement: after the last round.
    """

    fault: str
    seed: str
    rounds: int
    judgement: Judgement

    def __str__(self) -> str:
        found = self.judgement
        told = f"{found.owed} owed, {found.from_memory} told from memory first, {found.copies} copies more"
        text = f"{self.fault}, seed {self.seed}: {self.rounds} rounds, {told}"
        wrong = {"lost": found.lost, "kept by no journal": found.unkept, "contradicted": found.contradicted}
        return "".join([text, *(f"; {what}: {keys[:5]}" for what, keys in wrong.items() if keys)])


def try_lot(fault: Fault, rounds: int, seed: str) -> Lot:
    """Try a fault so many times on one journal, then see what arrived."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        sound = crying(folder)
        try:
            with fault.rig(folder, sound) as rig:
                for _ in range(rounds):
                    fault.round(rig, rng)
                return Lot(fault.name, seed, rounds, rig.settle(keeps_all=fault.keeps_all))
        finally:
            subprocess.run([program("umount"), "--lazy", folder / "disk"], capture_output=True, check=False, timeout=20)


def main() -> int:
    """Try all faults and print what became of the alarms; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--killed", type=int, default=500, help="rounds of the daemon's death (default: 500)")
    parser.add_argument("--rounds", type=int, default=25, help="of every other fault, the slow ones less (default: 25)")
    parser.add_argument("--seed", default="1", help="of all choices (default: 1); 1.3 is the fourth lot of 1 alone")
    names = [fault.name for fault in FAULTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="FAULT", help="of the list above")
    given = parser.parse_args()
    _enter_namespaces()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was started is ended even so
    lots = list(_tried(given))
    print(f"\n{table(lots)}")
    return 0 if all(lot.judgement.holds for lot in lots) else 1


def _tried(given: argparse.Namespace) -> Iterator[Lot]:
    for kind in FAULTS:
        if kind.name not in given.only:
            continue
        if kind.needs_root and _PRIVATE not in os.environ:
            print(f"{kind.name}: not tried, it takes root and namespaces", flush=True)
            continue
        rounds = given.killed if kind is Killed else max(1, round(kind.share * given.rounds))
        for seed, size in _lots(str(given.seed), rounds):
            lot = try_lot(kind(), size, seed)
            print(lot, flush=True)
            yield lot


def _lots(seed: str, rounds: int) -> Iterator[tuple[str, int]]:
    """(seed, rounds) of each lot; one alone where the seed names it."""
    if "." in seed:
        yield seed, min(LOT, rounds)
        return
    for number, begun in enumerate(range(0, rounds, LOT)):
        yield f"{seed}.{number}", min(LOT, rounds - begun)


def table(lots: Sequence[Lot]) -> str:
    """Fault | times tried | survived | alarms lost | worst delay, as Markdown."""
    lines = [
        "| fault | times tried | survived | alarms owed | alarms lost | worst delay |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name in dict.fromkeys(lot.fault for lot in lots):
        mine = [lot for lot in lots if lot.fault == name]
        tried = sum(lot.rounds for lot in mine)
        survived = sum(lot.rounds for lot in mine if lot.judgement.holds)
        owed = sum(lot.judgement.owed for lot in mine)
        delay_s = max(lot.judgement.worst_delay_s for lot in mine)
        lines.append(f"| {name} | {tried} | {survived} | {owed} | {_losses(mine)} | {delay_s:.1f} s |")
    return "\n".join(lines)


def _losses(lots: Sequence[Lot]) -> str:
    lost = sum(len(lot.judgement.lost) for lot in lots)
    said = sum(min(len(lot.judgement.lost), lot.judgement.unreadable) for lot in lots)
    return f"{lost - said} (and {said} told to be unreadable)" if said else str(lost)


def _enter_namespaces() -> None:
    """Begin again with a network and mounts that are nobody else's, where that is allowed."""
    if _PRIVATE in os.environ or os.geteuid() != 0:
        return
    inside = ["unshare", "--net", "--mount", "--propagation", "private"]
    up = 'ip link set lo up && exec "$@"'
    if subprocess.run([*inside, "sh", "-c", "ip link set lo up"], capture_output=True, check=False).returncode == 0:
        os.environ[_PRIVATE] = "1"
        os.execvp(inside[0], [*inside, "sh", "-c", up, "sh", sys.executable, __file__, *sys.argv[1:]])  # noqa: S606 - no shell is meant


if __name__ == "__main__":
    sys.exit(main())
