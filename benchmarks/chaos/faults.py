"""The faults that are injected: how each begins, how long it lasts, how it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from benchmarks.chaos.rig import Rig
from tests.programs import program
from tests.system.conftest import wait_until

if TYPE_CHECKING:
    import random

_SYSTEM = Path(__file__).resolve().parents[2] / "tests" / "system"


class InjectedFault:
    """A fault that begins at a random moment, lasts for a while, and ends.

    Attributes:
        name: in the table and on the command line.
        share: of the rounds; slow faults are tried less often.
        longest_s: how long it lasts at most.
        needs_root: whether it needs root and private namespaces.
        journal_keeps_all: False if the journal has to delete delivered entries to make room.
    """

    name: ClassVar[str]
    share: ClassVar[float] = 1.0
    longest_s: ClassVar[float] = 3.0
    needs_root: ClassVar[bool] = False
    journal_keeps_all: ClassVar[bool] = True

    def make_rig(self, folder: Path, sound: Path) -> Rig:
        """A rig that this fault can be injected into."""
        return Rig(folder, sound)

    def begin(self, rig: Rig, rng: random.Random) -> None:
        """Begin the fault."""

    def end(self, rig: Rig) -> None:
        """End the fault."""

    def run_round(self, rig: Rig, rng: random.Random) -> None:
        """Inject it once; alarms are raised before, during and after it."""
        rig.start_broker()
        if not rig.is_alive:
            rig.start()
        time.sleep(rng.uniform(0.2, 1.0))
        self.begin(rig, rng)
        lasts_s, is_killed, killed_at = rng.uniform(0.2, self.longest_s), rng.random() < 0.5, rng.random()
        if is_killed:
            time.sleep(killed_at * lasts_s)
            rig.kill()
            rig.start(wait_until_ready=False)
        time.sleep(lasts_s)
        self.end(rig)
        rig.recovered_utc_s.append(time.time())
        if not is_killed:
            rig.deliver_and_stop()


class Killed(InjectedFault):
    """The daemon is killed at any moment; the broker is away from any moment on, for any time."""

    name = "killed"

    def run_round(self, rig: Rig, rng: random.Random) -> None:
        """One daemon: broker down, broker up and the kill in any order; what is owed grows from round to round."""
        early = rng.random() < 0.2
        down_at_s, away_s, killed_at_s = rng.uniform(-0.5, 1.5), rng.uniform(0.1, 2.0), rng.uniform(0.0, 1.5)
        if down_at_s < 0:
            rig.kill_broker()
        else:
            rig.start_broker()
        rig.start(wait_until_ready=not early)
        back_at_s = down_at_s + away_s
        acts = [(down_at_s, rig.kill_broker), (back_at_s, rig.start_broker), (killed_at_s, rig.kill)]
        passed_s = 0.0
        for at_s, act in sorted(acts, key=lambda act: act[0]):
            time.sleep(max(0.0, at_s - passed_s))
            passed_s = max(passed_s, at_s)
            act()


class BrokerKilled(InjectedFault):
    """The broker is killed and started again."""

    name = "broker killed"

    def begin(self, rig: Rig, rng: random.Random) -> None:  # noqa: ARG002 - as of any fault
        """Kill the broker."""
        rig.kill_broker()

    def end(self, rig: Rig) -> None:
        """Start the broker."""
        rig.start_broker()


class BrokerFrozen(InjectedFault):
    """The broker hangs: its port accepts connections, and nothing answers."""

    name = "broker frozen"
    share = 0.6
    longest_s = 15.0

    def begin(self, rig: Rig, rng: random.Random) -> None:  # noqa: ARG002 - as of any fault
        """Stop the broker (SIGSTOP)."""
        rig.broker.signal(signal.SIGSTOP)

    def end(self, rig: Rig) -> None:
        """Continue it."""
        rig.broker.signal(signal.SIGCONT)


class NetworkCut(InjectedFault):
    """Packets are dropped, in one direction or both."""

    name = "network cut"
    share = 0.6
    longest_s = 15.0
    needs_root = True

    def begin(self, rig: Rig, rng: random.Random) -> None:
        """Drop the packets from now on."""
        port = rig.broker.port
        rules = [["tcp", side, str(port), "drop"] for side in rng.choice([["dport"], ["sport"], ["dport", "sport"]])]
        nft = program("nft")
        subprocess.run([nft, "add", "table", "inet", "cut"], check=True, timeout=20)
        hook = "{ type filter hook input priority 0 ; }"
        subprocess.run([nft, "add", "chain", "inet", "cut", "in", hook], check=True, timeout=20)
        for rule in rules:
            subprocess.run([nft, "add", "rule", "inet", "cut", "in", *rule], check=True, timeout=20)

    def end(self, rig: Rig) -> None:  # noqa: ARG002 - as of any fault
        """Deliver packets again."""
        subprocess.run([program("nft"), "delete", "table", "inet", "cut"], check=True, timeout=20)


class LoginRefused(InjectedFault):
    """The broker's password for the daemon is changed, and changed back."""

    name = "login refused"
    share = 0.2
    longest_s = 4.0

    def begin(self, rig: Rig, rng: random.Random) -> None:  # noqa: ARG002 - as of any fault
        """Restart the broker with another password."""
        rig.kill_broker()
        rig.broker.write_passwords(daemon_allowed=False)
        rig.start_broker()

    def end(self, rig: Rig) -> None:
        """Restore the password; SIGHUP makes the broker read it."""
        rig.broker.write_passwords(daemon_allowed=True)
        rig.broker.signal(signal.SIGHUP)


