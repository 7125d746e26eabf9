"""A real `auricle listen` in its own process and folders: its log, its status, and the sounds that it captures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import pytest
import soundfile

from device.demo.scene import bedside
from device.errors import ServiceError
from device.runtime.sockets.status_socket import read_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from device.runtime.daemon_state import DaemonState

RATE_HZ = 16000
UP_WITHIN_S = 30.0
"""From the start of the process to its first line of log, on a machine that runs other tests."""

CRY_WITHIN_S = 15.0
"""From a cry's first sample to its alert: 3 s of sound, 3 s to open a microphone, 5 s of backoff, a busy machine."""

NAMES_ANY_CRY = """
[model.cry-reason.label.hungry]
on = 0.5
[model.cry-reason.label.other]
on = 0.5
"""
"""Thresholds at which the model that follows a cry never abstains: of two labels one has at least a half."""

AURICLE = Path(sys.executable).with_name("auricle")
_OURS = ("RUNTIME_DIRECTORY", "LOGS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")

Line = dict[str, Any]
Found = TypeVar("Found")


class RunningDaemon:
    """One daemon; a context manager that kills it at the end, whatever its state.

    Args:
        folder: holds its configuration, state, socket and output; no other daemon of its name uses it.
        environment: added to this process's.
        config: TOML.
        name: of the instance, and of the configuration file.
        command: in front of `--config FILE`; None for `auricle listen`.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        config: str,
        *,
        name: str = "nursery",
        command: Sequence[str] | None = None,
    ) -> None:
        self.config_path = folder / f"{name}.toml"
        self.log_path = folder / "state" / "auricle" / name / "heard.jsonl"
        self.socket_path = folder / "run" / "auricle" / name / "status.sock"
        self.printed_path = folder / f"{name}.out"
        self.environment = private(folder, environment)
        self._name = name
        self._command = [*(command or [str(AURICLE), "listen"]), "--config", str(self.config_path)]
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(config)

    def __repr__(self) -> str:
        return f"RunningDaemon({self._name!r}, last lines: {self.lines()[-5:]}, printed: {self.printed()[-500:]!r})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The daemon's process."""
        assert self._process is not None
        return self._process

    def configure(self, config: str) -> None:
        """Write its configuration file."""
        self.config_path.write_text(config)

    def start(self, console: int | None = None, stdin: int = subprocess.DEVNULL) -> None:
        """Start it and return at once; stdout goes to a file, or to the descriptor `console`."""
        with self.printed_path.open("ab") as printed:
            stdout = printed.fileno() if console is None else console
            self._process = subprocess.Popen(
                self._command, env=self.environment, stdin=stdin, stdout=stdout, stderr=printed
            )

    def reload(self) -> None:
        """Request that it reads its configuration again (SIGHUP)."""
        self.process.send_signal(signal.SIGHUP)

    def terminate(self) -> tuple[int, float]:
        """Send SIGTERM -> (its exit code, seconds until it had ended)."""
        began_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(UP_WITHIN_S)
        return code, time.monotonic() - began_s

    def kill(self) -> None:
        """Kill it (SIGKILL); idempotent."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(UP_WITHIN_S)

    # --- its log

    def lines(self) -> list[Line]:
        """The lines of its log so far, but for one that is being written."""
        try:
            text = self.log_path.read_text()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def events(self) -> list[Line]:
        """The events in its log."""
        return [line for line in self.lines() if line["kind"] == "event"]

    def printed(self) -> str:
        """Its output on stdout and stderr so far."""
        return self.printed_path.read_text() if self.printed_path.exists() else ""

    def wait_for(self, what: Mapping[str, object], *, after: int = 0, within_s: float) -> Line:
        """Wait for the first line of the log with these members, beyond the first `after` lines."""
        return self.wait_until(lambda: self.find(what, after=after), f"a line with {dict(what)}", within_s)

    def find(self, what: Mapping[str, object], *, after: int = 0) -> Line | None:
        """The first line of the log with these members, beyond the first `after` lines; None if there is none."""
        return next((line for line in self.lines()[after:] if says(line, what)), None)

    def wait_until(self, found: Callable[[], Found | None], what: str, within_s: float) -> Found:
        """Poll until `found` returns something true; fails if it does not in time, or if the daemon has ended."""
        deadline_s = time.monotonic() + within_s
        while not (answer := found()):
            if time.monotonic() > deadline_s:
                pytest.fail(f"{what} did not come within {within_s:g} s: {self!r}")
            if self.process.poll() is not None:
                pytest.fail(f"the daemon ended with exit code {self.process.returncode} before {what}: {self!r}")
            time.sleep(0.02)
        return answer

    def wait_until_it_runs(self) -> None:
        """Wait until it has logged its start."""
        self.wait_for({"happening": "started"}, within_s=UP_WITHIN_S)

    def wait_until_it_captures(self) -> None:
        """Wait until its microphone delivers sound."""
        self.wait_until(
            lambda: (state := self.status()) is not None and state.sample_rate_hz is not None, "sound", UP_WITHIN_S
        )

    def wait_until_it_hears(self, within_s: float = UP_WITHIN_S) -> None:
        """Wait until it reports that a cry would be detected now."""
        self.wait_until(lambda: (state := self.status()) is not None and state.hears, "hearing", within_s)

    def wait_for_a_cry(self, *, after: int = 0, within_s: float = CRY_WITHIN_S) -> Line:
        """Wait for the begin of a cry in its log."""
        return self.wait_for({"label": "cry", "phase": "begin"}, after=after, within_s=within_s)

    def status(self) -> DaemonState | None:
        """The state that its socket serves; None if nothing answers."""
        try:
            return read_status(self.socket_path)
        except ServiceError:
            return None

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `auricle` command in its environment."""
        return subprocess.run(
            [str(AURICLE), *arguments], env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )

    def children(self) -> list[int]:
        """Process ids of its capture processes, zombies too."""
        return children_of(self.process.pid)


