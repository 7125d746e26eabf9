"""Runs one daemon process in a folder of its own and measures it until a given progress."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from benchmarks.soak.proc import read
from device.errors import ServiceError
from device.runtime.paths import status_socket
from device.runtime.sockets.status_socket import read_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.soak.growth import SoakRun
    from device.runtime.daemon_state import DaemonState

ROOT = Path(__file__).resolve().parents[2]

INSTANCE = "soak"


_UP_WITHIN_S = 60.0


class WatchedDaemon:
    """A daemon process in a folder of its own; a context manager that ends it.

    Args:
        command: of the process.
        folder: for its socket, its log and its stderr.
        environment: further variables.
    """

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        private = {"XDG_RUNTIME_DIR": str(folder / "run"), "XDG_STATE_HOME": str(folder / "state")}
        self._socket = status_socket(INSTANCE, private)
        self._stderr = folder / "stderr"
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                command, env={**_without_systemd(), **(environment or {}), **private}, cwd=ROOT,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
            )  # fmt: skip
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()

    def state(self) -> DaemonState:
        """Its status.

        Raises:
            RuntimeError: it does not answer, or has ended.
        """
        deadline_s = time.monotonic() + _UP_WITHIN_S
        while self._process.poll() is None and time.monotonic() < deadline_s:
            try:
                return read_status(self._socket)
            except ServiceError:
                time.sleep(0.05)
        raise RuntimeError(f"the daemon does not answer: {self._stderr.read_text()[-2000:]}")

    def stop(self) -> tuple[int, float]:
        """Send SIGTERM; returns the exit code, and the seconds until the exit."""
        began_s = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(_UP_WITHIN_S), time.monotonic() - began_s


def _without_systemd() -> dict[str, str]:
    """Our environment without a service manager's folders; one thread computes, as on a Pi."""
    own = {name: value for name, value in os.environ.items() if name not in ("RUNTIME_DIRECTORY", "LOGS_DIRECTORY")}
    return {**own, "OMP_NUM_THREADS": "1"}


def watch(
    run: SoakRun,
    daemon: WatchedDaemon,
    until: float,
    progress: Callable[[DaemonState], float],
    *,
    every_s: float = 1.0,
    between_readings: Callable[[], None] = lambda: None,
) -> SoakRun:
    """Measure a daemon until its progress reaches `until`, then stop it; returns the same run, filled."""
    while not run.readings or run.readings[-1].progress < until:
        between_readings()
        time.sleep(every_s)
        run.state = daemon.state()
        run.readings.append(read(daemon.pid, progress(run.state)))
    run.exit_code, run.stopped_within_s = daemon.stop()
    return run


def hours_processed(state: DaemonState) -> float:
    """Hours of sound that the daemon has processed: one window is due for each hop."""
    return state.windows_due * state.configured_hop_s / 3600