class _SmallDisk(InjectedFault):
    """The journal lies on a small file system of its own."""

    needs_root = True

    def make_rig(self, folder: Path, sound: Path) -> Rig:
        """A rig with 12 MB for a journal of 64."""
        disk = folder / "disk"
        disk.mkdir()
        subprocess.run([program("mount"), "-t", "tmpfs", "-o", "size=12m", "none", disk], check=True, timeout=20)
        return Rig(folder, sound, journal=disk / "journal.db")


class DiskFull(_SmallDisk):
    """Another program fills the disk, and cleans up."""

    name = "disk full"
    journal_keeps_all = False

    def begin(self, rig: Rig, rng: random.Random) -> None:  # noqa: ARG002 - as of any fault
        """Fill the disk to its last byte."""
        with (rig.journal.parent / "junk").open("wb", buffering=0) as junk, contextlib.suppress(OSError):
            while junk.write(bytes(4096)):
                pass

    def end(self, rig: Rig) -> None:
        """Make room."""
        (rig.journal.parent / "junk").unlink()


class DiskReadOnly(_SmallDisk):
    """The daemon starts on a read-only disk; a disk that is being written to cannot be remounted read-only."""

    name = "disk read-only"

    def begin(self, rig: Rig, rng: random.Random) -> None:  # noqa: ARG002 - as of any fault
        """Kill the daemon and start it on a read-only disk."""
        rig.kill()
        self._remount(rig, "ro")
        rig.start()

    def end(self, rig: Rig) -> None:
        """Make the disk writable again."""
        self._remount(rig, "rw")

    def _remount(self, rig: Rig, mode: str) -> None:
        command = [program("mount"), "-o", f"remount,{mode}", str(rig.journal.parent)]
        wait_until(lambda: subprocess.run(command, check=False, timeout=20).returncode == 0, f"a disk that is {mode}")


class _Preloaded(InjectedFault):
    """A preloaded library replaces some calls of the C library."""

    source: ClassVar[str]
    variable: ClassVar[str]

    def make_rig(self, folder: Path, sound: Path) -> Rig:
        """A rig whose daemon loads the library; the file `switch` controls it."""
        library = folder / "preloaded.so"
        command = [program("gcc"), "-shared", "-fPIC", "-o", library, _SYSTEM / self.source, "-ldl"]
        subprocess.run([str(part) for part in command], check=True, timeout=60)
        self.prepare(folder / "switch")
        return Rig(folder, sound, environment={"LD_PRELOAD": str(library), self.variable: str(folder / "switch")})

    def prepare(self, switch: Path) -> None:
        """Write the switch for the start; no file by default."""


class DiskStalled(_Preloaded):
    """The SD card is busy with itself."""

    name = "disk stalled"
    source = "stall_fsync.c"
    variable = "STALL_FILE"
    longest_s = 8.0

    def begin(self, rig: Rig, rng: random.Random) -> None:  # noqa: ARG002 - as of any fault
        """Let no fsync return."""
        (rig.folder / "switch").touch()

    def end(self, rig: Rig) -> None:
        """Let every fsync return."""
        (rig.folder / "switch").unlink()


class ClockStepped(_Preloaded):
    """The time of day is set again and again."""

    name = "clock stepped"
    source = "shift_clock.c"
    variable = "SHIFT_CLOCK_FILE"

    def prepare(self, switch: Path) -> None:
        """Start with the right time."""
        _write_shift(switch, 0)

    def begin(self, rig: Rig, rng: random.Random) -> None:
        """Step the clock by up to an hour, in either direction."""
        for _ in range(rng.randint(1, 4)):
            _write_shift(rig.folder / "switch", rng.randint(-3600, 3600))
            time.sleep(rng.uniform(0.0, 0.3))

    def end(self, rig: Rig) -> None:
        """Restore the right time."""
        _write_shift(rig.folder / "switch", 0)


def _write_shift(path: Path, shift_s: int) -> None:
    """Write in place: the preloaded library has the file mapped."""
    with path.open("r+b" if path.exists() else "wb") as file:
        file.write(shift_s.to_bytes(8, sys.byteorder, signed=True))


class JournalDamaged(InjectedFault):
    """Pages of the journal are overwritten between two runs of the daemon."""

    name = "journal damaged"

    def run_round(self, rig: Rig, rng: random.Random) -> None:
        """Damage a journal that holds owed alarms."""
        rig.start_broker()
        if not rig.is_alive:
            rig.start()
        time.sleep(rng.uniform(0.2, 1.0))
        rig.kill_broker()
        time.sleep(rng.uniform(0.2, 1.5))
        rig.kill()
        _damage(rig.journal, rng)
        if rng.random() < 0.5:
            rig.start_broker()
        rig.start()
        time.sleep(rng.uniform(0.2, 1.0))
        rig.start_broker()
        rig.recovered_utc_s.append(time.time())


def _damage(path: Path, rng: random.Random) -> None:
    """Overwrite one to three pages of the database with noise or zeros."""
    with path.open("r+b") as file:
        pages = max(1, path.stat().st_size // 4096)
        for page in rng.sample(range(pages), k=min(pages, rng.randint(1, 3))):
            file.seek(4096 * page)
            file.write(rng.randbytes(4096) if rng.random() < 0.5 else bytes(4096))


class DeliveryHung(InjectedFault):
    """The daemon's stdout is a full pipe that nobody reads."""

    name = "delivery hung"

    def make_rig(self, folder: Path, sound: Path) -> Rig:
        """A rig whose daemon prints into a full pipe; its read end stays open."""
        self._read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(write_end, bytes(4096)):
                pass
        os.set_blocking(write_end, True)
        return Rig(folder, sound, console=write_end)


FAULTS: tuple[type[InjectedFault], ...] = (
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
