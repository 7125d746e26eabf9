"""The unit on a real systemd, booted in a container: it starts, is watched, restarted, reloaded and stopped for real.

The container is this machine's own /usr around a root made in a moment (`make_boot_tree.sh`); it has its own
processes, users, network and sound card. Only root may boot one: for anybody else these tests are skipped, and say so.
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
from tests.device.hearing.network import hostile
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from device.runtime.daemon_state import DaemonState

TREE_SCRIPT = Path(__file__).with_name("make_boot_tree.sh")
AURICLE = "/opt/auricle/current/bin/auricle"
WITHIN_S = 60.0
"""A machine that runs other tests in parallel is slow; nothing here takes that long by itself."""

_AS_ON_A_PI = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
"""One hierarchy of control groups: with the older ones systemd notices too late that a unit's last process ended."""

_PROBE_IMPORTS = "import mmap, os, socket\nfrom pathlib import Path"
_UP = ("running", "degraded")

pytestmark = pytest.mark.system


def _wait_until(holds: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
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
        _wait_until(self._is_up, "the container's systemd answers")

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

        _wait_until(answers_now, f"auricle@{instance} tells its state")
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
        probe.write_text(f"{_PROBE_IMPORTS}\n{code}\nprint('done')\n")
        streams = "StandardOutput=truncate:/opt/probe.said\nStandardError=truncate:/opt/probe.said"
        program = "ExecStart=\nExecStart=/opt/auricle/current/bin/python -W ignore /opt/probe.py\nExecStopPost="
        self.overrule("probing", f"Type=oneshot\nRestart=no\n{streams}\n{program}")
        self.run("systemctl", "start", "auricle@probing", check=False)
        return said.read_text().splitlines()[-1]

    def wait_for(self, instance: str, name: str, value: str) -> None:
        """Wait until a property of an instance's unit has a value."""
        _wait_until(lambda: self.show(instance, name) == value, f"{name}={value} of auricle@{instance}")

    def wait_to_hear(self, instance: str, pattern: str) -> None:
        """Wait until an instance's journal holds a pattern."""
        _wait_until(
            lambda: re.search(pattern, self.said(instance)), f"{pattern!r} in the journal of auricle@{instance}"
        )

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


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A booted machine on which `auricle@anna` is enabled."""
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


def test_an_enabled_monitor_listens_once_the_machine_has_booted(machine: Machine) -> None:
    machine.wait_for("anna", "ActiveState", "active")
    assert machine.show("anna", "StatusText").startswith("auricle ")
    assert machine.show("anna", "NRestarts") == "0"
    user = machine.run("ps", "-o", "user=,ni=", "-p", str(machine.main_pid("anna")))
    assert user.split() == ["auricle", "-5"]


def test_the_running_unit_is_exposed_no_more_than_promised(machine: Machine) -> None:
    machine.run("systemd-analyze", "security", "--threshold=15", "auricle@anna")


def test_networks_compute_the_same_in_the_sandbox_as_out_of_it(machine: Machine) -> None:
    """With XNNPACK, that is: without it (ProcSubset=pid) the golden numbers are missed by 0.06."""
    machine.overrule("verifying", f"Type=oneshot\nRestart=no\nExecStart=\nExecStart={AURICLE} models verify cry")
    machine.systemctl("start", "auricle@verifying")
    said = machine.said("verifying")
    assert re.search(r"cry \S+ is sound", said), said
    outside = subprocess.run(
        [sys.executable, "-m", "device", "models", "verify", "cry"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    figures = [line for line in outside.splitlines() if "scores within" in line]
    assert figures
    assert [line for line in said.splitlines() if "scores within" in line] == figures


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("Path('/etc/auricle/anna.toml').read_text()", id="reads-configurations"),
        pytest.param("assert 'processor' in Path('/proc/cpuinfo').read_text()", id="sees-what-XNNPACK-asks-for"),
        pytest.param(
            "[Path(os.environ[f'{name}_DIRECTORY'], 'x').write_text('') for name in ('STATE', 'LOGS', 'RUNTIME')]",
            id="writes-to-folders-of-its-own",
        ),
        pytest.param("Path(os.environ['LG_WD'], 'x').write_text('')", id="has-a-place-for-lgpio"),
        pytest.param(
            "serves = socket.create_server(('127.0.0.1', 0)); socket.create_connection(serves.getsockname())",
            id="speaks-and-serves-TCP",
        ),
        pytest.param("open('/dev/gpiochip9', 'r+b')", id="opens-what-the-group-gpio-may"),
    ],
)
def test_the_sandbox_lets_the_daemon_do_its_work(machine: Machine, code: str) -> None:
    machine.run("sh", "-c", "mknod -m 660 /dev/gpiochip9 c 1 3 2>/dev/null; chgrp gpio /dev/gpiochip9")
    assert machine.confined(code) == "done"


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("Path('/etc/auricle/anna.toml').write_text('')", id="writes-no-configuration"),
        pytest.param("Path('/opt/auricle/current/x').write_text('')", id="writes-no-program"),
        pytest.param("os.listdir('/home/pi')", id="sees-no-home"),
        pytest.param("mmap.mmap(-1, 4096, prot=7)", id="has-no-memory-to-write-and-run"),
        pytest.param("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)", id="speaks-to-no-kernel"),
        pytest.param("os.setpriority(os.PRIO_PROCESS, 0, 5)", id="takes-no-other-priority"),
    ],
)
def test_the_sandbox_lets_the_daemon_do_nothing_else(machine: Machine, code: str) -> None:
    """Outside the sandbox, each of these is allowed to the same user."""
    machine.run("sh", "-c", "mkdir -p /home/pi; chmod 777 /home/pi /opt/auricle/current; chmod 666 /etc/auricle/*.toml")
    as_user = (
        "setpriv",
        "--reuid=auricle",
        "--regid=auricle",
        "--init-groups",
        "/opt/auricle/current/bin/python",
        "-c",
    )
    machine.run("env", "LD_LIBRARY_PATH=/opt/python/lib", *as_user, f"{_PROBE_IMPORTS}\n{code}")
    assert re.search("Error: ", machine.confined(code))


def test_a_killed_daemon_listens_again(machine: Machine) -> None:
    machine.start("killed")
    before = machine.main_pid("killed")
    machine.run("kill", "-KILL", str(before))
    machine.wait_for("killed", "NRestarts", "1")
    machine.wait_for("killed", "ActiveState", "active")
    assert machine.main_pid("killed") not in {0, before}


def test_a_daemon_that_hangs_is_ended_by_the_watchdog_and_listens_again(machine: Machine) -> None:
    machine.overrule("hanging", "WatchdogSec=3\nTimeoutAbortSec=1")
    machine.start("hanging")
    before = machine.main_pid("hanging")
    machine.run("kill", "-STOP", str(before))
    machine.wait_to_hear("hanging", "Watchdog timeout")
    machine.wait_for("hanging", "NRestarts", "1")
    machine.wait_for("hanging", "ActiveState", "active")
    assert machine.main_pid("hanging") not in {0, before}


def test_a_confined_daemon_hears_the_sound_card_and_scores(machine: Machine) -> None:
    machine.start("hearing")
    _wait_until(lambda: machine.state("hearing").windows_scored > 0, "a window of auricle@hearing is scored")
    state = machine.state("hearing")
    assert state.hearing
    assert state.level_dbfs is not None
    assert -70.0 < state.level_dbfs < -20.0


def test_a_monitor_without_a_microphone_is_alive_and_hears_again_when_it_is_back(machine: Machine) -> None:
    machine.overrule("deaf", "WatchdogSec=3")
    machine.start("deaf")
    _wait_until(lambda: machine.state("deaf").hearing, "auricle@deaf hears")
    before = machine.main_pid("deaf")
    machine.systemctl("stop", "soundcard")
    try:
        _wait_until(lambda: "microphone" in {fault.kind for fault in machine.state("deaf").faults}, "a fault is told")
        time.sleep(8.0)  # more than twice the timeout of the watchdog
        assert not machine.state("deaf").hearing
    finally:
        machine.systemctl("start", "soundcard")
    _wait_until(lambda: machine.state("deaf").hearing, "auricle@deaf hears again")
    assert machine.main_pid("deaf") == before


def test_who_is_in_the_group_may_ask_a_monitor_and_nobody_else(machine: Machine) -> None:
    machine.start("asked")
    assert machine.state("asked").instance == "asked"
    imports = "from device.runtime.sockets.status_socket import read_status"
    asks = f"{imports}; read_status(Path('/run/auricle/asked/status.sock'))"
    asking = ("/opt/auricle/current/bin/python", "-W", "ignore", "-c", f"{_PROBE_IMPORTS}\n{asks}")
    as_nobody = ("env", "LD_LIBRARY_PATH=/opt/python/lib", "setpriv", "--reuid=nobody", "--clear-groups")
    machine.run(*as_nobody, "--regid=auricle", *asking)
    with pytest.raises(AssertionError, match="closed to this user"):
        machine.run(*as_nobody, "--regid=nogroup", *asking)


def test_a_stop_is_clean_and_leaves_nothing_behind(machine: Machine) -> None:
    machine.start("stopped")
    machine.systemctl("stop", "auricle@stopped")
    assert machine.show("stopped", "Result") == "success"
    assert machine.show("stopped", "ExecMainStatus") == "0"
    assert machine.run("ls", "/run/auricle").split().count("stopped") == 0
    assert "Killing process" not in machine.said("stopped")


def _sensitivity(machine: Machine) -> int:
    """The configured sensitivity to cries of the instance "read"."""
    (cry,) = (label for label in machine.state("read").labels if label.label == "cry")
    return cry.configured_sensitivity


def test_a_reload_takes_what_holds_and_refuses_what_does_not(machine: Machine) -> None:
    machine.start("read")
    before = machine.main_pid("read")
    machine.configure("read", 'profile = "nursery"\n[model.cry.label.cry]\nsensitivity = 2\n')
    machine.systemctl("reload", "auricle@read")
    _wait_until(lambda: _sensitivity(machine) == 2, "the new sensitivity is taken")
    machine.configure("read", "nonsense = 1\n")
    machine.systemctl("reload", "auricle@read")
    machine.wait_to_hear("read", "nonsense")
    machine.wait_for("read", "ActiveState", "active")
    assert machine.main_pid("read") == before
    assert _sensitivity(machine) == 2


_CONFINED_CHILD = """
import resource
from device.runtime.bundle_trial.confinement import confine_resources, forbid_system_calls
confine_resources(cpu_s=5, data_bytes=200 << 20)
limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_DATA, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE)]
print(forbid_system_calls(), limits, open("/proc/self/oom_score_adj").read().strip())
try:
    open("/tmp/made", "w")
