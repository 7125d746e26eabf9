"""What the daemon tells systemd of itself: that it is ready, alive, reloading, leaving (`sd_notify(3)`).

Never raises and never waits: a daemon that hears a cry has better things to do than to mind who
watches it. What could not be said is counted, and a change of state is said again with the next word.
Without a service manager every method does nothing.

The variables that systemd sets stay in the environment, but they are meant for this one process: a child
that inherits them could speak in its name. Start children in `without_notify(environ)`.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOCKET = "NOTIFY_SOCKET"
_WATCHDOG_USEC = "WATCHDOG_USEC"
_WATCHDOG_PID = "WATCHDOG_PID"
_STATUS_CHARACTERS = 500  # systemd cuts a message at 4096 bytes, and a character has up to 4


def without_notify(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a child process: all but what systemd tells the main one alone."""
    return {name: value for name, value in environ.items() if name not in (_SOCKET, _WATCHDOG_USEC, _WATCHDOG_PID)}


class Notifier:
    """The line to the service manager.

    Args:
        address: an absolute path, or "@" and an abstract name; None where no service manager listens.
        watchdog_s: the manager ends a process that calls `watchdog` less often than this; None if it does not care.

    Attributes:
        watchdog_s: as given; feed it at least twice in this time.
        lost: messages that could not be delivered: the manager's socket was full, or gone.
    """

    def __init__(self, address: str | None, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self.lost = 0
        self._address = address
        self._owed = ""  # the change of state that the manager has not been told yet

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """As systemd asks for it in NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID."""
        return cls(environ.get(_SOCKET) or None, _watchdog_s(environ))

    def __repr__(self) -> str:
        if self._address is None:
            return "Notifier(nobody listens)"
        watched = "" if self.watchdog_s is None else f", watchdog after {self.watchdog_s:g} s"
        return f"Notifier({self._address!r}{watched}, {self.lost} lost)"

    def ready(self, status: str) -> None:
        """The start, or a reload, is over."""
        self._change("READY=1", status)

    def reloading(self) -> None:
        """The configuration is read anew; `ready` says when that is over."""
        # systemd from v253 on (Type=notify-reload) takes only a word that is younger than its request.
        self._change(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}", "reloading")

    def stopping(self) -> None:
        """The daemon is about to leave."""
        self._change("STOPPING=1", "stopping")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(_status(text))

    def watchdog(self) -> None:
        """The main loop turns."""
        self._send("WATCHDOG=1")

    def _change(self, state: str, status: str) -> None:
        self._owed = state
        self._send(_status(status))

    def _send(self, message: str) -> None:
        """Tell it together with a change of state that is still owed."""
        if self._address is None:
            return
        told = f"{self._owed}\n{message}" if self._owed else message
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.sendto(told.encode(errors="replace"), socket.MSG_DONTWAIT, _socket_name(self._address))
        except OSError:
            self.lost += 1
        else:
            self._owed = ""


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())[:_STATUS_CHARACTERS]}"


def _socket_name(address: str) -> str:
    """The address for the kernel, where an abstract name begins with a zero byte.

    Raises:
        OSError: neither a path nor an abstract name (systemd has others, for virtual machines).
    """
    if not address.startswith(("/", "@")):
        raise OSError(f"{address!r} is no address of a local socket")
    return f"\0{address[1:]}" if address.startswith("@") else address


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """How `sd_watchdog_enabled(3)` reads it; None where systemd asks for nothing, or asks another process."""
    period_us = environ.get(_WATCHDOG_USEC, "")
    if environ.get(_WATCHDOG_PID, str(os.getpid())) != str(os.getpid()):
        return None
    return int(period_us) / 1e6 if period_us.isdecimal() and int(period_us) > 0 else None
