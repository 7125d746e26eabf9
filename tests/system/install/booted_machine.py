"""A machine that is booted in a container, with the units of Auricle and a sound card; only root may boot one.

It is this machine's own /usr around a root made in a moment (`make_boot_tree.sh`); it has its own processes, users and
network.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from device.errors import ServiceError
from device.runtime.sockets.status_socket import read_status
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from device.runtime.daemon_state import DaemonState

TREE_SCRIPT = Path(__file__).with_name("make_boot_tree.sh")
WITHIN_S = 60.0
"""A machine that runs other tests in parallel is slow; nothing here takes that long by itself."""

PROBE_IMPORTS = "import mmap, os, socket\nfrom pathlib import Path"

_AS_ON_A_PI = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
"""One hierarchy of control groups: with the older ones systemd notices too late that a unit's last process ended."""

_UP = ("running", "degraded")


def wait_until(holds: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
    deadline_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline_s:
            pytest.fail(f"{what}: not within {within_s:g} s")
        time.sleep(0.05)


class Machine:
    """A booted container, controlled as root.

    Args:
        tree: its root.
        process: the systemd-nspawn that holds it.
    """

    def __init__(self, tree: Path, process: subprocess.Popen[bytes]) -> None:
        self._tree = tree
        self._process = process
        self._init = 0  # its PID 1, as numbered outside

    def boot(self) -> None:
        """Wait until its systemd has started what is enabled."""
        wait_until(self._is_up, "the container's systemd answers")

    def __repr__(self) -> str:
        return f"Machine({self._tree}, init {self._init})"

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command in it as root; returns its output."""
        # Its root by name too: where the tests run in a chroot, entering its mounts alone ends outside of that chroot.
        inside = [program("nsenter"), "--all", "--root", "--wd", f"--target={self._init}", "--", *command]
        done = subprocess.run(inside, capture_output=True, text=True, check=False, timeout=WITHIN_S)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def systemctl(self, *arguments: str) -> str:
        """Run `systemctl` in it; returns its output."""
        return self.run("systemctl", "--no-pager", *arguments)

    def show(self, instance: str, name: str) -> str:
        """A property of an instance's unit."""
        return self.systemctl("show", "--value", f"--property={name}", f"auricle@{instance}").strip()

    def main_pid(self, instance: str) -> int:
        """Process id of an instance's daemon in the container; 0 if none runs."""
        return int(self.show(instance, "MainPID"))

    def state(self, instance: str) -> DaemonState:
        """The state that `auricle status` prints; it is asked again while the daemon starts."""
        socket = Path(f"/proc/{self._init}/root/run/auricle/{instance}/status.sock")
        answers: list[DaemonState] = []

        def answers_now() -> bool:
            with contextlib.suppress(ServiceError):
                answers.append(read_status(socket))
            return bool(answers)

        wait_until(answers_now, f"auricle@{instance} tells its state")
        return answers[0]

    def said(self, instance: str) -> str:
        """The systemd journal of an instance, systemd's own lines included."""
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit=auricle@{instance}")

    def configure(self, instance: str, text: str) -> None:
        """Write an instance's configuration."""
        (self._tree / f"etc/auricle/{instance}.toml").write_text(text)

    def write(self, path: str, data: bytes) -> None:
        """Write a file of the machine."""
        (self._tree / path).write_bytes(data)

    def overrule(self, instance: str, service: str) -> None:
        """Write a drop-in for an instance's unit, as `systemctl edit` does."""
        folder = self._tree / f"etc/systemd/system/auricle@{instance}.service.d"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "override.conf").write_text(f"[Service]\n{service}\n")
        self.systemctl("daemon-reload")

    def start(self, instance: str, text: str = 'profile = "nursery"\n') -> None:
        """Configure an instance and start it; returns when systemd considers it ready."""
        self.configure(instance, text)
        self.systemctl("start", f"auricle@{instance}")

    def confined(self, code: str) -> str:
        """Run Python in place of the daemon, with its confinement; returns its last line, `done` or an error."""
        probe, said = self._tree / "opt/probe.py", self._tree / "opt/probe.said"
        probe.write_text(f"{PROBE_IMPORTS}\n{code}\nprint('done')\n")
        streams = "StandardOutput=truncate:/opt/probe.said\nStandardError=truncate:/opt/probe.said"
        program = "ExecStart=\nExecStart=/opt/auricle/current/bin/python -W ignore /opt/probe.py\nExecStopPost="
        self.overrule("probing", f"Type=oneshot\nRestart=no\n{streams}\n{program}")
        self.run("systemctl", "start", "auricle@probing", check=False)
        return said.read_text().splitlines()[-1]

    def wait_for(self, instance: str, name: str, value: str) -> None:
        """Wait until a property of an instance's unit has a value."""
        wait_until(lambda: self.show(instance, name) == value, f"{name}={value} of auricle@{instance}")

    def wait_to_hear(self, instance: str, pattern: str) -> None:
        """Wait until an instance's journal holds a pattern."""
        wait_until(lambda: re.search(pattern, self.said(instance)), f"{pattern!r} in the journal of auricle@{instance}")

    def close(self) -> None:
        """Kill its init, and with it all its processes; systemd-nspawn then ends."""
        if self._init:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._init, signal.SIGKILL)
        else:
            self._process.terminate()
        self._process.wait(timeout=WITHIN_S)

    def _is_up(self) -> bool:
        if self._process.poll() is not None:
            pytest.fail(f"the container ended: {self._tree.with_suffix('.log').read_text(errors='replace')}")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self._init = next((int(child) for child in children if _name(int(child)) == "systemd"), 0)
        return self._init != 0 and self.run("systemctl", "is-system-running", check=False).strip() in _UP