except PermissionError:
    print("writes no file")
"""
_TRIAL = f"""
import subprocess, sys
from device.runtime.bundle_trial.trial_process import Trial
from device.runtime.model_library import shipped_bundles
paths = list(shipped_bundles().values())
with Trial(paths) as trial:
    assert list(trial.result()) == paths
child = subprocess.run([sys.executable, "-c", {_CONFINED_CHILD!r}], capture_output=True, text=True)
assert child.stdout == "True [209715200, 5, 0] 1000\\nwrites no file\\n", (child.stdout, child.stderr)
"""


def test_a_trial_of_a_bundle_confines_itself_within_the_unit_too(machine: Machine) -> None:
    """What the unit forbids must not keep the trial's own bounds from holding: memory and time would be unbounded."""
    assert machine.confined(_TRIAL) == "done"


def test_a_bundle_that_means_harm_is_refused_on_a_reload_and_ends_no_monitor(machine: Machine) -> None:
    edit, sentence = hostile.REPORTED["signature outside its subgraphs"]
    machine.start("harmed")
    before = machine.main_pid("harmed")
    machine.write("etc/auricle/harm.tflite", hostile.hostile(hostile.TINY_TONE.read_bytes(), edit))
    machine.configure("harmed", '[model.tone]\nbundle = "/etc/auricle/harm.tflite"\n')
    machine.systemctl("reload", "auricle@harmed")
    machine.wait_to_hear("harmed", re.escape(sentence))
    assert machine.main_pid("harmed") == before
    assert machine.state("harmed").models == machine.state("anna").models


def test_a_monitor_comes_up_by_itself_once_its_configuration_holds(machine: Machine) -> None:
    machine.configure("mended", "nonsense = 1\n")
    machine.run("systemctl", "start", "auricle@mended", check=False)
    machine.wait_to_hear("mended", "nonsense")
    machine.configure("mended", 'profile = "nursery"\n')
    machine.wait_for("mended", "ActiveState", "active")


def test_two_monitors_share_a_machine_and_nothing_else(machine: Machine) -> None:
    machine.start("ben")
    machine.wait_for("anna", "ActiveState", "active")
    anna, ben = machine.state("anna"), machine.state("ben")
    assert (anna.instance, ben.instance) == ("anna", "ben")
    assert (anna.pid, ben.pid) == (machine.main_pid("anna"), machine.main_pid("ben"))
    machine.systemctl("stop", "auricle@ben")
    assert machine.state("anna").pid == anna.pid
    logs = machine.run("stat", "--format=%U:%G %a", "/var/log/auricle/anna", "/var/log/auricle/ben").splitlines()
    assert logs == ["auricle:auricle 750"] * 2
