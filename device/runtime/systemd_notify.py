"""Notifications to systemd: ready, alive, reloading, stopping (`sd_notify(3)`).

Never raises and never waits, as detection must not depend on the service manager. A message that could not be sent
is counted, and a change of state is sent again with the next message. Without a service manager every method does
nothing.

The variables that systemd sets are meant for the daemon's process alone: a child that inherits them could send
notifications in its name. Start children in `without_notify(environ)`.

sdnotify 0.3.2 has no wheel, blocks its caller once the manager's socket is full (after 11 messages), swallows every
exception including SystemExit, and counts nothing.
"""

from __future__ import annotations

import os
import re
import socket
import time
import weakref
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOCKET = "NOTIFY_SOCKET"
_WATCHDOG_USEC = "WATCHDOG_USEC"
_WATCHDOG_PID = "WATCHDOG_PID"
_STATUS_CHARACTERS = 500  # systemd cuts a message at 4096 bytes, and a character takes up to 4


def without_notify(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a child process: without the variables that systemd sets for the main process."""
    return {name: value for name, value in environ.items() if name not in (_SOCKET, _WATCHDOG_USEC, _WATCHDOG_PID)}


class Notifier:
    """The notification socket of the service manager.

    Args:
        address: an absolute path, or "@" and an abstract name; None if there is no service manager.
        watchdog_s: the manager kills a process that calls `watchdog` less often than this; None if it does not.

    Attributes:
        watchdog_s: as given; call `watchdog` at least twice in this time.
        lost: messages that could not be delivered: the manager's socket was full, or gone.
    """

    def __init__(self, address: str | None, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self.lost = 0
        self._address = address
        self._pending = ""  # a change of state that could not be sent yet
        # Opened once: later there may be no descriptor left, and the watchdog must be fed even so.
        self._socket = None if address is None else socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if self._socket is not None:
            weakref.finalize(self, self._socket.close)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, as systemd sets them."""
        return cls(environ.get(_SOCKET) or None, _watchdog_s(environ))

    def __repr__(self) -> str:
        if self._address is None:
            return "Notifier(nobody listens)"
        watched = "" if self.watchdog_s is None else f", watchdog after {self.watchdog_s:g} s"
        return f"Notifier({self._address!r}{watched}, {self.lost} lost)"

    def ready(self, status: str) -> None:
        """Report that the start, or a reload, is complete."""
        self._change("READY=1", status)

    def reloading(self) -> None:
        """Report that the configuration is being reloaded, until `ready`."""
        # systemd from v253 on (Type=notify-reload) ignores a message that is older than its request.
        self._change(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}", "reloading")

    def stopping(self) -> None:
        """Report that the daemon is about to exit."""
        self._change("STOPPING=1", "stopping")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send(_status(text))

    def watchdog(self) -> None:
        """Reset the watchdog: the main loop turns."""
        self._send("WATCHDOG=1")

    def _change(self, state: str, status: str) -> None:
        self._pending = state
        self._send(_status(status))

    def _send(self, message: str) -> None:
        """Send a message, preceded by a change of state that is still pending."""
        if self._address is None or self._socket is None:
            return
        datagram = f"{self._pending}\n{message}" if self._pending else message
        try:
            self._socket.sendto(datagram.encode(errors="replace"), socket.MSG_DONTWAIT, _socket_name(self._address))
        except OSError:
            self.lost += 1
        else:
            self._pending = ""


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())[:_STATUS_CHARACTERS]}"


def _socket_name(address: str) -> str:
    """The address as the kernel takes it: an abstract name begins with a zero byte.

    Raises:
        OSError: neither a path nor an abstract name (systemd has others, for virtual machines).
    """
    if not address.startswith(("/", "@")):
        raise OSError(f"{address!r} is no address of a local socket")
    return f"\0{address[1:]}" if address.startswith("@") else address


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """The period as `sd_watchdog_enabled(3)` reads it; None if it is not set, or set for another process."""
    period_us = environ.get(_WATCHDOG_USEC, "")
    if environ.get(_WATCHDOG_PID, str(os.getpid())) != str(os.getpid()):
        return None
    return int(period_us) / 1e6 if re.fullmatch("[0-9]{1,19}", period_us) and int(period_us) > 0 else None