def _name(process: int) -> str:
    with contextlib.suppress(FileNotFoundError):  # a process that has ended meanwhile
        return Path(f"/proc/{process}/comm").read_text().strip()
    return ""


def _skip_unless_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("booting a container needs root: run the tests as root to see the unit on a real systemd")
    if subprocess.run([program("unshare"), "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("booting a container needs CAP_SYS_ADMIN, which this machine withholds even from root")


def _nspawn(tree: Path) -> list[str]:
    """The command that boots a tree, with no trace left in this machine's own systemd."""
    base = Path(sys.base_prefix)
    python = [] if base == Path("/usr") else [f"--bind-ro={base}:/opt/python"]
    # Without a running systemd nothing makes a scope for the container: it stays in ours.
    unit = [] if Path("/run/systemd/system").is_dir() else ["--keep-unit"]
    return [
        # If this process is killed, the container is shut down: nothing keeps running.
        program("setpriv"), "--pdeathsig=TERM", program("systemd-nspawn"), f"--directory={tree}",
        f"--machine=auricle-{uuid.uuid4().hex[:8]}", "--register=no", *unit, "--private-network", "--boot",
        "--console=pipe", "--quiet", "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--bind-ro=/usr",
        *python, f"--bind-ro={sysconfig.get_path('purelib')}:/opt/packages",
    ]  # fmt: skip


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Without a systemd that separates them, two containers share control groups and end each other's processes."""
    with (Path(tempfile.gettempdir()) / "auricle-boot.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def booted_machine() -> Iterator[Machine]:
    """A booted machine on which `auricle@anna` is enabled; the test is skipped where that is not possible."""
    _skip_unless_root()
    with _one_at_a_time(), tempfile.TemporaryDirectory(prefix="auricle-boot-") as folder:
        tree = Path(folder) / "machine"
        tree.mkdir()
        subprocess.run([program("sh"), TREE_SCRIPT, tree, sys.executable], check=True, timeout=WITHIN_S)
        (tree / "etc/auricle/anna.toml").write_text('profile = "nursery"\n')
        wants = tree / "etc/systemd/system/multi-user.target.wants"
        (wants / "auricle@anna.service").symlink_to("../auricle@.service")
        with tree.with_suffix(".log").open("wb") as log:
            process = subprocess.Popen(
                _nspawn(tree), env={**os.environ, **_AS_ON_A_PI}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        with contextlib.closing(Machine(tree, process)) as booted:
            booted.boot()
            yield booted
