"""The daemon as push sees it: whether it hears, what people acknowledged, and what it is told about push.

A thread asks and reports, so that a daemon that hangs delays no message.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import ServiceError
from device.runtime.paths import command_socket
from device.runtime.sockets.command_socket import send_command
from device.runtime.sockets.status_socket import read_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from device.push.services.push_service import Acknowledgement
    from device.runtime.daemon_state import DaemonState

REPORT_S = 5.0
MOST_WAITING = 100
_AGAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class DaemonView:
    """What the daemon said last.

    Attributes:
        state: None if it did not answer.
        at_s: when it was asked, monotonic.
    """

    state: DaemonState | None
    at_s: float


class DaemonContact:
    """Asks the daemon of one instance, and reports to it.

    Args:
        status: its status socket.
        report: what to report about push, called from the thread.
        on_acknowledged: receives each acknowledgement that the daemon has taken, with its sentence, from the thread.
    """

    def __init__(
        self, status: Path, report: Callable[[], Mapping[str, object]], on_acknowledged: Callable[[str], None]
    ) -> None:
        self._status, self._commands = status, command_socket(status)
        self._report = report
        self._on_acknowledged = on_acknowledged
        self._view: DaemonView | None = None
        self._waiting: deque[Acknowledgement] = deque(maxlen=MOST_WAITING)
        self._closed = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="daemon", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"DaemonContact({str(self._status)!r}, {self._view!r})"

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def view(self) -> DaemonView | None:
        """What the daemon said last; None before the first question."""
        return self._view

    def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        """Have the daemon acknowledge an alarm, again and again until it has heard of it."""
        if acknowledgement not in self._waiting:
            self._waiting.append(acknowledgement)
        self._wake.set()

    def close(self) -> None:
        """Ask no more."""
        self._closed.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            self._send_acknowledgements()
            self._ask()
            self._wake.wait(_AGAIN_S if self._waiting else REPORT_S)
            self._wake.clear()

    def _send_acknowledgements(self) -> None:
        """One that the daemon did not hear of stays; one that it refuses concerns no open alarm."""
        for _ in range(len(self._waiting)):
            acknowledgement = self._waiting[0]
            try:
                payload = {"alarm_id": acknowledgement.alarm_id}
                outcome = send_command(self._commands, "acknowledge", payload, person=acknowledgement.by)
            except ServiceError:
                return
            self._waiting.popleft()
            self._on_acknowledged(f"{acknowledgement.by}: {outcome.sentence}")

    def _ask(self) -> None:
        state: DaemonState | None = None
        try:
            state = read_status(self._status)
            if state.hangs:
                state = None
            else:
                send_command(self._commands, "push_report", self._report())
        except ServiceError:
            pass
        self._view = DaemonView(state, time.monotonic())
