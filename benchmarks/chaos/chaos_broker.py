"""A mosquitto with passwords and persistence, and the subscriber that no fault disconnects from it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from benchmarks.chaos.subscriber import NAME, PASSWORD, Subscriber
from tests.programs import program
from tests.system.conftest import Mosquitto

if TYPE_CHECKING:
    import signal
    from pathlib import Path

DAEMON_NAME, DAEMON_PASSWORD = "auricle", "right"


class ChaosBroker:
    """A broker that may die and come back; the daemon reaches it by TCP, the subscriber by a socket.

    Args:
        folder: with a short path, because it becomes the socket's.
    """

    def __init__(self, folder: Path) -> None:
        self._passwords = folder / "passwords"
        self.write_passwords(daemon_allowed=True)
        socket = folder / "subscriber.sock"
        self._mosquitto = Mosquitto(folder, *_broker_lines(folder, socket, self._passwords))
        self.subscriber = Subscriber(socket)
        self.is_up = False

    def __repr__(self) -> str:
        return f"ChaosBroker({self._mosquitto!r}, {self.subscriber!r})"

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 that it listens on, also after a restart."""
        return self._mosquitto.port

    def write_passwords(self, *, daemon_allowed: bool) -> None:
        """Write who may log in; the broker reads it when it starts, or at SIGHUP."""
        self._passwords.unlink(missing_ok=True)
        logins = ((NAME, PASSWORD), (DAEMON_NAME, DAEMON_PASSWORD if daemon_allowed else "another"))
        for name, password in logins:
            options = ("-b",) if self._passwords.exists() else ("-b", "-c")
            command = [program("mosquitto_passwd"), *options, str(self._passwords), name, password]
            subprocess.run(command, check=True, timeout=20)
        self._passwords.chmod(0o600)

    def start(self) -> None:
        """Start it and subscribe; returns when the subscription is confirmed."""
        self._mosquitto.start()
        self.subscriber.open()
        self.is_up = True

    def kill(self) -> None:
        """Kill it (SIGKILL) and read what the subscriber had still to read; idempotent."""
        self._mosquitto.kill()
        self.subscriber.drain()
        self.is_up = False

    def signal(self, number: signal.Signals) -> None:
        """Send SIGSTOP, SIGCONT or SIGHUP to the broker."""
        self._mosquitto.signal(number)


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