def private(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a daemon that shares nothing with other daemons or with a service manager."""
    inherited = {name: value for name, value in os.environ.items() if name not in _OURS}
    own = {"XDG_RUNTIME_DIR": str(folder / "run"), "XDG_STATE_HOME": str(folder / "state"), "OMP_NUM_THREADS": "1"}
    return {**inherited, **own, **environment}


def says(line: Line, what: Mapping[str, object]) -> bool:
    """Whether a line of the log has these members with these values."""
    return all(line.get(name) == value for name, value in what.items())


def children_of(parent: int) -> list[int]:
    """Process ids of the children of a process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


def lives(process_id: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- sounds


class Sounds:
    """Recordings cut from the demo's scene, at 16 kHz and 16 bits, which a sound card delivers unchanged.

    Args:
        folder: where they are written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        scene = bedside(np.random.default_rng(7))
        self._all = scene.samples

    def cry_then_room(self, cry_s: float, room_s: float) -> Path:
        """Two seconds of a room, an infant crying, and the room again."""
        name = f"cry-{cry_s:g}-room-{room_s:g}.wav"
        return self.write(name, [self.room(2.0), self.crying(cry_s), self.room(room_s)])

    def endless_cry(self) -> Path:
        """Two minutes of an infant crying."""
        return self.write("endless-cry.wav", [self.crying(120.0)])

    def endless_room(self) -> Path:
        """Two minutes of a quiet room."""
        return self.write("endless-room.wav", [self.room(120.0)])

    def constant(self) -> Path:
        """Twenty seconds of one value."""
        return self.write("constant.wav", [np.full(20 * RATE_HZ, 0.1, np.float32)])

    def crying(self, seconds: float) -> npt.NDArray[np.float32]:
        """An infant crying, over and over: float32 (n,)."""
        return _repeated(self._all[28 * RATE_HZ : 41 * RATE_HZ], seconds)

    def room(self, seconds: float) -> npt.NDArray[np.float32]:
        """A quiet room, over and over: float32 (n,)."""
        return _repeated(self._all[46 * RATE_HZ : 60 * RATE_HZ], seconds)

    def write(self, name: str, parts: Sequence[npt.NDArray[np.float32]]) -> Path:
        """Write the parts, one after the other, as a file."""
        path = self._folder / name
        if not path.exists():  # a file that is being played must not change
            soundfile.write(path, np.concatenate(parts), RATE_HZ, subtype="PCM_16")
        return path


def _repeated(sound: npt.NDArray[np.float32], seconds: float) -> npt.NDArray[np.float32]:
    return np.resize(sound, round(seconds * RATE_HZ))
