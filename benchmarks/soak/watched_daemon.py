"""One daemon process in a folder of its own, watched until it has come so far."""

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
from device.runtime.status_socket import read_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.soak.growth import Life
    from device.runtime.daemon_state import DaemonState

ROOT = Path(__file__).resolve().parents[2]

INSTANCE = "soak"


_UP_WITHIN_S = 60.0


class Watched:
    """A daemon process in a folder of its own; a context manager that ends it.

    Args:
        command: of the process.
        folder: for its socket, its log and what it says on stderr.
        environment: beside our own.
    """

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        private = {"XDG_RUNTIME_DIR": str(folder / "run"), "XDG_STATE_HOME": str(folder / "state")}
        self._socket = status_socket(INSTANCE, private)
        self._talk = folder / "stderr"
        with self._talk.open("wb") as talk:
            self._process = subprocess.Popen(
                command, env={**_without_systemd(), **(environment or {}), **private}, cwd=ROOT,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=talk,
            )  # fmt: skip
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()

    def state(self) -> DaemonState:
        """What it says of itself.

        Raises:
            RuntimeError: it does not answer, or has ended.
        """
        deadline_s = time.monotonic() + _UP_WITHIN_S
        while self._process.poll() is None and time.monotonic() < deadline_s:
            try:
                return read_status(self._socket)
            except ServiceError:
                time.sleep(0.05)
        raise RuntimeError(f"the daemon does not answer: {self._talk.read_text()[-2000:]}")

    def stop(self) -> tuple[int, float]:
        """SIGTERM; its exit code, and the seconds it took."""
        began_s = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(_UP_WITHIN_S), time.monotonic() - began_s


def _without_systemd() -> dict[str, str]:
    """What a service manager told us is not for the daemon; one thread computes, as on a Pi."""
    mine = {name: value for name, value in os.environ.items() if name not in ("RUNTIME_DIRECTORY", "LOGS_DIRECTORY")}
    return {**mine, "OMP_NUM_THREADS": "1"}


def live(
    life: Life,
    daemon: Watched,
    until: float,
    progress: Callable[[DaemonState], float],
    *,
    every_s: float = 1.0,
    meanwhile: Callable[[], None] = lambda: None,
) -> Life:
    """Watch a daemon until it has come so far, then stop it; the same life, told."""
    while not life.readings or life.readings[-1].progress < until:
        meanwhile()
        time.sleep(every_s)
        life.state = daemon.state()
        life.readings.append(read(daemon.pid, progress(life.state)))
    life.exit_code, life.left_within_s = daemon.stop()
    return life


def hours_heard(state: DaemonState) -> float:
    """Hours of sound that the daemon has come through: a window is due for each hop of them."""
    return state.windows_due * state.configured_hop_s / 3600
