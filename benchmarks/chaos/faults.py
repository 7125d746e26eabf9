"""What is taken from the daemon, and how it is given back."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from benchmarks.chaos.rig import Rig, sbin
from tests.system.conftest import program, wait_until

if TYPE_CHECKING:
    import random

_SYSTEM = Path(__file__).resolve().parents[2] / "tests" / "system"


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
        nft = sbin("nft")
        subprocess.run([nft, "add", "table", "inet", "cut"], check=True, timeout=20)
        hook = "{ type filter hook input priority 0 ; }"
        subprocess.run([nft, "add", "chain", "inet", "cut", "in", hook], check=True, timeout=20)
        for rule in rules:
            subprocess.run([nft, "add", "rule", "inet", "cut", "in", *rule], check=True, timeout=20)

    def end(self, rig: Rig) -> None:  # noqa: ARG002 - as of any fault
        """They arrive again."""
        subprocess.run([sbin("nft"), "delete", "table", "inet", "cut"], check=True, timeout=20)


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
